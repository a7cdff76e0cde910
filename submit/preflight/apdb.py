"""APDB checks: it exists, is empty, of the right instrument, and reachable with the installed driver."""

__all__ = ["check_apdb", "check_apdb_config"]

from collections.abc import Iterator

from ...apdb import check_ready
from ...bps.lint import Finding, Severity
from ...common.errors import ApdbError
from ...ledger import Workspace
from .run_spec import finding_from_error, make_finding


def check_apdb(workspace: Workspace) -> Iterator[Finding]:
    """Report an APDB that the campaign cannot fill."""
    campaign = workspace.campaign
    try:
        reference = workspace.find_apdb_config()
    except ApdbError as error:
        yield _cannot_be_filled(error)
        return
    yield from check_apdb_config(reference, instrument=campaign.instrument, filled=campaign.apdb.filled)


def check_apdb_config(reference: str, *, instrument: str | None, filled: bool) -> Iterator[Finding]:
    """Report an APDB, named by its configuration, that a run cannot fill; parameters as `check_ready`."""
    try:
        unchecked = check_ready(reference, instrument=instrument, filled=filled)
    except ApdbError as error:
        yield _cannot_be_filled(error)
        return
    if unchecked:
        yield make_finding(
            Severity.INFO,
            "apdb-unchecked",
            f"it was not checked {unchecked.what}",
            unchecked.why,
            "check yourself that it exists, is empty and has this instrument",
            key="apdb",
        )


def _cannot_be_filled(error: ApdbError) -> Finding:
    return finding_from_error(
        error,
        "apdb",
        "the difference imaging run would fail in its last tasks, or write to the wrong database",
        remedy="correct 'apdb' in the campaign file",
        key="apdb",
    )
