"""``apcampaign init``: write a campaign file to start from."""

__all__ = ["command"]

import sys
from pathlib import Path

import click

from ...common.errors import PreconditionError
from ...common.progress import show_progress
from ..options.campaign import SiteType, echo_json, json_option, say

#: What is asked on a terminal if it is not given, and what is offered.
_QUESTIONS = (
    ("instrument", "Instrument", "LSSTCam-imSim"),
    ("butler", "Butler repository (path, URI or alias)", None),
    ("tracts", "Tracts, such as 3828..3830 (empty: all)", ""),
    ("nights", "Observing nights, such as 20260905 (empty: all)", ""),
    ("site", "Where jobs run (a site that `apcampaign sites` lists, or a site file)", "local"),
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="campaign.yaml")
@click.option("--instrument", metavar="NAME", help="The camera, such as LSSTCam; LSSTCam-imSim by default.")
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
    from ...bps import CampaignStart, load_campaign, write_start

    there = PreconditionError(f"{file} is there already", remedy="name another file, or remove it")
    if file.exists():
        raise there
    if sys.stdin.isatty() and not as_json:
        for key, question, offered in _QUESTIONS:
            if given[key] is None:
                given[key] = click.prompt(question, default=offered, show_default=bool(offered))
    if not given["butler"]:
        raise click.UsageError("--butler is needed: the Butler repository")
    text = write_start(CampaignStart(**{key: value for key, value in given.items() if value}))
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise there from None
    try:
        campaign = load_campaign(file, environment={})
        if check:
            from ...submit.preflight import find_unregistered

            with show_progress(f"asking {campaign.butler}"):
                missing = find_unregistered(campaign)
            if missing:
                said = "\n".join(f"  {sentence}" for sentence in missing)
                raise PreconditionError(
                    f"{campaign.butler} does not have what is named:\n{said}\n",
                    remedy="name what is there, or write the file nevertheless with --no-check",
                )
    except BaseException:
        file.unlink()  # what is wrong is not kept
        raise
    say(f"wrote {file}: campaign {campaign.name}; next: `apcampaign check`")
    if as_json:
        echo_json({"written": str(file), "name": campaign.name})
