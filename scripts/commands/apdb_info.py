"""``apcampaign apdb info``: describe an APDB."""

__all__ = ["command"]

from pathlib import Path

import click

from ..options.apdb import find_apdb_reference, place_options
from ..options.campaign import echo_json


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    reference: str | None, campaign_file: Path | None, runs: Path, namespace: str | None, as_json: bool
) -> None:
    """Describe an APDB: its location, content, versions and grants.

    APDB is the path or URI of its configuration, label:NAME, or a database URL (with --namespace); the
    campaign's by default.
    """
    from ...apdb import describe_apdb

    info = describe_apdb(*find_apdb_reference(reference, campaign_file, runs, namespace))
    if as_json:
        echo_json(info.as_dict())
    else:
        from ..display.apdb import show_info

        show_info(info)
