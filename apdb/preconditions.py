"""Preconditions of a run that fills an APDB: it exists, fits this software, is empty, has the instrument."""

__all__ = ["Unchecked", "check_ready"]

from dataclasses import dataclass

from ..common.errors import ApdbError, UnsupportedApdbError
from .locate import count_rows, open_apdb


@dataclass(frozen=True)
class Unchecked:
    """What could not be checked of an APDB.

    Parameters
    ----------
    what
        What was not checked, as the words that follow «it was not checked».
    why
        Why not, as a sentence.
    """

    what: str
    why: str

    def __str__(self) -> str:
        """Join both into one sentence."""
        return f"it was not checked {self.what}: {self.why}"


def check_ready(reference: str, *, instrument: str | None, filled: bool = False) -> Unchecked | None:
    """Refuse an APDB that a new run must not write to.

    Parameters
    ----------
    reference
        The APDB's configuration: a URI, or ``label:NAME``.
    instrument
        The instrument of the run's visits, if it is known.
    filled
        Whether it may hold rows already.

    Returns
    -------
    unchecked
        What could not be checked: an APDB that is not in an SQL database is taken as ready.

    Raises
    ------
    ApdbError
        If it cannot be opened, holds rows already, or was created for another instrument.
    """
    try:
        found = open_apdb(reference).metadata.get("instrument")
    except UnsupportedApdbError as reason:
        return Unchecked(
            f"that the APDB {reference} exists, is empty, has a compatible version and is for "
            f"{instrument or 'the instrument of the run'}",
            reason.what,
        )
    if instrument is not None and found != instrument:
        raise ApdbError(
            f"the APDB {reference} is for instrument {found or 'unknown'}, the campaign for {instrument}",
            remedy="create one for the campaign with `apcampaign apdb init`",
        )
    rows_of = count_rows(reference)
    present = {table: rows for table, rows in rows_of.items() if rows and table != "metadata"}
    if present and not filled:
        rows = ", ".join(f"{count} rows in {table}" for table, count in present.items())
        raise ApdbError(
            f"the APDB {reference} is not empty: {rows}",
            expected="an empty one, since a new run would associate the same visits again",
            remedy="create one in another namespace, empty it with `apcampaign apdb init --reset`, or continue "
            "filling it with `apcampaign submit diffim --continue`; if other campaigns fill it too, write "
            "filled: true below apdb in the campaign file",
        )
    return None
