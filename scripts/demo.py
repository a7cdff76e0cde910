"""``apcampaign demo``: a whole small campaign on this machine, through real BPS, HTCondor and PostgreSQL."""

__all__ = ["command"]

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import say

if TYPE_CHECKING:
    from ..bps import Campaign
    from ..submit import CampaignPaths

SITES = ("local", "parsl-local")


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
@click.option("--cpus", default=2, show_default=True, help="Slots of the private HTCondor pool.")
@click.option(
    "--default-settings", is_flag=True, help="Run the private pool with HTCondor's own slow intervals."
)
def command(folder: Path, site: str | None, cpus: int, default_settings: bool) -> None:
    """Run a whole small campaign on this machine.

    Makes a miniature DC2, starts a private HTCondor pool (unless HTCondor is here already) and a private
    PostgreSQL server, creates an APDB, runs both steps chained, and says what came of it.
    """
    begin = time.monotonic()
    folder = folder.resolve()
    # Asked to end, it leaves the block below, and so takes its servers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as servers:
        site = site or _start_htcondor(servers, folder, cpus, default_settings)
        good = _run_campaign(servers, folder, site)
    say(f"the demo took {time.monotonic() - begin:.0f} s; everything is in {folder}")
    sys.exit(0 if good else 1)


def _start_htcondor(servers: ExitStack, folder: Path, cpus: int, default_settings: bool) -> str:
    """Find or start HTCondor, and name the site that uses what there is."""
    from ..common.errors import SandboxError
    from ..sandbox.servers import CondorPool, system_condor_works

    if system_condor_works():
        say("HTCondor: the one of this machine")
        return "local"
    pool = CondorPool(folder / "condor", cpus=cpus, tuned=not default_settings, time_to_live=120)
    try:
        servers.enter_context(pool)
    except SandboxError as error:
        say(f"HTCondor: none; the jobs will run with Parsl instead ({error})")
        return "parsl-local"
    os.environ.update(pool.environ())
    say(f"HTCondor: a private pool with {cpus} slots in {folder / 'condor'}")
    return "local"


def _run_campaign(servers: ExitStack, folder: Path, site: str) -> bool:
    """Run both steps and say what came of them."""
    import yaml

    from ..apdb import ApdbTarget, init_apdb, namespace_for, plan_init
    from ..bps import load_campaign, load_site, make_timestamp
    from ..common.files import write_atomically
    from ..sandbox.create import create_sandbox
    from ..sandbox.servers import PostgresServer
    from ..submit import CampaignPaths
    from ..submit.both import run_in_foreground, submit_both
    from ..submit.watch import follow_chain

    timestamp = make_timestamp()
    sandbox = create_sandbox(folder / "dc2")
    os.environ.update(sandbox.environment)
    say(f"miniature DC2: {sandbox.butler}")
    server = servers.enter_context(PostgresServer(folder / "postgres"))
    server.create_database("apdb")
    say(f"PostgreSQL: {server.url('apdb')}")
    # A name of its own for each demo: its own collections, and its own namespace in the database.
    content = {
        **sandbox.campaign(),
        "name": f"demo-{timestamp.lower()}",
        "apdb": {"url": server.url("apdb")},
        "site": site,
    }
    path = folder / "campaign.yaml"
    write_atomically(path, yaml.safe_dump(content, sort_keys=False))
    campaign = load_campaign(path, environment={})
    paths = CampaignPaths(folder / "runs", campaign.name)
    target = ApdbTarget.from_url(server.url("apdb"), namespace_for(campaign.name))
    init_apdb(plan_init(target, config=paths.apdb_config, instrument=campaign.instrument))
    say(f"APDB: {target.place}, configuration {paths.apdb_config}")
    if site == "parsl-local":
        run_in_foreground(campaign, load_site(site), paths, timestamp, say)
    else:
        chain, cluster = submit_both(campaign, load_site(site), paths, timestamp, say)
        say(f"submitted the chain as {cluster}")
        follow_chain(chain, cluster, paths, say)
    return _tell_what_came_of_it(campaign, paths, sandbox.folder)


def _tell_what_came_of_it(campaign: "Campaign", paths: "CampaignPaths", folder: Path) -> bool:
    """Say what there is in the repository and the APDB, and how well that is what the sky is like."""
    from ..submit.report import ReportReader, write_report
    from ..submit.summary import summarise
    from .sandbox_score import score_apdb, show_score
    from .score_figure import score_figures
    from .summary import show

    summary = summarise(campaign, paths)
    show(summary)
    show_score(score_apdb(folder, str(paths.apdb_config)))
    report, _ = write_report(
        campaign, paths, reader=ReportReader(campaign, paths, score_figures), summary=summary
    )
    say(f"report: {report}")
    return summary.good
