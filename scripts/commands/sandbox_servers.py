"""``apcampaign sandbox start|stop|status``: the servers of a sandbox's folder."""

__all__ = ["start", "status", "stop"]

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...common.own_servers import SANDBOX
from ..options.campaign import echo_json, json_option, say
from ..options.values import COUNT

if TYPE_CHECKING:
    from ...sandbox.folder import SandboxFolder, ServerStatus

_folder = click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), envvar=SANDBOX, default="."
)


@click.command()
@_folder
@click.option(
    "--cpus", type=click.IntRange(1, COUNT.max), help="Slots of the HTCondor pool; as before, or 2."
)
@click.option(
    "--time-to-live",
    type=click.IntRange(1, COUNT.max),
    metavar="MINUTES",
    help="Let the servers stop by themselves after that; by default they run until they are stopped.",
)
@json_option
def start(folder: Path, cpus: int | None, time_to_live: int | None, as_json: bool) -> None:
    """Start the servers of a sandbox, as they were left.

    That is PostgreSQL, and a private HTCondor pool if the campaign's jobs run with HTCondor and this machine has
    none. FOLDER is what the demo or `sandbox create` has made; by default the one whose env.sh this shell has
    read, or this folder.
    """
    from ...sandbox.folder import SandboxFolder

    place = SandboxFolder.open(folder)
    server = place.database(time_to_live=time_to_live)
    server.start()
    server.create_database("apdb")
    if _needs_pool(place):
        _start_pool(place, cpus, time_to_live)
    place.write_environment()
    _show(place, as_json=as_json)


@click.command()
@_folder
@json_option
def stop(folder: Path, as_json: bool) -> None:
    """Stop the servers of a sandbox, and the jobs that run; databases and HTCondor's queue are kept."""
    from ...sandbox.folder import SandboxFolder

    place = SandboxFolder.open(folder)
    stopped = [server.name for server in place.status() if server.pid is not None]
    place.stop()
    say(f"stopped {' and '.join(stopped)}" if stopped else f"no server of {place.folder} was running")
    if as_json:
        echo_json({"folder": str(place.folder), "stopped": stopped})


@click.command()
@_folder
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Show which servers of a sandbox run, and how to use them; exit 1 if one does not run, or none ever has."""
    from ...common.errors import PreconditionError, SandboxError
    from ...sandbox.folder import SandboxFolder

    try:
        place = SandboxFolder.open(folder)
    except SandboxError as error:  # whether one is there was asked
        raise PreconditionError(error.what, expected=error.expected, remedy=error.remedy) from error
    servers = _show(place, as_json=as_json)
    sys.exit(0 if servers and all(server.pid is not None for server in servers) else 1)


def _needs_pool(place: "SandboxFolder") -> bool:
    """Tell whether the campaign needs an HTCondor of its own."""
    from ...campaign import Campaign
    from ...sandbox.servers import system_condor_works

    if place.has_pool:
        return True
    uses_condor = Campaign.open(place.campaign, environment={}).workspace.site.wms == "htcondor"
    return uses_condor and not system_condor_works()


def _start_pool(place: "SandboxFolder", cpus: int | None, time_to_live: int | None) -> None:
    """Start the pool; without it the APDB can be looked at all the same, and Parsl runs jobs."""
    from ...common.errors import SandboxError

    pool = place.pool(cpus=cpus, time_to_live=time_to_live)
    try:
        pool.start()
    except SandboxError as error:
        say(f"HTCondor: none; jobs can run with Parsl instead, --site parsl-local ({error})")


def _show(place: "SandboxFolder", *, as_json: bool) -> "tuple[ServerStatus, ...]":
    servers = place.status()
    if as_json:
        content = {"folder": str(place.folder), "servers": [server.as_dict() for server in servers]}
        echo_json({**content, "environment": str(place.environment_file)})
        return servers
    say(f"sandbox: {place.folder}, {place.sandbox.size.instrument}")
    for server in servers:
        say(_describe(server))
    if not servers:
        say("servers: none yet")
    # Also where the shell has read it before there was a pool.
    knows = all(os.environ.get(name) == value for name, value in place.environment().items())
    if place.environment_file.exists() and not knows:
        say(f"to use it in this shell: . {shlex.quote(str(place.environment_file))}")
    command = "start" if any(server.pid is None for server in servers) or not servers else "stop"
    say(f"to {command} its servers: apcampaign sandbox {command} {shlex.quote(str(place.folder))}")
    return servers


def _describe(server: "ServerStatus") -> str:
    """Say in a line how a server stands."""
    from ..display.console import format_time

    if server.pid is None:
        return f"{server.name}: not running; {server.place}"
    ends = "" if server.ends is None else f", stops by itself at {format_time(server.ends)}"
    return f"{server.name}: running as process {server.pid}{ends}; {server.place}"
