"""Table of ``apcampaign sites``."""

__all__ = ["show_sites"]

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...bps import Site


def show_sites(sites: "Sequence[Site]") -> None:
    """Show a line for each site."""
    from .console import make_console
    from .table import Table

    table = Table("site", "WMS", "what it is", "tried")
    for site in sites:
        table.add_row(site.name, str(site.wms), site.notes.title, site.notes.tried)
    make_console().print(table)
