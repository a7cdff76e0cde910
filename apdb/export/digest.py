"""A digest of the rows of a table: equal for equal rows in equal order, whatever database holds them."""

__all__ = ["ContentDigest"]

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class ContentDigest:
    """Digests a table as its rows pass by.

    It depends on names and types of columns, on values, and on which of them are NULL, but not on the order of
    columns or on how the rows come in batches. All NaN are one value, and so are the two zeros, since SQLite knows
    one only.

    Parameters
    ----------
    schema
        Of the batches.
    """

    def __init__(self, schema: pa.Schema):
        self._columns = {field.name: _ColumnDigest(field.type) for field in schema}
        #: How many rows have passed by.
        self.rows = 0
        #: How many NaN were in each column that has any.
        self.nan: dict[str, int] = {}

    def update(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self.rows += batch.num_rows
        for field, values in zip(batch.schema, batch.columns, strict=True):
            nan = self._columns[field.name].update(values)
            if nan:
                self.nan[field.name] = self.nan.get(field.name, 0) + nan

    def columns(self) -> dict[str, str]:
        """Return the digest of each column, as hexadecimal digits."""
        return {name: digest.hexdigest() for name, digest in sorted(self._columns.items())}

    def hexdigest(self) -> str:
        """Return the digest of the table."""
        lines = [f"{name} {digest}\n" for name, digest in self.columns().items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class _ColumnDigest:
    """Digests a column: apart which values are known, how long they are, and the values."""

    def __init__(self, kind: pa.DataType):
        self._kind = kind
        self._known, self._lengths, self._values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def update(self, values: pa.Array) -> int:
        """Add values, and return how many of them are NaN."""
        self._known.update(_bytes(pc.is_valid(values).cast(pa.uint8())))
        if pa.types.is_floating(self._kind):
            return self._update_floats(values)
        if pa.types.is_string(self._kind) or pa.types.is_binary(self._kind):
            filled = values.fill_null("" if pa.types.is_string(self._kind) else b"").cast(pa.binary())
            self._lengths.update(_bytes(pc.binary_length(filled)))
            self._values.update(b"".join(filled.to_pylist()))
        elif pa.types.is_boolean(self._kind):
            self._values.update(_bytes(values.fill_null(False).cast(pa.uint8())))
        else:
            integers = values.cast(pa.int64()) if pa.types.is_timestamp(self._kind) else values
            self._values.update(_bytes(integers.fill_null(0)))
        return 0

    def _update_floats(self, values: pa.Array) -> int:
        # Adding 0 makes -0 a 0.
        floats: np.ndarray[Any, Any] = values.fill_null(0.0).to_numpy() + self._kind.to_pandas_dtype()(0)
        nan = np.isnan(floats)
        floats[nan] = np.nan
        self._values.update(np.ascontiguousarray(floats).tobytes())
        return int(nan.sum())

    def hexdigest(self) -> str:
        """Return the digest."""
        parts = [str(self._kind), *(part.hexdigest() for part in (self._known, self._lengths, self._values))]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _bytes(values: pa.Array) -> bytes:
    written: bytes = values.to_numpy().tobytes()
    return written
