"""``apcampaign demo``: run a small campaign on this machine, with real BPS, HTCondor and PostgreSQL."""

__all__ = ["command"]

import os
import shlex
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.campaign import say
from ..options.values import COUNT

if TYPE_CHECKING:
    from ...campaign import Campaign
    from ...sandbox.folder import SandboxFolder
    from ...sandbox.servers import CondorPool, PostgresServer

SITES = ("local", "parsl-local")
# Minutes after which the servers end by themselves, should the demo be killed.
_SAFETY_NET = 120
# The tasks take less time here than a job's start: the usual jobs, but each of a whole visit, or of all patches.
_CLUSTERS = {
    "templates": {
        "singleFrame": {"dimensions": "visit"},
        "makeWarp": {"dimensions": "visit"},
        "selectAndAssemble": {"dimensions": "band"},
    },
    "diffim": {
        "singleFrame": {"dimensions": "visit"},
        "diffim": {"dimensions": "visit"},
        "preload": {"dimensions": "visit"},
        "singleFrameMeasurement": {"dimensions": "visit"},
        "associationMetrics": {"dimensions": "visit"},
    },
}


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo",
    show_default=True,
    help="Where everything goes; a second demo there uses the same sky.",
)
@click.option(
    "--site", type=click.Choice(SITES), help="Where jobs run; HTCondor if it can be had by default."
)
@click.option(
    "--cpus",
    type=click.IntRange(1, COUNT.max),
    default=2,
    show_default=True,
    help="Slots of the private HTCondor pool.",
)
@click.option(
    "--default-settings", is_flag=True, help="Run the private pool with HTCondor's own slow intervals."
)
def command(folder: Path, site: str | None, cpus: int, default_settings: bool) -> None:
    """Run a whole small campaign on this machine.

    Makes a miniature DC2, starts a private HTCondor pool (unless one runs jobs here already) and a private
    PostgreSQL server, creates an APDB, runs both steps, and summarises the results.
    """
    from ...common.progress import show_progress
    from ...sandbox.create import create_sandbox
    from ...sandbox.folder import DEMO_SANDBOX, SandboxFolder

    begin = time.monotonic()
    folder = folder.resolve()
    sandbox = create_sandbox(folder / DEMO_SANDBOX)
    os.environ.update(sandbox.environment)
    say(f"miniature DC2: {sandbox.butler}")
    place = SandboxFolder(folder, sandbox)
    with show_progress("apcampaign demo"), ExitStack() as servers:
        site = site or _start_htcondor(servers, place, cpus, default_settings)
        good = _run_campaign(servers, place, site)
    say(f"the demo took {time.monotonic() - begin:.0f} s; everything is in {folder}")
    _show_next(place)
    sys.exit(0 if good else 1)


def _start_htcondor(servers: ExitStack, place: "SandboxFolder", cpus: int, default_settings: bool) -> str:
    """Find or start HTCondor, and name the site that uses what there is."""
    from ...common.errors import SandboxError
    from ...sandbox.servers import system_condor_works

    if not place.has_pool and system_condor_works():
        say("HTCondor: the one of this machine")
        return "local"
    pool = place.pool(cpus=cpus, tuned=not default_settings, time_to_live=_SAFETY_NET)
    try:
        _use(servers, pool)
    except SandboxError as error:
        say(f"HTCondor: none; the jobs will run with Parsl instead ({error})")
        return "parsl-local"
    os.environ.update(pool.environ())
    say(f"HTCondor: a private pool with {pool.settings.cpus} slots in {pool.state}")
    return "local"


def _run_campaign(servers: ExitStack, place: "SandboxFolder", site: str) -> bool:
    """Run both steps and summarise the results."""
    server = place.database(time_to_live=_SAFETY_NET)
    _use(servers, server)
    server.create_database("apdb")
    say(f"PostgreSQL: {server.url('apdb')}")
    campaign = _write_campaign(place, site, server.url("apdb"))
    place.write_environment()
    created = campaign.create_apdb()
    say(f"APDB: {created.target.place}, configuration {created.config}")
    submission = campaign.submit(foreground=site == "parsl-local")
    say("\n".join(submission.describe()))
    campaign.wait_until_ended()
    return _show_results(campaign, place.sandbox.folder)


def _use(servers: ExitStack, server: "CondorPool | PostgresServer") -> None:
    """Start a server, and stop it at the end, unless somebody else has started it."""
    if not server.is_running():
        servers.enter_context(server)


def _write_campaign(place: "SandboxFolder", site: str, url: str) -> "Campaign":
    """Write the campaign file, with a name for each demo: its own collections, and its own namespace."""
    from ...bps import make_timestamp, modeline
    from ...campaign import Campaign

    name = f"demo-{make_timestamp().lower()}"
    content = {**place.sandbox.campaign(), "name": name, "apdb": {"url": url}, "site": site}
    for step, clusters in _CLUSTERS.items():
        content[step] = {**content[step], "bps": {**content[step].get("bps", {}), "cluster": clusters}}
    place.sandbox.write_campaigns(place.campaign.parent, content, modeline())
    return Campaign.open(place.campaign, runs=place.runs, environment={})


def _show_results(campaign: "Campaign", folder: Path) -> bool:
    """Show what there is in the repository and the APDB, and how well that is what the sky is like."""
    from ...report import ReportReader, write_report
    from ..display.score import show_score
    from ..display.score_figure import score_figures, true_light_curves
    from ..display.summary import show_summary
    from .sandbox_score import score_apdb

    summary = campaign.summary()
    show_summary(summary)
    show_score(score_apdb(folder, campaign.apdb.config))
    reader = ReportReader(campaign.workspace, score_figures, true_light_curves)
    report, _ = write_report(campaign.workspace, reader=reader, summary=summary)
    say(f"report: {report}")
    return summary.good


def _show_next(place: "SandboxFolder") -> None:
    """Show what to type next, as it works in any shell; without comments, which zsh would take for words."""
    say("now try, in this shell or another:")
    say(f"  . {shlex.quote(str(place.environment_file))} && apcampaign sandbox start")
    say("  apcampaign apdb info")
    say("  apcampaign sandbox score")
