"""Content of a repository for a campaign, as a tree and a table."""

__all__ = ["draw_inspection", "show_inspection"]

from typing import TYPE_CHECKING

from .console import make_console

if TYPE_CHECKING:
    from rich.console import Group
    from rich.tree import Tree

    from ...submit.preflight import CollectionNode, Inspection


def show_inspection(inspection: "Inspection") -> None:
    """Print a human-readable inspection."""
    make_console().print(draw_inspection(inspection))


def draw_inspection(inspection: "Inspection") -> "Group":
    """Draw the collections as a tree, and visits and products by tract and band as a table."""
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    from .table import Table

    tree = Tree(Text(inspection.butler))
    for node in inspection.collections:
        _add(tree, node)
    title = f"{inspection.instrument} on the skymap {inspection.skymap}"
    numbers = ("visits", "raws", "patches", "visits per patch", "templates", "difference images")
    table = Table("tract", "band", *numbers, title=title, title_justify="left")
    for row in inspection.coverage:
        depth = row.describe_depth()
        values = (row.visits, row.raws, row.patches, depth, row.templates, row.differences)
        table.add_row(str(row.tract), row.band, *map(str, values))
    registered = Text(
        f"registered: instruments {', '.join(inspection.instruments) or 'none'}; "
        f"skymaps {', '.join(inspection.skymaps) or 'none'}"
    )
    return Group(tree, table, registered)


def _add(tree: "Tree", node: "CollectionNode") -> None:
    from rich.text import Text

    held = f": {', '.join(node.dataset_types)}" if node.dataset_types else ""
    branch = tree.add(Text(f"{node.name} ({node.kind}){held}"))
    for child in node.children:
        _add(branch, child)
