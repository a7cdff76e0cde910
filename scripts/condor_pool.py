"""A private HTCondor pool on this machine, for those who have none: install, start, use, stop."""

__all__ = ["command"]

import os
import shlex
from pathlib import Path
from typing import Any

import click
from apcampaign.common.errors import ApcampaignError
from apcampaign.sandbox.servers.condor import CondorPool
from apcampaign.sandbox.servers.condor_software import CondorSoftware


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Say what the user can mend in a sentence."""
        try:
            return super().invoke(ctx)
        except ApcampaignError as error:
            raise click.ClickException(str(error)) from error


def _default_state() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(home) / "apcampaign" / "condor-pool"


@click.group(cls=_Group)
@click.option(
    "--state", type=click.Path(path_type=Path), default=_default_state, help="Queue, logs, settings."
)
@click.option(
    "--prefix", type=click.Path(path_type=Path), help="The software [default: in the user's cache]."
)
@click.option("--cpus", type=click.IntRange(1), default=16, show_default=True, help="Cores to advertise.")
@click.option("--memory", type=click.IntRange(1), default=65536, show_default=True, help="MiB to advertise.")
@click.option("--default-settings", is_flag=True, help="HTCondor's own intervals, not a fast turnaround.")
@click.option("--time-to-live", type=click.IntRange(1), metavar="MINUTES", help="Stop by itself after that.")
@click.pass_context
def command(
    ctx: click.Context,
    state: Path,
    prefix: Path | None,
    cpus: int,
    memory: int,
    default_settings: bool,
    time_to_live: int | None,
) -> None:
    """Run a private HTCondor pool on this machine."""
    ctx.obj = CondorPool(
        state,
        prefix=prefix,
        cpus=cpus,
        memory=memory,
        tuned=not default_settings,
        time_to_live=time_to_live,
    )


@command.command()
@click.pass_context
def install(ctx: click.Context) -> None:
    """Fetch and unpack HTCondor, if it is not there."""
    parent = ctx.parent
    software = CondorSoftware.install(parent.params["prefix"] if parent else None)
    click.echo(f"HTCondor {software.version} in {software.prefix}")


@command.command()
@click.pass_obj
def start(pool: CondorPool) -> None:
    """Start the pool, if it does not run, and wait until it takes jobs."""
    pool.start()
    click.echo(f'HTCondor is up; in this shell: eval "$(condor-pool --state {pool.state} env)"')


@command.command()
@click.pass_obj
def stop(pool: CondorPool) -> None:
    """Stop the pool and its running jobs; the queue is kept."""
    pool.stop()


@command.command()
@click.pass_obj
def status(pool: CondorPool) -> None:
    """Show daemons, slots and queue; exit 1 if the pool does not run."""
    click.echo(pool.status())


@command.command()
@click.pass_obj
def env(pool: CondorPool) -> None:
    """Print the lines that let a shell use the pool."""
    for name, value in pool.environ().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(pool: CondorPool, words: tuple[str, ...]) -> None:
    """Run a program that uses the pool, such as condor_q."""
    environ = {**os.environ, **pool.environ()}
    line = pool.command(words)
    try:
        os.execvpe(line[0], line, environ)  # noqa: S606
    except OSError as error:
        raise click.ClickException(f"{line[0]} cannot be run: {error.strerror}") from error


@command.command()
@click.pass_obj
def clean(pool: CondorPool) -> None:
    """Stop the pool and remove its folder, with queue and logs."""
    pool.clean()


if __name__ == "__main__":
    command(prog_name="condor-pool")
