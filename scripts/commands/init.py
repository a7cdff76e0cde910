"""``apcampaign init``: write a campaign file to start from."""

__all__ = ["command", "is_asked"]

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ...common.errors import FileError, PreconditionError
from ...common.progress import show_progress
from ..options.campaign import echo_json, json_option, say
from ..options.values import SiteType

if TYPE_CHECKING:
    from ...bps import CampaignConfig

#: What is asked on a terminal if it is not given, and what is offered.
_QUESTIONS = (
    ("instrument", "Instrument", "LSSTCam-imSim"),
    ("butler", "Butler repository (path, URI or alias)", None),
    ("tracts", "Tracts, such as 3828..3830 (empty: all)", ""),
    ("nights", "Observing nights, such as 20260905 (empty: all)", ""),
    ("site", "Where jobs run (a site that `apcampaign sites` lists, or a site file)", "local"),
)
_OPTIONS = {"nights": "--day-obs", "collections": "--in-collection", "database": "--db"}
_DEFAULT = "campaign.yaml"


def _complete_cameras(_context: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from ...bps import CAMERAS

    return [CompletionItem(name) for name in CAMERAS if name.startswith(begun)]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=_DEFAULT)
@click.option(
    "--instrument",
    metavar="NAME",
    shell_complete=_complete_cameras,
    help="The camera, such as LSSTCam; LSSTCam-imSim by default.",
)
@click.option("--butler", help="The Butler repository: a path, a URI or an alias.")
@click.option("--tracts", help="Tracts, such as 3828..3830; all by default.")
@click.option("--day-obs", "nights", metavar="YYYYMMDD", help="Observing nights; all by default.")
@click.option("--bands", help="Bands, such as gri; all by default.")
@click.option(
    "--in-collection", "collections", help="Input collections; those usual for the camera by default."
)
@click.option("--skymap", help="The skymap; the usual one for the camera by default.")
@click.option("--site", type=SiteType(), help="Where jobs run; local by default.")
@click.option("--db", "database", help="The database of the APDB: postgresql://user@host/database.")
@click.option("--name", help="The campaign's name; made from instrument and tracts by default.")
@click.option("--check/--no-check", default=True, help="Whether to ask the repository for what is named.")
@json_option
def command(file: Path, check: bool, as_json: bool, **given: str | None) -> None:
    """Write a campaign file to start from, with a comment on every key.

    On a terminal what is not given is asked. The repository must know instrument, skymap, tracts and collections.
    A file that is there is never overwritten.
    """
    from ...bps import CampaignStart, load_campaign, load_site, write_start

    there = PreconditionError(f"{file} is there already", remedy="name another file, or remove it")
    if file.exists():
        raise there
    if not file.parent.is_dir():
        raise FileError(f"there is no folder {file.parent}", remedy="create it, or name another file")
    answers = {key: value for key, value in given.items() if value}
    if wrong := _find_wrong(answers):
        said = "; ".join(f"{_OPTIONS.get(key, f'--{key}')}: {what}" for key, what in wrong.items())
        raise click.UsageError(said)
    if is_asked() and not as_json:
        for key, question, offered in _QUESTIONS:
            if given[key] is None and (answer := _ask(key, question, offered)):
                answers[key] = answer
    if "butler" not in answers:
        raise click.UsageError("--butler is needed: the Butler repository")
    text = write_start(CampaignStart(**answers))
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise there from None
    try:
        campaign = load_campaign(file, environment={})
        load_site(campaign.site)
        if check:
            _ask_repository(campaign)
    except BaseException:
        file.unlink()  # what is wrong is not kept
        raise
    named = "" if file == Path(_DEFAULT) else f" --campaign {shlex.quote(str(file))}"
    database = "" if campaign.apdb.url else " --db postgresql://user@host/database"
    say(
        f"wrote {file}: campaign {campaign.name}; next: `apcampaign apdb init{database}{named}`, then "
        f"`apcampaign check{named}`"
    )
    if as_json:
        echo_json({"written": str(file), "name": campaign.name})


def is_asked() -> bool:
    """Tell whether somebody is there to answer."""
    return bool(sys.stdin) and sys.stdin.isatty()


def _find_wrong(answers: Mapping[str, str]) -> dict[str, str]:
    from ...bps import CampaignStart, find_wrong_answers

    wrong = find_wrong_answers(CampaignStart(**{"butler": "/", **answers}))
    if "name" in wrong and "name" not in answers:
        del wrong["name"]  # it is made from what is wrong
    return wrong


def _ask(key: str, question: str, offered: str | None) -> str:
    """Ask for one value, until it is one that the file can say."""

    def read(answer: str) -> str:
        if answer and (wrong := _find_wrong({key: answer}).get(key)):
            raise click.UsageError(wrong)
        return answer

    answer: str = click.prompt(question, default=offered, show_default=bool(offered), value_proc=read)
    return answer


def _ask_repository(campaign: "CampaignConfig") -> None:
    from ...submit.preflight import find_unregistered

    with show_progress(f"asking {campaign.butler}"):
        missing = find_unregistered(campaign)
    if missing:
        said = "\n".join(f"  {sentence}" for sentence in missing)
        raise PreconditionError(
            f"{campaign.butler} does not have what is named:\n{said}\n",
            remedy="name what is there, or write the file nevertheless with --no-check",
        )
