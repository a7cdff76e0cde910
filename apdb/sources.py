"""The DiaSources of an APDB as a table."""

__all__ = ["read_dia_sources"]

from typing import TYPE_CHECKING, Any

from .connection import reporting_errors
from .opening import Reference, find_apdb

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "diaSourceId",
    "diaObjectId",
    "visit",
    "detector",
    "band",
    "midpointMjdTai",
    "x",
    "y",
    "ra",
    "dec",
    "snr",
    "psfFlux",
    "psfFluxErr",
    "templateFlux",
    "reliability",
)


def read_dia_sources(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read all DiaSources, in the order of their numbers; parameters and errors as `find_apdb`."""
    import pandas as pd
    import sqlalchemy

    place = find_apdb(reference, namespace)
    columns: list[sqlalchemy.ColumnClause[Any]] = [sqlalchemy.column(name) for name in _COLUMNS]
    table = sqlalchemy.table(f"{place.config.prefix}DiaSource", *columns, schema=place.target.namespace)
    query = sqlalchemy.select(*columns).select_from(table).order_by(table.c.diaSourceId)
    with reporting_errors(place.target), place.engine().connect() as connection:
        return pd.read_sql_query(query, connection)
