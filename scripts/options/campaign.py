"""Options of the commands that act on a campaign: its file, and what overrides it."""

__all__ = [
    "RUNS_OPTION",
    "RunType",
    "campaign_options",
    "confirm",
    "dry_run_option",
    "echo_json",
    "end_dry_run",
    "json_option",
    "record_options",
    "run_option",
    "say",
]

import functools
import json
import sys
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import Any, NoReturn, Protocol

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from ...common.progress import show_progress
from ...common.text import printable
from ..exits import ExitCode
from ..make_targets import name_make_targets
from .values import SiteType, ValueType

RUNS_OPTION = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default="runs",
    envvar="APCAMPAIGN_RUNS",
    show_default=True,
    help="The folder for the runs of all campaigns.",
)
"""Where the records of runs are, also for commands that need no campaign file."""


class RunType(StringParamType):
    """A run, by its name: a shell completes it, the newest first."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Name the runs of the campaign; none where it cannot be read."""
        from ...campaign import Campaign
        from ...common.errors import ApcampaignError

        file, runs = (ctx.params.get(name) or default for name, default in _DEFAULTS.items())
        file = next(
            iter(ctx.params.get("files") or ()), file
        )  # of a command that is given campaigns by their files
        try:
            found = Campaign.open(file, runs=runs).ledger().runs
        except (ApcampaignError, OSError):
            return []
        names = (f"{run.step}/{run.folder}" for run in reversed(found))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_DEFAULTS = {"campaign_file": "campaign.yaml", "runs": "runs"}
#: Which campaign, and what its name may be made of.
_WHICH = (
    click.option(
        "--campaign",
        "campaign_file",
        type=click.Path(path_type=Path),
        default="campaign.yaml",
        envvar="APCAMPAIGN_CAMPAIGN",
        show_default=True,
        help="The campaign file.",
    ),
    RUNS_OPTION,
    click.option(
        "--butler", help="The Butler repository, where the campaign file names none, or another one."
    ),
    click.option(
        "--day-obs",
        type=ValueType("dayObs"),
        metavar="YYYYMMDD",
        help="The observing night, or nights such as 20260905..20260907.",
    ),
)
#: What it processes, and where.
_WHAT = (
    click.option("--namespace", help="The APDB's namespace (PostgreSQL schema)."),
    click.option("--tracts", type=ValueType("tracts"), help='Tracts, such as "3828 3829" or 3828..3830.'),
    click.option("--bands", type=ValueType("bands"), help="Bands, such as gri."),
    click.option(
        "--site",
        type=SiteType(),
        help="Where jobs run: a site (see `apcampaign sites`) or the path of a site file.",
    ),
    click.option(
        "--allow-missing-templates",
        type=click.FloatRange(0, 100),
        metavar="PERCENT",
        help="How many percent of the needed (patch, band) may lack a template.",
    ),
)


def campaign_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a campaign and change it; its first argument is a `Campaign`."""
    return _take(function, (*_WHICH, *_WHAT))


def record_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a campaign, of which all else is as it was submitted."""
    return _take(function, _WHICH)


def _take(function: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(
        campaign_file: Path,
        runs: Path,
        day_obs: str | None,
        butler: str | None = None,
        namespace: str | None = None,
        tracts: str | None = None,
        bands: str | None = None,
        site: str | None = None,
        allow_missing_templates: float | None = None,
        **rest: Any,
    ) -> Any:
        from ...campaign import Campaign

        campaign = Campaign.open(
            campaign_file,
            runs=runs,
            butler=butler,
            tracts=tracts,
            bands=bands,
            day_obs=day_obs,
            site=site,
            namespace=namespace,
            allow_missing_templates=allow_missing_templates,
        )
        if rest.get("watch"):  # draws by itself
            return function(campaign, **rest)
        with show_progress(click.get_current_context().command_path):
            return function(campaign, **rest)

    for option in reversed(options):
        wrapper = option(wrapper)
    return wrapper


#: For commands that show runs.
run_option = click.option(
    "--run",
    metavar="NAME",
    type=RunType(),
    help="Show this run, though newer ones may have replaced it: diffim/TIME, or its output collection.",
)

#: For commands that do something: their result as JSON.
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON; messages go to standard error."
)

#: For commands that change something.
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def say(text: str) -> None:
    """Tell the user something; on standard error if the command prints JSON."""
    context = click.get_current_context(silent=True)
    shown = name_make_targets(printable(text))
    click.echo(shown, err=bool(context and context.params.get("as_json")))


def confirm(question: str) -> None:
    """Ask whether to do something that takes --yes otherwise.

    Raises
    ------
    click.Abort
        If not, or if nobody can answer.
    """
    if not sys.stdin:  # a shell has closed it
        click.echo(
            f"{question} Nobody can answer: standard input is closed; --yes does it without asking", err=True
        )
        raise click.Abort
    click.confirm(question, abort=True, err=True)


def echo_json(content: Any) -> None:
    """Print plain values for a machine."""
    click.echo(json.dumps(content, indent=2))


class _Plan(Protocol):
    @property
    def obstacles(self) -> Sized: ...

    def describe(self) -> Iterable[str]: ...

    def as_dict(self) -> dict[str, Any]: ...


def end_dry_run(plan: _Plan, *, as_json: bool) -> NoReturn:
    """Show a plan instead of executing it, and exit with whether it could be executed."""
    echo_json(plan.as_dict()) if as_json else say("\n".join(plan.describe()))
    sys.exit(ExitCode.NO if len(plan.obstacles) else ExitCode.YES)
