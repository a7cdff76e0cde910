"""Catalogues of an APDB as pandas DataFrames: DiaSources, DiaObjects and light curves."""

__all__ = ["read_dia_objects", "read_dia_sources", "read_light_curve"]

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


def read_dia_objects(reference: Reference, namespace: str | None = None) -> "pd.DataFrame":
    """Read the latest version of each DiaObject, in the order of their IDs; otherwise as `read_dia_sources`."""
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    table = tables.table("DiaObject", *_OBJECT_COLUMNS, tables.end.name)
    latest = table.c[tables.end.name].is_(None)
    columns = [table.c[name] for name in _OBJECT_COLUMNS]
    return _read(place, sqlalchemy.select(*columns).where(latest).order_by(table.c.diaObjectId))


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


def _read(place: ApdbPlace, query: "sqlalchemy.Select[tuple[object, ...]]") -> "pd.DataFrame":
    import pandas as pd

    with snapshot(place) as connection:
        return pd.read_sql_query(query, connection)
