"""Rows of a Parquet file into a table of an APDB, inside a transaction of the caller."""

__all__ = ["load_batches"]

import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.csv
from sqlalchemy.engine import Connection

from .layout import TableLayout


def load_batches(connection: Connection, layout: TableLayout, batches: Iterable[pa.RecordBatch]) -> None:
    """Insert rows.

    Parameters
    ----------
    connection
        To the APDB, in a transaction.
    layout
        The table.
    batches
        The rows, of the types that the database is to hold.
    """
    load = _insert if connection.dialect.name == "sqlite" else _copy
    load(connection, layout, batches)


def _names(connection: Connection, layout: TableLayout, batch: pa.RecordBatch) -> tuple[str, list[str]]:
    quote = connection.dialect.identifier_preparer
    return quote.format_table(layout.table), [quote.quote(name) for name in batch.schema.names]


def _insert(connection: Connection, layout: TableLayout, batches: Iterable[pa.RecordBatch]) -> None:
    for batch in batches:
        table, columns = _names(connection, layout, batch)
        places = ", ".join("?" * len(columns))
        values = [
            _bind(connection, layout, name, column.to_pylist())
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
            list(zip(*values, strict=True)),
        )


def _bind(connection: Connection, layout: TableLayout, name: str, values: list[Any]) -> list[Any]:
    """Convert values as SQLAlchemy would: times are text in SQLite."""
    kind = layout.table.c[name].type.dialect_impl(connection.dialect)
    process = kind.bind_processor(connection.dialect)
    return values if process is None else [process(value) for value in values]


def _copy(connection: Connection, layout: TableLayout, batches: Iterable[pa.RecordBatch]) -> None:
    cursor = connection.connection.cursor()
    options = pyarrow.csv.WriteOptions(include_header=False)
    for batch in batches:
        table, columns = _names(connection, layout, batch)
        text = io.BytesIO()
        pyarrow.csv.write_csv(_with_hexadecimal_bytes(batch), text, options)
        text.seek(0)
        # What is empty and not quoted is NULL; texts are quoted.
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv)", text)


def _with_hexadecimal_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        pa.array([None if each is None else f"\\x{each.hex()}" for each in column.to_pylist()], pa.string())
        if pa.types.is_binary(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
