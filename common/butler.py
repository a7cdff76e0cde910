"""Butler access: the only module that opens existing repositories; translates Butler's errors."""

__all__ = ["butler_errors", "open_butler", "query_run", "query_visits", "refresh_statistics", "reuse_butlers"]

import contextlib
import logging
import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from itertools import batched
from pathlib import Path
from typing import Any

from .errors import ApcampaignError, RepositoryError

_PATIENCE = 20.0  # seconds; transactions of runs take less
_VISITS = 500  # of a query, whose result is held in memory: a large camera has 189 regions for each
#: What SQLite says of a condition with a thousand values: Butler makes an ``OR`` of each that is written out.
_TOO_LARGE = "Expression tree is too large"
#: The repositories that are kept open, by name, and what closes them.
_kept: ContextVar[tuple[ExitStack, dict[str, Any]] | None] = ContextVar("_kept", default=None)

_log = logging.getLogger(__name__)


@contextmanager
def butler_errors(purpose: str, *, remedy: str = "") -> Iterator[None]:
    """Turn what Butler, and what reads its files, raises inside the block into a `RepositoryError`.

    Parameters
    ----------
    purpose
        What cannot be done if it fails, as a sentence: «the outcome of run R cannot be read».
    remedy
        The next step, if there is one that is known.

    Raises
    ------
    RepositoryError
        For any error that is not ours already: what foreign code below Butler may raise is not known.
    """
    try:
        with _without_eups():
            yield
    except ApcampaignError:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        if _TOO_LARGE in first:
            remedy = (
                "name fewer than 900 values in a condition, or ranges such as visit IN (1000..1999), or put the "
                "raw images into a TAGGED collection and name that as 'inCollection'"
            )
        raise RepositoryError(f"{purpose}: {type(error).__name__}: {first}", remedy=remedy) from error


@contextmanager
def _without_eups() -> Iterator[None]:
    """Leave out that there is no EUPS.

    Whatever makes a quantum graph object writes the versions of all packages into it, also where it only reads one
    (`lsst.utils.packages`), and warns where they cannot be had from EUPS: on every machine without `lsst_distrib`.
    Nobody can do anything about it, and no version that we record comes from there.
    """
    logger = logging.getLogger("lsst.utils.packages")

    def is_wanted(record: logging.LogRecord) -> bool:
        return "eups" not in record.getMessage()

    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)


@contextmanager
def open_butler(repository: str, purpose: str, *, writeable: bool = False) -> Iterator[Any]:
    """Open a repository for as long as the block lasts.

    Parameters
    ----------
    repository
        Its URI, path or alias.
    purpose
        What cannot be done if it fails, as for `butler_errors`.
    writeable
        Whether it may be changed.

    Returns
    -------
    butler
        As a context: an `lsst.daf.butler.Butler`; within `reuse_butlers` one that may have been open already.

    Raises
    ------
    RepositoryError
        If it cannot be opened, or anything inside the block fails.
    """
    with butler_errors(purpose), ExitStack() as mine:
        kept = None if writeable else _kept.get()
        stack, butlers = (mine, {}) if kept is None else kept
        if repository not in butlers:
            butlers[repository] = stack.enter_context(_open(repository, purpose, writeable=writeable))
        yield butlers[repository]


@contextmanager
def reuse_butlers() -> Iterator[None]:
    """Open each repository once for all that only reads it as long as the block lasts; also a decorator.

    What reads the results of a campaign asks its repository a dozen times, and opening that takes longer than most
    of the questions.
    """
    if _kept.get() is not None:
        yield
        return
    with ExitStack() as stack:
        token = _kept.set((stack, {}))
        try:
            yield
        finally:
            _kept.reset(token)


def _open(repository: str, purpose: str, *, writeable: bool) -> Any:
    from lsst.daf.butler import Butler

    try:
        config = _read_config(repository, purpose)
        _refuse_locked(config, purpose, writeable=writeable)
        return Butler.from_config(config, writeable=writeable)
    except FileNotFoundError as error:
        raise RepositoryError(
            f"{purpose}: there is no Butler repository {repository}", remedy="correct its path or alias"
        ) from error


def query_visits(butler: Any, element: str, instrument: str, visits: Collection[int]) -> Iterator[Any]:
    """Query the records of visits, however many.

    Parameters
    ----------
    butler
        The repository.
    element
        Of which dimension: ``visit``, ``visit_detector_region``.
    instrument, visits
        The visits.
    """
    for numbers in batched(sorted(visits), _VISITS):
        # As a bound value: a list that is written out may be too large for SQLite.
        yield from butler.query_dimension_records(
            element,
            where="visit IN (:visits)",
            bind={"visits": list(numbers)},
            instrument=instrument,
            limit=None,
            explain=False,
        )


def query_run(butler: Any, run: str, endings: tuple[str, ...] = ("",)) -> Iterator[tuple[str, list[Any]]]:
    """Query what a RUN collection holds, one dataset type after another.

    Butler is asked only for the types that the collection has, and looks up the collection once.

    Parameters
    ----------
    butler
        The repository.
    run
        The RUN collection.
    endings
        What the names of dataset types end with that are asked for.

    Yields
    ------
    name, refs
        A dataset type, and the references of its datasets.

    Raises
    ------
    lsst.daf.butler.MissingCollectionError
        If there is no such collection.
    """
    info = butler.collections.get_info(run, include_summary=True)
    with butler.registry.caching_context():
        for name in sorted(name for name in info.dataset_types or () if name.endswith(endings)):
            yield name, butler.query_datasets(name, run, find_first=False, limit=None, explain=False)


def _read_config(repository: str, purpose: str) -> Any:
    """Read the configuration of a repository, of which foreign code says little if it is damaged."""
    from lsst.daf.butler import ButlerConfig

    try:
        return ButlerConfig(repository)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise RepositoryError(
            f"{purpose}: the configuration of {repository} is damaged ({type(error).__name__}: {first})",
            remedy="correct its butler.yaml, or restore it from a backup",
        ) from error


def refresh_statistics(repository: str) -> None:
    """Let an SQLite registry find out anew how many rows its tables have; others keep count by themselves.

    SQLite plans its queries by numbers that nobody updates: where they are missing it compares all images of a
    campaign with all of a part, which takes three times as long as the rest of the graph. Looking at a thousand
    rows of each table is enough and takes milliseconds. Where it cannot be done, queries only take longer.

    Parameters
    ----------
    repository
        Its URI, path or alias.
    """
    from lsst.daf.butler import ButlerConfig

    try:
        file = _find_sqlite_file(ButlerConfig(repository))
        if file is None or not os.access(file, os.W_OK):
            return
        with contextlib.closing(_connect(file, 1)) as connection:
            connection.execute("PRAGMA analysis_limit=1000")
            connection.execute("ANALYZE")
    except (OSError, RuntimeError, sqlite3.Error) as error:
        _log.debug("the statistics of %s could not be refreshed: %s", repository, error)


def _find_sqlite_file(config: Any) -> Path | None:
    """Find the file of the registry of a repository; `None` if it is in another database."""
    url = str(config.get(("registry", "db"), ""))
    kind, _, place = url.partition(":///")
    if not kind.startswith("sqlite"):
        return None
    root = config.get("root", config.configDir)
    return Path(place.replace("<butlerRoot>", getattr(root, "ospath", str(root))))


def _connect(file: Path, seconds: float) -> sqlite3.Connection:
    """Open a file that is there, and wait so long for others that write to it."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=seconds)


def _refuse_locked(config: Any, purpose: str, *, writeable: bool) -> None:
    """Tell that the file of an SQLite registry is locked, for which Butler would wait for five minutes."""
    file = _find_sqlite_file(config)
    if file is None or not file.is_file():
        return  # Butler says so
    try:
        with contextlib.closing(_connect(file, _PATIENCE)) as connection:
            connection.execute("BEGIN IMMEDIATE" if writeable else "SELECT count(*) FROM sqlite_master")
            connection.rollback()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise RepositoryError(
                f"{purpose}: its registry {file} has been locked by another process for {_PATIENCE:.0f} s",
                remedy=f"see with `fuser {file}` who writes to it, and try again",
            ) from error
