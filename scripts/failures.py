"""``apcampaign failures``: what went wrong, and what to do next."""

__all__ = ["command"]

import sys

import click

from .options import CampaignContext, campaign_options, echo_json


@click.command()
@campaign_options
@click.option(
    "--quanta",
    is_flag=True,
    help="Look at the quanta too, which finds those that failed or made nothing in jobs that ended well.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(context: CampaignContext, quanta: bool, as_json: bool) -> None:
    """Group failed and held jobs by label and root cause, and say what to do next.

    Works while the campaign runs and after. Exits 1 if anything failed or is held; what passed at a later
    attempt is counted apart.
    """
    from ..submit.monitor import CampaignReader, find_failures

    reader = CampaignReader(context.paths)
    failures = find_failures(
        reader.read_jobs(), chain=reader.read_chain(), quanta_of=reader.read_records() if quanta else None
    )
    if as_json:
        echo_json(failures.as_dict())
    else:
        from .failures_screen import show_failures

        show_failures(failures)
    sys.exit(0 if failures.good else 1)
