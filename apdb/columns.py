"""Descriptions, units and UCDs of columns, from the schema of an APDB (``sdm_schemas``)."""

__all__ = ["ColumnFacts", "describe_columns", "describe_table"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsst.dax.apdb import ApdbSql


@dataclass(frozen=True)
class ColumnFacts:
    """What the schema says of a column; empty where it says nothing.

    Parameters
    ----------
    description
        What it holds.
    unit
        As FITS writes units.
    ucd
        Its Unified Content Descriptor.
    """

    description: str = ""
    unit: str = ""
    ucd: str = ""


def describe_columns(apdb: "ApdbSql", table: str) -> dict[str, ColumnFacts]:
    """Describe the columns of a table, by name; nothing is known of those that are not in the schema."""
    for name, model in apdb.schema.tableSchemas.items():
        if name.value == table:
            return {column.name: _describe(column) for column in model.columns}
    return {}


def describe_table(apdb: "ApdbSql", table: str) -> str:
    """Describe a table; nothing is known of one that is not in the schema."""
    models = apdb.schema.tableSchemas.items()
    return next((_text(model.description) for name, model in models if name.value == table), "")


def _describe(column: Any) -> ColumnFacts:
    said = column.annotations
    return ColumnFacts(
        _text(column.description),
        _text(said.get("fits_tunit") or said.get("ivoa_unit")),
        _text(said.get("ivoa_ucd")),
    )


def _text(value: Any) -> str:
    return " ".join(str(value or "").split())
