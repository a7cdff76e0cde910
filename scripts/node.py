"""``apcampaign node``: the nodes of a chain, called by HTCondor with the chain's folder."""

__all__ = ["command"]

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import say

if TYPE_CHECKING:
    from ..bps import Campaign
    from ..submit.paths import CampaignPaths, ChainPaths
    from ..submit.summary import Summary

_chain = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
_runs = click.option("--runs", type=click.Path(path_type=Path), required=True)


def _load(folder: Path, runs: Path) -> tuple["Campaign", "CampaignPaths", "ChainPaths"]:
    from ..bps import load_campaign
    from ..submit.paths import CampaignPaths, ChainPaths

    chain = ChainPaths(folder)
    # Everything that overrode the campaign's file is in the chain's copy of it.
    campaign = load_campaign(chain.campaign, environment={})
    return campaign, CampaignPaths(runs, campaign.name), chain


@click.group()
def command() -> None:
    """Run one node of a chain (called by HTCondor)."""


@command.command()
@_chain
@_runs
def gate(folder: Path, runs: Path) -> None:
    """Check that the templates are there."""
    from ..submit.steps import pass_gate, plan_diffim

    campaign, _, _ = _load(folder, runs)
    pass_gate(campaign, plan_diffim(campaign, folder.name), say)


@command.command()
@_chain
@_runs
@click.argument("code", type=int)
def accept_templates(folder: Path, runs: Path, code: int) -> None:
    """Let failed templates pass if the gate allows what they lack; CODE is what their DAG ended with."""
    from ..submit.steps import pass_gate, plan_diffim

    if code:
        campaign, _, _ = _load(folder, runs)
        pass_gate(campaign, plan_diffim(campaign, folder.name), say)


@command.command()
@_chain
@_runs
@click.option("--again", is_flag=True, help="Leave out what earlier runs have done.")
@click.option("--past-failures", is_flag=True, help="Let failed associations not hold up later ones.")
def prepare_diffim(folder: Path, runs: Path, again: bool, past_failures: bool) -> None:
    """Build the graph of the diffim step against the new templates."""
    from ..bps import load_site
    from ..submit.overtaken import pass_failures
    from ..submit.stages import prepare_again
    from ..submit.steps import apdb_config_of, plan_diffim, tell_jobs

    campaign, paths, _ = _load(folder, runs)
    run = plan_diffim(campaign, folder.name, again=again)
    apdb_config = apdb_config_of(campaign, paths)
    site = load_site(campaign.site)
    late = pass_failures(campaign, paths, say) if past_failures else None
    record = prepare_again(campaign, run, site, paths.run(run), apdb_config=apdb_config, late=late)
    tell_jobs(record.jobs, record.quanta, say)


@command.command()
@_chain
@_runs
def summary(folder: Path, runs: Path) -> None:
    """Verify the APDB, say what came of it, write the report, and tell those who want to know."""
    from ..common.files import write_atomically
    from ..submit.closing import close_campaign
    from ..submit.summary import summarise
    from .summary import show

    campaign, paths, chain = _load(folder, runs)

    def summarise_and_show() -> "Summary":
        result = summarise(campaign, paths)
        write_atomically(chain.summary, json.dumps(result.as_dict(), indent=2))
        show(result)
        return result

    result = close_campaign(campaign, paths, summarise_and_show, say)
    sys.exit(0 if result.good else 1)
