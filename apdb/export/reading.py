"""Rows of an APDB's table as a stream of Arrow batches, exactly as the database holds them."""

__all__ = ["BATCH_ROWS", "RowCounter", "counting_rows", "find_wide_columns", "read_batches"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import ColumnElement, func, select, types
from sqlalchemy.engine import Connection

from ...common.errors import ApdbError
from ...common.progress import show_progress
from .layout import TableLayout

#: Rows that are in memory as Python objects at a time.
BATCH_ROWS = 5000

#: Takes notice of rows of a table that are done.
type RowCounter = Callable[[str, int], None]


@contextmanager
def counting_rows(doing: str, rows: Mapping[str, int]) -> Iterator[RowCounter]:
    """Show how many rows are done, of all tables together.

    Parameters
    ----------
    doing
        What is done with them.
    rows
        How many there are of each table.
    """
    done, total = 0, sum(rows.values())

    def count(table: str, more: int) -> None:
        nonlocal done
        done += more
        tell(f"{doing} {table}", done, total, 0)

    with show_progress(doing, unit="rows") as tell:
        yield count


def read_batches(
    connection: Connection,
    layout: TableLayout,
    schema: pa.Schema,
    condition: ColumnElement[bool] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read a table through a cursor of the server, in the order of its primary key.

    Parameters
    ----------
    connection
        To the APDB.
    layout
        The table.
    schema
        What the columns become: the layout's types, or wider ones.
    condition
        Which rows; all by default.

    Raises
    ------
    ApdbError
        If a value is not of its column's type, which SQLite allows.
    """
    yield from _read(connection, layout, schema, condition)


def find_wide_columns(
    connection: Connection, layout: TableLayout, condition: ColumnElement[bool] | None = None
) -> frozenset[str]:
    """Find the columns of single-precision numbers of which some need double precision.

    SQLite keeps all digits of what is written into it, whatever the type of the column; PostgreSQL does not.
    """
    if connection.dialect.name != "sqlite":
        return frozenset()
    names = [column.name for column in layout.columns if column.type == pa.float32()]
    wide = pa.schema([pa.field(name, pa.float64()) for name in names])
    found: set[str] = set()
    for batch in _read(connection, layout, wide, condition) if names else ():
        for name, values in zip(names, batch.columns, strict=True):
            if name not in found and not values.cast(pa.float32()).cast(pa.float64()).equals(values):
                found.add(name)
    return frozenset(found)


def _read(
    connection: Connection,
    layout: TableLayout,
    schema: pa.Schema,
    condition: ColumnElement[bool] | None,
) -> Iterator[pa.RecordBatch]:
    query = select(*(_written(layout.table.c[name], connection.dialect.name) for name in schema.names))
    if condition is not None:
        query = query.where(condition)
    result = connection.execute(
        query.order_by(*layout.order), execution_options={"stream_results": True, "yield_per": BATCH_ROWS}
    )
    for rows in result.partitions(BATCH_ROWS):
        arrays = [
            _array(layout, field, values)
            for field, values in zip(schema, zip(*rows, strict=True), strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _written(column: "sqlalchemy.Column[Any]", dialect: str) -> ColumnElement[Any]:
    """Select a column so that its values come exactly, and alike from both databases."""
    if dialect == "sqlite":
        return column
    if isinstance(column.type, types.REAL):
        # The shortest text of such a number may be nearer to another one when it is read with double precision.
        return sqlalchemy.cast(column, types.Double)
    if isinstance(column.type, types.Uuid):
        return func.replace(sqlalchemy.cast(column, types.Text), "-", "")
    if isinstance(column.type, types.CHAR):
        # Without the blanks that fill it up.
        return sqlalchemy.cast(column, types.Text)
    return column


def _array(layout: TableLayout, field: pa.Field, values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as exc:
        raise ApdbError(
            f"column {field.name} of table {layout.name} holds what is no {field.type}: {exc}",
            remedy="correct the rows, or drop and create the APDB again with `apcampaign apdb init --reset`",
        ) from exc
