"""``apcampaign compare``: compare two campaigns, or two submissions of one."""

__all__ = ["command"]

import sys
from pathlib import Path

import click

from ...common.progress import show_progress
from ..exits import ExitCode
from ..options.campaign import RUNS_OPTION, RunType, echo_json, say

_DIFFER = {True: ExitCode.YES, False: ExitCode.NO, None: ExitCode.UNKNOWN}


@click.command()
@click.argument(
    "files", nargs=-1, metavar="CAMPAIGN [OTHER]", type=click.Path(path_type=Path, dir_okay=False)
)
@RUNS_OPTION
@click.option(
    "--other-runs",
    type=click.Path(path_type=Path),
    help="The folder for the runs of the other campaign; by default that of the first one.",
)
@click.option(
    "--run",
    "chosen",
    multiple=True,
    metavar="NAME",
    type=RunType(),
    help="Compare one run only, such as diffim/20260905T031200Z, or all of one time; twice: for each side.",
)
@click.option(
    "--radius",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="The largest separation of what is matched, arcseconds.",
)
@click.option(
    "--output", "page", type=click.Path(path_type=Path, dir_okay=False), help="Also write it as an HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    files: tuple[Path, ...],
    runs: Path,
    other_runs: Path | None,
    chosen: tuple[str, ...],
    radius: float,
    page: Path | None,
    as_json: bool,
) -> None:
    """Compare two campaigns, by their files, or two submissions of CAMPAIGN, by --run.

    Compares settings, software, resolved configurations, inputs, quanta, time and memory, templates, and the
    DiaSources and DiaObjects on the sky. The files are read without what the environment overrides. Exits 0 if
    they are the same, 1 if they differ, 3 if that is not known.
    """
    if not 1 <= len(files) <= 2 or len(chosen) not in (0, 2) or (len(files) == 1 and not chosen):
        raise click.UsageError("name two campaign files, or one and two of its runs (--run NAME --run NAME)")
    from ...campaign import Campaign
    from ...report.comparison import Tolerances, write_comparison
    from ..display.comparison import show_comparison
    from ..display.score_figure import score_numbers

    with show_progress(click.get_current_context().command_path):
        sides = [
            Campaign.open(file, runs=folder, environment={})
            for file, folder in zip((files[0], files[-1]), (runs, other_runs or runs), strict=True)
        ]
        result = sides[0].compare(
            sides[1],
            run=chosen[0] if chosen else None,
            other_run=chosen[1] if chosen else None,
            tolerances=Tolerances(radius=radius),
            scorer=score_numbers,
        )
        if page:
            write_comparison(result, page)
    if as_json:
        echo_json({**result.as_dict(), "page": str(page) if page else None})
    else:
        show_comparison(result)
        if page:
            say(str(page))
    sys.exit(_DIFFER[result.same])
