"""Catalogues of an APDB as pandas DataFrames: DiaSources and DiaObjects.

Each has the units and descriptions of its columns, as far as the APDB's schema gives them, in its ``attrs``.
"""

__all__ = [
    "KEPT_COLUMNS",
    "OpenedApdb",
    "compact_sources",
    "find_dia_objects",
    "read_dia_objects",
    "read_dia_sources",
    "read_kept_sources",
]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import sqlalchemy

from .columns import describe_columns
from .locate import ApdbPlace, Reference, find_apdb
from .sky import Circle, separation, within
from .tables import ApdbSqlTables, open_tables, snapshot

if TYPE_CHECKING:
    import pandas as pd
    from lsst.dax.apdb import ApdbSql

_SOURCE_COLUMNS = (
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
_OBJECT_COLUMNS = ("diaObjectId", "ra", "dec", "nDiaSources", "lastDiaSourceMjdTai")

#: What `read_kept_sources` reads, and the smallest types that hold it: those of the APDB schema.
KEPT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "diaSourceId": "int64",
        "diaObjectId": "int64",
        "visit": "int64",
        "detector": "int16",
        "band": "category",
        "midpointMjdTai": "float64",
        "ra": "float64",
        "dec": "float64",
        "snr": "float32",
        "psfFlux": "float32",
        "psfFluxErr": "float32",
        "reliability": "float32",
    }
)
#: So many rows are converted at a time: as Python's objects they take ten times as much memory.
_CHUNK = 50_000


@dataclass(frozen=True)
class OpenedApdb:
    """An APDB that is read several times: to open one takes longer than a small query.

    Parameters
    ----------
    place, apdb, tables
        Where it is, and what it holds.
    """

    place: ApdbPlace
    apdb: "ApdbSql"
    tables: ApdbSqlTables

    @classmethod
    def open(cls, reference: Reference, namespace: str | None = None) -> Self:
        """Open an APDB; parameters and errors as `apcampaign.apdb.find_apdb`."""
        place = find_apdb(reference, namespace)
        return cls(place, *open_tables(place))

    def read(
        self,
        query: "sqlalchemy.Select[tuple[object, ...]]",
        convert: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None,
    ) -> "pd.DataFrame":
        """Read the rows of a query, a chunk at a time where each can be converted by itself."""
        import pandas as pd

        with snapshot(self.place) as connection:
            if convert is None:
                return pd.read_sql_query(query, connection)
            chunks = [convert(chunk) for chunk in pd.read_sql_query(query, connection, chunksize=_CHUNK)]
        return pd.concat(chunks, ignore_index=True)

    def describe(self, frame: "pd.DataFrame", table: str) -> "pd.DataFrame":
        """Add what the schema says of the columns of a table."""
        found = describe_columns(self.apdb, table)
        facts = {name: each for name, each in found.items() if name in frame.columns}
        frame.attrs["units"] = {name: each.unit for name, each in facts.items() if each.unit}
        frame.attrs["descriptions"] = {
            name: each.description for name, each in facts.items() if each.description
        }
        return frame


def read_dia_sources(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read all DiaSources.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.

    Returns
    -------
    sources
        In the order of their IDs; withdrawn ones too. Positions in degrees and pixels, fluxes in nJy, times
        in MJD (TAI), as in the APDB schema of ``sdm_schemas``.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    opened = OpenedApdb.open(reference, namespace)
    table = opened.tables.table("DiaSource", *_SOURCE_COLUMNS)
    frame = opened.read(sqlalchemy.select(*table.c).order_by(table.c.diaSourceId))
    return opened.describe(frame, "DiaSource")


def read_kept_sources(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read the DiaSources that were not withdrawn, in small columns: those of `KEPT_COLUMNS`.

    Those without a DiaObject have the ``diaObjectId`` 0. Otherwise as `read_dia_sources`.
    """
    opened = OpenedApdb.open(reference, namespace)
    withdrawn = opened.tables.source_withdrawn.name
    table = opened.tables.table("DiaSource", *KEPT_COLUMNS, withdrawn)
    # Where one is missing, pandas would keep all of them as floating-point numbers, which lose their last digits.
    columns = [
        sqlalchemy.func.coalesce(table.c[name], 0).label(name) if name == "diaObjectId" else table.c[name]
        for name in KEPT_COLUMNS
    ]
    query = sqlalchemy.select(*columns).where(table.c[withdrawn].is_(None)).order_by(table.c.diaSourceId)
    return opened.read(query, compact_sources).astype({"band": "category"})


def compact_sources(sources: "pd.DataFrame") -> "pd.DataFrame":
    """Give DiaSources the columns and types of `KEPT_COLUMNS`, of which older ones may lack some measurements."""
    kept = sources.reindex(columns=list(KEPT_COLUMNS))
    return kept.assign(diaObjectId=kept["diaObjectId"].fillna(0)).astype(dict(KEPT_COLUMNS))


def read_dia_objects(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read the latest version of each DiaObject, in the order of their IDs; otherwise as `read_dia_sources`."""
    return find_dia_objects(OpenedApdb.open(reference, namespace))


def find_dia_objects(
    opened: OpenedApdb, *, ids: Iterable[int] | None = None, circle: Circle | None = None
) -> "pd.DataFrame":
    """Find DiaObjects by their identifiers, or in a circle on the sky.

    Parameters
    ----------
    opened
        The APDB.
    ids
        Which DiaObjects; all by default.
    circle
        Where; objects are where their latest version says.

    Returns
    -------
    objects
        As of `read_dia_objects`. With a circle, the nearest to its centre first, with the ``separation`` from it
        in arcseconds.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    tables = opened.tables
    objects = tables.table("DiaObject", *_OBJECT_COLUMNS, tables.end.name, tables.pixel.name)
    query = sqlalchemy.select(*(objects.c[name] for name in _OBJECT_COLUMNS))
    query = query.where(objects.c[tables.end.name].is_(None)).order_by(objects.c.diaObjectId)
    if ids is not None:
        query = query.where(objects.c.diaObjectId.in_([int(number) for number in ids]))
    if circle is None:
        return opened.describe(opened.read(query, _typed), "DiaObject")
    pixel = objects.c[tables.pixel.name]
    inside = within(circle, objects.c.ra, objects.c.dec, pixel=pixel, level=tables.pixel_level)
    frame = opened.read(query.where(inside), _typed)
    apart = [separation(circle, *each) * 3600 for each in zip(frame["ra"], frame["dec"], strict=True)]
    frame = opened.describe(frame.assign(separation=apart), "DiaObject")
    frame.attrs["units"]["separation"] = "arcsec"
    return frame.sort_values(["separation", "diaObjectId"], ignore_index=True)


def _typed(objects: "pd.DataFrame") -> "pd.DataFrame":
    """Give a chunk of DiaObjects the types of all, also where it knows no time."""
    return objects.astype({"lastDiaSourceMjdTai": "float64"})
