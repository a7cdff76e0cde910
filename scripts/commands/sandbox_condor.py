"""``apcampaign sandbox condor``: install, start, use and stop a private HTCondor pool on this machine."""

__all__ = ["condor"]

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..help import Group
from ..options.values import COUNT

if TYPE_CHECKING:
    from ...sandbox.servers import CondorPool


def _default_state() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(home) / "apcampaign" / "condor-pool"


@click.group(cls=Group)
@click.option(
    "--state", type=click.Path(path_type=Path), default=_default_state, help="Queue, logs, settings."
)
@click.option(
    "--prefix", type=click.Path(path_type=Path), help="The software [default: in the user's cache]."
)
@click.option(
    "--cpus", type=click.IntRange(1, COUNT.max), default=16, show_default=True, help="Cores to advertise."
)
@click.option(
    "--memory", type=click.IntRange(1, COUNT.max), default=65536, show_default=True, help="MiB to advertise."
)
@click.option("--default-settings", is_flag=True, help="HTCondor's own intervals, not a fast turnaround.")
@click.option(
    "--time-to-live", type=click.IntRange(1, COUNT.max), metavar="MINUTES", help="Stop by itself after that."
)
@click.pass_context
def condor(
    ctx: click.Context,
    state: Path,
    prefix: Path | None,
    cpus: int,
    memory: int,
    default_settings: bool,
    time_to_live: int | None,
) -> None:
    """Run a private HTCondor pool on this machine, for those who have no HTCondor."""
    from ...sandbox.servers import CondorPool

    ctx.obj = CondorPool(
        state,
        prefix=prefix,
        cpus=cpus,
        memory=memory,
        tuned=not default_settings,
        time_to_live=time_to_live,
    )


@condor.command()
@click.pass_context
def install(ctx: click.Context) -> None:
    """Fetch and unpack HTCondor, if it is not there."""
    from ...sandbox.servers import CondorSoftware

    parent = ctx.parent
    software = CondorSoftware.install(parent.params["prefix"] if parent else None)
    click.echo(f"HTCondor {software.version} in {software.prefix}")


@condor.command()
@click.pass_obj
def start(pool: "CondorPool") -> None:
    """Start the pool, if it does not run, and wait until it takes jobs."""
    pool.start()
    click.echo(f'HTCondor is up; in this shell: eval "$(apcampaign sandbox condor --state {pool.state} env)"')


@condor.command()
@click.pass_obj
def stop(pool: "CondorPool") -> None:
    """Stop the pool and its running jobs; the queue is kept."""
    pool.stop()


@condor.command()
@click.pass_obj
def status(pool: "CondorPool") -> None:
    """Show daemons, slots and queue; exit 1 if the pool does not run."""
    from ...common.errors import PreconditionError, SandboxError

    try:
        click.echo(pool.status())
    except SandboxError as error:  # whether it runs is what was asked
        raise PreconditionError(error.what, remedy=error.remedy) from error


@condor.command()
@click.pass_obj
def env(pool: "CondorPool") -> None:
    """Print the lines that let a shell use the pool."""
    for name, value in pool.environ().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@condor.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(pool: "CondorPool", arguments: tuple[str, ...]) -> None:
    """Run a program that uses the pool, such as condor_q."""
    environ = {**os.environ, **pool.environ()}
    line = pool.command(arguments)
    try:
        os.execvpe(line[0], line, environ)  # noqa: S606
    except OSError as error:
        raise click.ClickException(f"{line[0]} cannot be run: {error.strerror}") from error


@condor.command()
@click.pass_obj
def clean(pool: "CondorPool") -> None:
    """Stop the pool and remove its folder, with queue and logs."""
    pool.clean()
