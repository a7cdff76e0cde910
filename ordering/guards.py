"""Guards of a prepared diffim run: it associates no image twice and none out of time order, or is refused."""

__all__ = ["refuse_already_associated", "refuse_out_of_order"]

from collections.abc import Mapping, Sized

from ..apdb import read_stored
from ..common.errors import PreconditionError, UnsupportedApdbError
from ..common.text import count
from ..ledger import RunRecord
from .associations import VisitDetector, read_planned

_MOST_IMAGES, _MOST_PAIRS = 10, 5


def refuse_already_associated(record: RunRecord) -> None:
    """Refuse a prepared diffim run that would associate images which are in its APDB already.

    An APDB that cannot be inspected is not asked.

    Raises
    ------
    PreconditionError
        If it would; the message lists them.
    RepositoryError
        If the run's graph cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    if record.apdb_config is None:
        return
    try:
        stored = read_stored(record.apdb_config)
    except UnsupportedApdbError:
        return
    if stored and (twice := sorted(stored & read_planned(record.graph))):
        shown = ", ".join(f"visit {visit} detector {detector}" for visit, detector in twice[:_MOST_IMAGES])
        raise PreconditionError(
            f"{count(len(twice), 'image')} of this run {_are(twice)} already in the APDB {record.apdb_config}, "
            f"from other runs: {shown}{_more(len(twice), _MOST_IMAGES)}",
            remedy="exclude them with 'where' in the campaign file, or roll them back with `apcampaign apdb "
            "rollback`",
        )


def refuse_out_of_order(late: Mapping[VisitDetector, VisitDetector], apdb_config: str) -> None:
    """Refuse to associate what is earlier than what the APDB holds of the same sky.

    Parameters
    ----------
    late
        The (visit, detector)s that a run would associate too late, each with the latest overlapping one in the
        APDB.
    apdb_config
        The APDB, for the message.

    Raises
    ------
    PreconditionError
        If there is one.
    """
    if not late:
        return
    shown = ", ".join(
        f"visit {visit} detector {detector} (after visit {later} detector {other})"
        for (visit, detector), (later, other) in list(late.items())[:_MOST_PAIRS]
    )
    raise PreconditionError(
        f"{count(len(late), '(visit, detector)')} {_are(late)} out of time order: the APDB {apdb_config} already "
        f"holds later overlapping visits: {shown}{_more(len(late), _MOST_PAIRS)}",
        remedy="use an empty APDB, roll back the later visits (`apcampaign apdb rollback`), or, if these have "
        "failed before, defer them with `apcampaign resume --skip-failed`",
    )


def _are(things: Sized) -> str:
    return "is" if len(things) == 1 else "are"


def _more(found: int, shown: int) -> str:
    return f" and {found - shown} more" if found > shown else ""
