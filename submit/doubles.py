"""No image is associated twice: a run must not hold what its APDB holds already."""

__all__ = ["refuse_doubles"]

from ..apdb import read_stored
from ..common.errors import ForeignApdbError, SubmissionError
from .associated import read_associations
from .ledger import RunRecord


def refuse_doubles(record: RunRecord) -> None:
    """Refuse a prepared diffim run that would associate images which are in its APDB already.

    An APDB that cannot be looked into is not asked.

    Raises
    ------
    SubmissionError
        If it would; it lists them.
    """
    if record.apdb_config is None:
        return
    try:
        stored = read_stored(record.apdb_config)
    except ForeignApdbError:
        return
    if not stored:
        return
    if doubles := sorted(stored & read_associations([record]).begun):
        shown = ", ".join(f"visit {visit} detector {detector}" for visit, detector in doubles[:10])
        more = f" and {len(doubles) - 10} more" if len(doubles) > 10 else ""
        raise SubmissionError(
            f"{len(doubles)} images of this run are in the APDB {record.apdb_config} already, from other runs: "
            f"{shown}{more}; leave them out with 'where' in the campaign file, or take them back with `apcampaign "
            "apdb rollback`"
        )
