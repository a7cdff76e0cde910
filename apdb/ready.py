"""Whether an APDB can take a run: there, of a version this code knows, empty, and of the right instrument."""

__all__ = ["check_ready"]

from apcampaign.apdb.opening import count_rows, open_apdb
from apcampaign.common.errors import ApdbError


def check_ready(reference: str, *, instrument: str) -> None:
    """Refuse an APDB that a new run must not write to.

    Parameters
    ----------
    reference
        The APDB's configuration: a URI, or ``label:NAME``.
    instrument
        Whose sources the run will write.

    Raises
    ------
    ApdbError
        If it cannot be opened, holds rows already, or was made for another instrument.
    """
    found = open_apdb(reference).metadata.get("instrument")
    if found != instrument:
        raise ApdbError(
            f"the APDB {reference} is of instrument {found or 'unknown'}, the campaign of {instrument}; "
            "make one for the campaign with `apcampaign apdb init`"
        )
    filled = {table: rows for table, rows in count_rows(reference).items() if rows and table != "metadata"}
    if filled:
        rows = ", ".join(f"{count} rows in {table}" for table, count in filled.items())
        raise ApdbError(
            f"the APDB {reference} is not empty: {rows}; every run needs an empty one, since what is there "
            "would be associated again: make one in another namespace, or empty it with "
            "`apcampaign apdb init --reset`"
        )
