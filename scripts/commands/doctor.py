"""``apcampaign doctor``: find what keeps a campaign from going on, and fix it."""

__all__ = ["command"]

import sys
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from ..options.campaign import campaign_options, dry_run_option, echo_json, json_option, say

if TYPE_CHECKING:
    from ...campaign import Campaign

#: A fix may let something else be seen: when jobs are gone, what they have left.
_MOST_ROUNDS = 4


@click.command()
@campaign_options
@click.option("--fix", is_flag=True, help="Fix it, after showing what is done.")
@dry_run_option
@json_option
def command(campaign: "Campaign", fix: bool, dry_run: bool, as_json: bool) -> None:
    """Find the states that a campaign does not get out of by itself, and name the fix of each.

    Looks at its records, its files, the queue, its collections and the APDB, and changes nothing. With --fix,
    what is damaged is made again from what is there, what is lost is rolled back and made again, and the
    campaign goes on as by `apcampaign resume`. A campaign that is active is not wrong. Exits 1 if anything is
    wrong that is left as it is, and 3 if that cannot be known.
    """
    rounds, submission = [], None
    for _ in range(_MOST_ROUNDS):
        plan = campaign.examine()
        rounds.append(plan.as_dict())
        if not as_json:
            say("\n".join(plan.describe()))
        if not fix or dry_run or not plan.acts:
            break
        submission = plan.execute()
        if submission is not None:
            break
    if as_json:
        echo_json({**rounds[-1], "fixed": rounds[:-1], "submission": submission and submission.as_dict()})
    elif submission is not None:
        say("\n".join(submission.describe()))
    good = plan.good or submission is not None
    sys.exit(ExitCode.YES if good else ExitCode.UNKNOWN if plan.good is None else ExitCode.NO)
