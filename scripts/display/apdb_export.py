"""Human-readable result of an export or import of an APDB."""

__all__ = ["show_export", "show_import"]

from typing import TYPE_CHECKING

from ...common.text import format_size
from .console import make_console
from .table import Table

if TYPE_CHECKING:
    from ...apdb.export import ApdbExported, ApdbImported


def show_export(exported: "ApdbExported") -> None:
    """Print what was written."""
    console = make_console()
    table = Table("file", "rows", "size")
    for name, file in exported.manifest.files.items():
        table.add_row(name, f"{file.row_count:,}", format_size(file.size_bytes))
    console.print(table)
    part = " (a part of it)" if exported.manifest.selection else ""
    console.print(f"exported the APDB in {exported.manifest.source}{part} to {exported.folder}")


def show_import(imported: "ApdbImported") -> None:
    """Print what was loaded."""
    console = make_console()
    table = Table("table", "rows")
    for name, rows in imported.rows.items():
        table.add_row(name, f"{rows:,}")
    console.print(table)
    console.print(
        f"imported into {imported.place.target.place}, and verified: all rows were read again, and their numbers "
        "and content digests are those of the export"
    )
