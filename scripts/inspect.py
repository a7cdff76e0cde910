"""``apcampaign inspect``: what is in the repository for a campaign."""

__all__ = ["command"]

from typing import TYPE_CHECKING

import click

from .options import CampaignContext, campaign_options, echo_json

if TYPE_CHECKING:
    from rich.tree import Tree

    from ..submit.preflight import Inspection
    from ..submit.preflight.inspection import CollectionNode


@click.command()
@campaign_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(context: CampaignContext, as_json: bool) -> None:
    """Say what is in the repository for a campaign: collections, visits, bands, tracts, coverage of patches."""
    from ..submit.preflight import inspect_repository

    inspection = inspect_repository(context.campaign)
    echo_json(inspection.as_dict()) if as_json else show(inspection)


def show(inspection: "Inspection") -> None:
    """Print an inspection for a person."""
    from rich.console import Console
    from rich.table import Table
    from rich.tree import Tree

    console = Console(highlight=False, soft_wrap=True)
    tree = Tree(inspection.butler)
    for node in inspection.collections:
        _add(tree, node)
    console.print(tree)
    title = f"{inspection.instrument} on the skymap {inspection.skymap}"
    numbers = ("visits", "raws", "patches", "visits on a patch", "templates", "difference images")
    table = Table("tract", "band", *numbers, title=title, title_justify="left")
    for row in inspection.coverage:
        least, middle, most = row.depth
        depth = f"{least} to {most}, median {middle}"
        values = (row.visits, row.raws, row.patches, depth, row.templates, row.differences)
        table.add_row(str(row.tract), row.band, *map(str, values))
    console.print(table)
    console.print(
        f"registered: instruments {', '.join(inspection.instruments) or 'none'}; "
        f"skymaps {', '.join(inspection.skymaps) or 'none'}"
    )


def _add(tree: "Tree", node: "CollectionNode") -> None:
    held = f": {', '.join(node.dataset_types)}" if node.dataset_types else ""
    branch = tree.add(f"{node.name} ({node.kind}){held}")
    for child in node.children:
        _add(branch, child)
