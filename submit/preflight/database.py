"""The APDB: there, empty, of the right instrument, and reachable by the driver that is installed."""

__all__ = ["check_database"]

from collections.abc import Iterator

from ...apdb import check_ready
from ...bps import Campaign
from ...bps.lint import Finding, Severity
from ...common.errors import ApdbError
from ...common.secrets import redact
from ..paths import CampaignPaths
from ..steps import apdb_config_of
from .subject import problem


def check_database(campaign: Campaign, paths: CampaignPaths) -> Iterator[Finding]:
    """Report an APDB that the campaign cannot fill."""
    try:
        unchecked = check_ready(apdb_config_of(campaign, paths), instrument=campaign.instrument)
    except ApdbError as error:
        what, _, mend = redact(str(error)).partition("; ")
        yield problem(
            Severity.ERROR,
            "apdb",
            what,
            "the difference imaging run would fail in its last tasks, or write where it must not",
            mend or "correct 'apdb' in the campaign file",
            key="apdb",
        )
        return
    if unchecked:
        what, _, rest = unchecked.partition(": ")
        yield problem(
            Severity.INFO,
            "apdb-unchecked",
            what,
            rest,
            "see to it that it is ready",
            key="apdb",
        )
