"""Tables of an APDB as Arrow sees them: columns with their types, and what the APDB's schema says of each."""

__all__ = ["ColumnLayout", "TableLayout", "read_layouts"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import types

from ..columns import ColumnFacts, describe_columns, describe_table
from ..connection import reporting_errors
from ..locate import ApdbPlace

if TYPE_CHECKING:
    from lsst.dax.apdb import ApdbSql

_NOTHING = ColumnFacts()

# The first that fits: BIGINT and SMALLINT are integers too, REAL and DOUBLE are floats.
_ARROW_TYPES: tuple[tuple[type[types.TypeEngine[Any]], pa.DataType], ...] = (
    (types.Boolean, pa.bool_()),
    (types.BigInteger, pa.int64()),
    (types.SmallInteger, pa.int16()),
    (types.Integer, pa.int32()),
    (types.REAL, pa.float32()),
    (types.Float, pa.float64()),
    (types.DateTime, pa.timestamp("us", tz="UTC")),
    (types.LargeBinary, pa.binary()),
    (types.Uuid, pa.string()),
    (types.String, pa.string()),
)


@dataclass(frozen=True)
class ColumnLayout:
    """A column.

    Parameters
    ----------
    name, type, nullable
        Its name, Arrow type, and whether it may hold NULL.
    length
        The largest number of characters, where it is limited.
    facts
        What the APDB's schema says of it.
    """

    name: str
    type: pa.DataType
    nullable: bool
    length: int | None
    facts: ColumnFacts


@dataclass(frozen=True)
class TableLayout:
    """A table.

    Parameters
    ----------
    name
        Its name in the APDB's schema, without a prefix.
    table
        The table in the database.
    columns
        Its columns, in their order there.
    description
        What the APDB's schema says of it.
    """

    name: str
    table: sqlalchemy.Table
    columns: tuple[ColumnLayout, ...]
    description: str = ""

    @property
    def order(self) -> list[sqlalchemy.ColumnElement[Any]]:
        """What puts its rows into one order, the same in every database."""
        key = list(self.table.primary_key.columns)
        return [column.nulls_last() for column in key or self.table.columns]

    def schema(self, types: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
        """Return the Arrow schema, without metadata; ``types`` has other types of columns."""
        types = types or {}
        return pa.schema(
            [pa.field(each.name, types.get(each.name, each.type), each.nullable) for each in self.columns]
        )


def read_layouts(place: ApdbPlace, apdb: "ApdbSql", names: Iterable[str]) -> dict[str, TableLayout]:
    """Read the columns that tables have in the database, and what the APDB's schema says of them.

    Parameters
    ----------
    place, apdb
        Which APDB.
    names
        The tables, without a prefix.

    Raises
    ------
    ApdbError
        If the database does not answer.
    """
    metadata = sqlalchemy.MetaData(schema=place.target.namespace)
    found = {}
    with reporting_errors(place.target), place.engine().connect() as connection:
        for name in names:
            table = sqlalchemy.Table(
                place.config.prefix + name, metadata, autoload_with=connection, resolve_fks=False
            )
            facts = describe_columns(apdb, name)
            columns = tuple(_column(column, facts.get(column.name, _NOTHING)) for column in table.columns)
            found[name] = TableLayout(name, table, columns, describe_table(apdb, name))
    return found


def _column(column: "sqlalchemy.Column[Any]", facts: ColumnFacts) -> ColumnLayout:
    return ColumnLayout(
        column.name,
        next(arrow for kind, arrow in _ARROW_TYPES if isinstance(column.type, kind)),
        bool(column.nullable),
        getattr(column.type, "length", None),
        facts,
    )
