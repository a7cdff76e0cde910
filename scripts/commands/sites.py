"""``apcampaign sites``: list and explain the sites where jobs can run."""

__all__ = ["command"]

from typing import TYPE_CHECKING, Any

import click

from ..options.campaign import echo_json, json_option, say
from ..options.values import SiteType

if TYPE_CHECKING:
    from ...bps import Site


@click.command()
@click.argument("name", type=SiteType(), required=False, metavar="[SITE]")
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the sites where jobs can run, or explain one: what it needs, what has run there, its settings.

    SITE is a built-in site, or the path of a site file.
    """
    from ...bps import list_sites, load_site

    if name is None:
        sites = [load_site(each) for each in list_sites()]
        if as_json:
            echo_json({"sites": [_as_dict(site) for site in sites]})
        else:
            from ..display.sites import show_sites

            show_sites(sites)
        return
    site = load_site(name)
    if as_json:
        echo_json(_as_dict(site))
        return
    _explain(site)


def _as_dict(site: "Site") -> dict[str, Any]:
    return {
        "name": site.name,
        "wms": str(site.wms),
        **site.notes.model_dump(mode="json"),
        "file": str(site.file),
        "settings": dict(site.settings),
    }


def _explain(site: "Site") -> None:
    """Print what there is to know of a site, and its settings."""
    import yaml

    notes = site.notes
    say(f"{site.name}: {notes.title or 'not described'} ({site.wms_service})")
    for heading, lines in (("needs", notes.needs), ("tried", [notes.tried]), ("sources", notes.sources)):
        if any(lines):
            say(f"\n{heading}:")
            for line in lines:
                say(f"  - {line}")
    say(f"\nsettings ({site.file}; change them with the campaign's `bps`, or in a copy):")
    text = yaml.safe_dump(dict(site.settings), sort_keys=False, allow_unicode=True)
    say("\n".join(f"  {line}" for line in text.splitlines()))
