"""The repository: reachable, writable, with the collections that a run reads, and room for those it makes."""

__all__ = ["check_collections", "check_writable", "open_repository"]

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...bps.lint import Finding, Severity
from .subject import Subject, problem

#: Tables of a registry that every run adds rows to.
_WRITTEN_BY_RUNS = ("collection", "collection_chain", "dataset", "run")


def open_repository(uri: str) -> tuple[Any, list[Finding]]:
    """Open a repository to read from it.

    Returns
    -------
    butler, findings
        The Butler, or `None` and why.
    """
    from lsst.daf.butler import Butler

    try:
        butler = Butler.from_config(uri)
        butler.collections.query("*")
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        return None, [
            problem(
                Severity.ERROR,
                "butler",
                f"the repository {uri} cannot be opened: {type(error).__name__}: {first}",
                "nothing can be read from it, and nothing about data is checked now",
                _how_to_mend(uri),
                key="butler",
            )
        ]
    return butler, []


def _how_to_mend(uri: str) -> str:
    if "://" not in uri and "/" not in uri:
        return "set $DAF_BUTLER_REPOSITORY_INDEX, where aliases are looked up, or write the path of the repository"
    if "://" not in uri and not Path(uri).exists():
        return "write the path of the folder that holds butler.yaml"
    return "see whether `butler query-collections` works here, with the same database credentials"


def check_writable(subject: Subject) -> Iterator[Finding]:
    """Report a repository that this user cannot write to: its files on this machine's disks, its database."""
    root = Path(subject.butler)
    root = root.parent if root.suffix == ".yaml" else root
    if root.is_dir():
        # Others' folders may be closed: what counts is the one that the outputs go into.
        output = root / subject.output
        folder = next(path for path in (output, *output.parents) if path.is_dir())
        for path in (folder, *root.glob("*.sqlite3")):
            if not os.access(path, os.W_OK):
                yield _not_writable(str(path))
    tables = _closed_tables(subject.butler)
    if tables:
        yield _not_writable(f"the registry's database ({', '.join(tables)})")


def _not_writable(what: str) -> Finding:
    return problem(
        Severity.ERROR,
        "butler-write",
        f"{what} is not writable for you",
        "the run's last job cannot put its outputs into the repository",
        "ask whoever keeps the repository for the right to write",
        key="butler",
    )


def _closed_tables(uri: str) -> list[str]:
    """Name tables of a registry in PostgreSQL that every run adds rows to and this user must not."""
    import sqlalchemy
    from lsst.daf.butler import Butler, ButlerConfig
    from lsst.daf.butler.registry import RegistryConfig
    from lsst.daf.butler.registry.connectionString import ConnectionStringFactory

    config = ButlerConfig(Butler.get_repo_uri(uri, return_label=True))
    if not str(config.get(("registry", "db"), "")).startswith("postgresql"):
        return []
    registry = RegistryConfig(config)
    engine = sqlalchemy.create_engine(
        ConnectionStringFactory.fromConfig(registry), poolclass=sqlalchemy.pool.NullPool
    )
    namespace = registry.get("namespace")
    closed = sqlalchemy.text(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = COALESCE(:namespace, current_schema()) AND c.relname = ANY(:tables) "
        "AND NOT has_table_privilege(c.oid, 'INSERT') ORDER BY c.relname"
    )
    with engine.connect() as connection:
        rows = connection.execute(closed, {"namespace": namespace, "tables": list(_WRITTEN_BY_RUNS)})
        return [str(name) for (name,) in rows]


def check_collections(butler: Any, subject: Subject) -> Iterator[Finding]:
    """Report collections that are missing, or in the way."""
    from lsst.daf.butler import CollectionType, MissingCollectionError

    names = set(butler.collections.query("*"))
    there = True
    for name in subject.inputs:
        if name in names or name in subject.planned:
            there &= name in names
            continue
        try:
            butler.collections.query(name)
            continue
        except MissingCollectionError:
            there = False
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        yield problem(
            Severity.ERROR,
            "no-collection",
            f"there is no collection {name!r} in {subject.butler}",
            "building the quantum graph ends with a traceback",
            f"name one of {', '.join(near)}" if near else "see `apcampaign inspect` for what is there",
            key=f"{subject.name}: inCollection",
        )
    if subject.output_run in names:
        yield problem(
            Severity.ERROR,
            "output-exists",
            f"the RUN collection {subject.output_run!r} is there already",
            "preparing fails after a while: BPS does not extend a run",
            "give outputRun another name; one that ends in {timestamp} is always new",
            key=f"{subject.name}: outputRun",
        )
    if subject.output not in names:
        return
    kind = butler.collections.get_info(subject.output).type
    if kind is not CollectionType.CHAINED:
        yield problem(
            Severity.ERROR,
            "output-exists",
            f"{subject.output!r} is there already, and no chain but a collection of type {kind.name}",
            "the run's outputs cannot be put before it",
            "choose another name for the outputs",
            key=f"{subject.name}: output",
        )
    elif there:
        yield from _check_chain(butler, subject)


def _check_chain(butler: Any, subject: Subject) -> Iterator[Finding]:
    """Compare what an existing output chain reads with what the run shall read: the chain wins."""
    chain = tuple(butler.collections.get_info(subject.output).children)
    inputs = tuple(butler.collections.query(list(subject.inputs), flatten_chains=True))
    starts = range(len(chain) - len(inputs) + 1)
    if subject.renews:
        if not any(chain[n : n + len(inputs)] == inputs for n in starts):
            yield problem(
                Severity.INFO,
                "stale-chain",
                f"the output {subject.output!r} is there already, made from other inputs ({', '.join(chain)})",
                "earlier runs have read those",
                "nothing to do: the submission puts the new inputs in their place",
                key=f"{subject.name}: output",
            )
        return
    if not any(chain[n : n + len(inputs)] == inputs for n in starts):
        yield problem(
            Severity.ERROR,
            "stale-chain",
            f"the output {subject.output!r} is there already, made from other inputs ({', '.join(chain)})",
            "preparing fails with advice about --rebase; a chain keeps the inputs it was made with",
            "choose another output, or remove the old chain: "
            f"butler remove-collections {subject.butler} {subject.output}",
            key=f"{subject.name}: output",
        )
        return
    others = [name for name in chain if name not in inputs and not name.startswith(f"{subject.output}/")]
    if others:
        yield problem(
            Severity.WARNING,
            "stale-chain",
            f"the output {subject.output!r} is there already and also reads {', '.join(others)}",
            "what is found there is used, though this run does not name it",
            "choose another output, unless that is meant",
            key=f"{subject.name}: output",
        )
