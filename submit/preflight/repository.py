"""Repository checks: it is reachable and writable, holds the input collections, and none is in the way."""

__all__ = ["check_collections", "check_writable", "open_repository"]

import difflib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ...bps.lint import Finding, Severity
from ...common.butler import butler_errors, open_butler
from ...common.errors import RepositoryError
from .run_spec import RunSpec, make_finding

#: Tables of a registry that every run adds rows to.
_WRITTEN_BY_RUNS = ("collection", "collection_chain", "dataset", "run")


@contextmanager
def open_repository(uri: str) -> Iterator[Any]:
    """Open a repository to read from it, as long as the block lasts.

    Parameters
    ----------
    uri
        Its URI, path or alias.

    Returns
    -------
    butler
        As a context: an `lsst.daf.butler.Butler`.

    Raises
    ------
    RepositoryError
        If it cannot be opened, or its registry does not answer.
    """
    purpose = f"the repository {uri} cannot be read"
    with ExitStack() as stack:
        try:
            butler = stack.enter_context(open_butler(uri, purpose))
            with butler_errors(purpose):
                butler.collections.query("*")  # a registry is only asked when something is read
        except RepositoryError as error:
            raise RepositoryError(error.what, remedy=_how_to_fix(uri)) from error
        yield butler


def _how_to_fix(uri: str) -> str:
    if "://" not in uri and "/" not in uri:
        return "set $DAF_BUTLER_REPOSITORY_INDEX, where aliases are looked up, or write the path of the repository"
    if "://" not in uri and not Path(uri).exists():
        return "write the path of the folder that holds butler.yaml"
    return "see whether `butler query-collections` works here, with the same database credentials"


def check_writable(spec: RunSpec) -> Iterator[Finding]:
    """Report a repository that this user cannot write to: its files on this machine's disks, its database."""
    root = Path(spec.butler)
    root = root.parent if root.suffix == ".yaml" else root
    if root.is_dir():
        # Others' folders may be closed: what counts is the one that the outputs go into.
        output = root / spec.output
        folder = next(path for path in (output, *output.parents) if path.is_dir())
        for path in (folder, *root.glob("*.sqlite3")):
            if not os.access(path, os.W_OK):
                yield _not_writable(str(path))
    tables = _closed_tables(spec.butler)
    if tables:
        yield _not_writable(f"the registry's database ({', '.join(tables)})")


def _not_writable(what: str) -> Finding:
    return make_finding(
        Severity.ERROR,
        "butler-write",
        f"{what} is not writable for you",
        "the run's last job cannot put its outputs into the repository",
        "ask whoever keeps the repository for write access",
        key="butler",
    )


def _closed_tables(uri: str) -> list[str]:
    """Name the tables of a registry in PostgreSQL that every run adds rows to and this user may not."""
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


def check_collections(butler: Any, spec: RunSpec) -> Iterator[Finding]:
    """Report collections that are missing, or in the way."""
    from lsst.daf.butler import CollectionType

    names = set(butler.collections.query("*"))
    missing = [name for name in spec.existing_inputs if not _is_known(butler, name, names)]
    for name in missing:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        yield make_finding(
            Severity.ERROR,
            "no-collection",
            f"there is no collection {name!r} in {spec.butler}",
            "building the quantum graph ends with a traceback",
            f"name one of {', '.join(near)}" if near else "list the collections with `apcampaign inspect`",
            key=f"{spec.name}: inCollection",
        )
    if spec.output_run in names:
        yield make_finding(
            Severity.ERROR,
            "output-exists",
            f"the RUN collection {spec.output_run!r} exists already",
            "preparing fails after a while: BPS does not extend a run",
            "give outputRun another name; one that ends in {timestamp} is always new",
            key=f"{spec.name}: outputRun",
        )
    if spec.output not in names:
        return
    kind = butler.collections.get_info(spec.output).type
    if kind is not CollectionType.CHAINED:
        yield make_finding(
            Severity.ERROR,
            "output-exists",
            f"the output {spec.output!r} exists already and is of type {kind.name}, not CHAINED",
            "the run's outputs cannot be put in front of it",
            "choose another name for the outputs",
            key=f"{spec.name}: output",
        )
    elif not missing and spec.planned <= names:
        yield from _check_output(butler, spec)


def _is_known(butler: Any, name: str, names: set[str]) -> bool:
    """Tell whether a collection, or the pattern that stands for some, is in the repository."""
    from lsst.daf.butler import MissingCollectionError

    if name in names:
        return True
    try:
        butler.collections.query(name)
    except MissingCollectionError:
        return False
    return True


def _check_output(butler: Any, spec: RunSpec) -> Iterator[Finding]:
    """Compare what an existing CHAINED output reads with what the run should read: the CHAINED one wins."""
    children = tuple(butler.collections.get_info(spec.output).children)
    inputs = tuple(butler.collections.query(list(spec.inputs), flatten_chains=True))
    listed = ", ".join(children)
    if not _holds(children, inputs):
        yield _rebased(spec, listed) if spec.rebases else _not_rebased(spec, listed)
        return
    others = [name for name in children if name not in inputs and not name.startswith(f"{spec.output}/")]
    if others and not spec.rebases:
        yield make_finding(
            Severity.WARNING,
            "stale-chain",
            f"the output {spec.output!r} exists already and also reads {', '.join(others)}",
            "what is found there is used, though this run does not name it",
            "choose another output, unless that is intended",
            key=f"{spec.name}: output",
        )


def _holds(children: tuple[str, ...], inputs: tuple[str, ...]) -> bool:
    """Tell whether the inputs follow one another among the children of a CHAINED collection."""
    starts = range(len(children) - len(inputs) + 1)
    return any(children[start : start + len(inputs)] == inputs for start in starts)


def _rebased(spec: RunSpec, children: str) -> Finding:
    return make_finding(
        Severity.INFO,
        "stale-chain",
        f"the output {spec.output!r} exists already, made from other inputs ({children})",
        "earlier runs have read those",
        "nothing to do: the submission puts the new inputs in their place",
        key=f"{spec.name}: output",
    )


def _not_rebased(spec: RunSpec, children: str) -> Finding:
    return make_finding(
        Severity.ERROR,
        "stale-chain",
        f"the output {spec.output!r} exists already, made from other inputs ({children})",
        "preparing fails with advice about --rebase; a CHAINED collection keeps the inputs it was made with",
        "choose another output, or remove the old CHAINED collection: "
        f"butler remove-collections {spec.butler} {spec.output}",
        key=f"{spec.name}: output",
    )
