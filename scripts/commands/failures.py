"""``apcampaign failures``: show what failed, by root cause, and what to do next."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..options.campaign import echo_json, record_options, run_option

if TYPE_CHECKING:
    from ...campaign import Campaign


@click.command()
@record_options
@run_option
@click.option(
    "--quanta",
    is_flag=True,
    help="Look at the quanta too, which finds those that failed or made nothing in jobs that succeeded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(campaign: "Campaign", run: str | None, quanta: bool, as_json: bool) -> None:
    """Group failed and held jobs by label and root cause, and say what to do next.

    Works while the campaign runs and after. Exits 1 if anything failed or is held, or a run was removed or
    interrupted; what succeeded at a later attempt is counted apart.
    """
    failures = campaign.failures(run, quanta=quanta)
    if as_json:
        echo_json(failures.as_dict())
    else:
        from ..display.failures import show_failures

        show_failures(failures)
    sys.exit(0 if failures.good else 1)
