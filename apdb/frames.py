"""Catalogues of an APDB as pandas DataFrames: DiaSources, DiaObjects and light curves."""

__all__ = [
    "KEPT_COLUMNS",
    "compact_sources",
    "read_dia_objects",
    "read_dia_sources",
    "read_kept_sources",
    "read_light_curve",
]

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import sqlalchemy

from .locate import ApdbPlace, Reference, find_apdb
from .tables import open_tables, snapshot

if TYPE_CHECKING:
    import pandas as pd

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
_MEASUREMENT_COLUMNS = (
    "midpointMjdTai",
    "band",
    "visit",
    "detector",
    "ra",
    "dec",
    "psfFlux",
    "psfFluxErr",
)

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
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    table = tables.table("DiaSource", *_SOURCE_COLUMNS)
    return _read(place, sqlalchemy.select(*table.c).order_by(table.c.diaSourceId))


def read_kept_sources(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read the DiaSources that were not withdrawn, in small columns: those of `KEPT_COLUMNS`.

    Those without a DiaObject have the ``diaObjectId`` 0. Otherwise as `read_dia_sources`.
    """
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    withdrawn = tables.source_withdrawn.name
    table = tables.table("DiaSource", *KEPT_COLUMNS, withdrawn)
    # Where one is missing, pandas would keep all of them as floating-point numbers, which lose their last digits.
    columns = [
        sqlalchemy.func.coalesce(table.c[name], 0).label(name) if name == "diaObjectId" else table.c[name]
        for name in KEPT_COLUMNS
    ]
    query = sqlalchemy.select(*columns).where(table.c[withdrawn].is_(None)).order_by(table.c.diaSourceId)
    return _read(place, query, compact_sources).astype({"band": "category"})


def compact_sources(sources: "pd.DataFrame") -> "pd.DataFrame":
    """Give DiaSources the columns and types of `KEPT_COLUMNS`, of which older ones may lack some measurements."""
    kept = sources.reindex(columns=list(KEPT_COLUMNS))
    return kept.assign(diaObjectId=kept["diaObjectId"].fillna(0)).astype(dict(KEPT_COLUMNS))


def read_dia_objects(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read the latest version of each DiaObject, in the order of their IDs; otherwise as `read_dia_sources`."""
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    table = tables.table("DiaObject", *_OBJECT_COLUMNS, tables.end.name)
    latest = table.c[tables.end.name].is_(None)
    columns = [table.c[name] for name in _OBJECT_COLUMNS]
    query = sqlalchemy.select(*columns).where(latest).order_by(table.c.diaObjectId)
    return _read(place, query, lambda objects: objects.astype({"lastDiaSourceMjdTai": "float64"}))


def read_light_curve(
    reference: Reference, dia_object_id: int, namespace: str | None = None
) -> "pd.DataFrame":
    """Read the DiaSources and DiaForcedSources of a DiaObject.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    dia_object_id
        The DiaObject.

    Returns
    -------
    measurements
        In time order, without withdrawn ones: ``midpointMjdTai`` (MJD), ``band``, ``visit``, ``detector``,
        ``ra``, ``dec`` (degrees), ``psfFlux``, ``psfFluxErr`` (nJy, on the difference image) and
        ``forced``: whether it was measured at the object's position, without a detection. Empty if there is
        no such DiaObject.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    import pandas as pd

    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    parts = []
    for name, withdrawn, forced in (
        ("DiaSource", tables.source_withdrawn, False),
        ("DiaForcedSource", tables.forced_withdrawn, True),
    ):
        table = tables.table(name, *_MEASUREMENT_COLUMNS, "diaObjectId", withdrawn.name)
        query = sqlalchemy.select(*(table.c[column] for column in _MEASUREMENT_COLUMNS)).where(
            table.c.diaObjectId == dia_object_id, table.c[withdrawn.name].is_(None)
        )
        parts.append(_read(place, query).assign(forced=forced))
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True).sort_values("midpointMjdTai", ignore_index=True)


def _read(
    place: ApdbPlace,
    query: "sqlalchemy.Select[tuple[object, ...]]",
    convert: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None,
) -> "pd.DataFrame":
    """Read the rows of a query, a chunk at a time where each can be converted by itself."""
    import pandas as pd

    with snapshot(place) as connection:
        if convert is None:
            return pd.read_sql_query(query, connection)
        chunks = [convert(chunk) for chunk in pd.read_sql_query(query, connection, chunksize=_CHUNK)]
    return pd.concat(chunks, ignore_index=True)
