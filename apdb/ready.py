"""Whether an APDB can take a run: there, of a version this code knows, empty, and of the right instrument."""

__all__ = ["check_ready"]

from apcampaign.apdb.opening import count_rows, open_apdb
from apcampaign.common.errors import ApdbError, ForeignApdbError


def check_ready(reference: str, *, instrument: str, filled: bool = False) -> str | None:
    """Refuse an APDB that a new run must not write to.

    Parameters
    ----------
    reference
        The APDB's configuration: a URI, or ``label:NAME``.
    instrument
        Whose sources the run will write.
    filled
        Whether it may hold rows already.

    Returns
    -------
    unchecked
        What could not be checked, in a sentence: an APDB that is not in an SQL database is taken as ready.

    Raises
    ------
    ApdbError
        If it cannot be opened, holds rows already, or was made for another instrument.
    """
    try:
        found = open_apdb(reference).metadata.get("instrument")
    except ForeignApdbError as reason:
        return (
            f"{reason}: that it is there, empty, of a version that fits and of instrument {instrument} was not "
            "checked"
        )
    if found != instrument:
        raise ApdbError(
            f"the APDB {reference} is of instrument {found or 'unknown'}, the campaign of {instrument}; "
            "make one for the campaign with `apcampaign apdb init`"
        )
    rows_of = count_rows(reference)
    present = {table: rows for table, rows in rows_of.items() if rows and table != "metadata"}
    if present and not filled:
        rows = ", ".join(f"{count} rows in {table}" for table, count in present.items())
        raise ApdbError(
            f"the APDB {reference} is not empty: {rows}; a run needs an empty one, since what is there would be "
            "associated again: make one in another namespace, empty it with `apcampaign apdb init --reset`, or "
            "go on filling it with `apcampaign submit diffim --continue`"
        )
    return None
