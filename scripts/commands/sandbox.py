"""``apcampaign sandbox``: make a miniature of a camera's data, and score what a campaign found in it."""

__all__ = ["command"]

import shlex
from pathlib import Path
from typing import Any

import click

from ..help import Group
from ..options.campaign import echo_json, json_option
from ..options.values import read_values
from .sandbox_condor import condor
from .sandbox_score import score
from .sandbox_servers import start, status, stop


def _split(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Any, ...]:
    """Split a list as the campaign file has it: of bands, else of numbers; the default may be empty."""
    if value == param.get_default(ctx) == "":
        return ()
    return read_values("bands" if param.name == "bands" else "tracts", value)


@click.group(cls=Group)
def command() -> None:
    """Make a miniature DC2, for machines without the Rubin stack; run its servers, score what was found in it."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--instrument",
    type=click.Choice(["LSSTCam-imSim", "LSSTCam", "DECam"]),
    default="LSSTCam-imSim",
    show_default=True,
    help="The camera: that of DC2, or another.",
)
@click.option(
    "--tracts", callback=_split, default="3828", show_default=True, help="Tracts of the camera's skymap."
)
@click.option("--visits", type=int, default=12, show_default=True, help="Visits for each tract.")
@click.option(
    "--detectors", callback=_split, default="", help="Detectors; two in the middle of the camera by default."
)
@click.option(
    "--bands", callback=_split, default="g,r", show_default=True, help="Some of the camera's bands."
)
@click.option("--pixels", type=int, default=200, show_default=True, help="Pixels along a detector.")
@click.option(
    "--template-visits",
    type=int,
    default=6,
    show_default=True,
    help="Number of initial visits used only for templates (0: use every visit for both steps).",
)
@click.option(
    "--unkind",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="RATE",
    help="Make what goes wrong on the real sky: fraction of the (visit, detector)s that have each flaw.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@json_option
def create(folder: Path, as_json: bool, **options: Any) -> None:
    """Make a miniature DC2 in FOLDER, or that of another camera.

    FOLDER then holds the Butler repository `repo`, a `campaign.yaml`, and `env.sh`, which a shell reads to use
    them. What is there already with the same options is left as it is.
    """
    from ...bps import modeline
    from ...sandbox.cameras import CAMERAS
    from ...sandbox.create import create_sandbox
    from ...sandbox.folder import SandboxFolder
    from ...sandbox.survey import SandboxSize, SizeError

    options["detectors"] = options["detectors"] or CAMERAS[options["instrument"]].middle
    try:
        size = SandboxSize(**options)
    except SizeError as error:
        option = f"--{error.name.replace('_', '-')}"
        raise click.BadParameter(f"{error.what}; expected {error.expected}", param_hint=option) from error
    sandbox = create_sandbox(folder, size, head=modeline())
    file = SandboxFolder(sandbox.folder, sandbox).write_environment()
    if as_json:
        content = {"butler": str(sandbox.butler), "campaign": str(sandbox.folder / "campaign.yaml")}
        echo_json({**content, "environment": dict(sandbox.environment), "environment_file": str(file)})
        return
    click.echo(f"Butler repository: {sandbox.butler}")
    click.echo(f"campaign: {sandbox.folder / 'campaign.yaml'}")
    click.echo(f"to use it in a shell: . {shlex.quote(str(file))}")
    click.echo(
        f"a database and an HTCondor for it: apcampaign sandbox start {shlex.quote(str(sandbox.folder))}"
    )


for _command in (start, stop, status, score, condor):
    command.add_command(_command)
