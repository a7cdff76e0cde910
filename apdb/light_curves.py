"""Light curves: the DiaSources and DiaForcedSources of DiaObjects."""

__all__ = [
    "LightCurves",
    "find_light_curves",
    "read_light_curve",
    "read_light_curves",
    "read_measurements",
]

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy

from ..common.errors import SettingsError
from ..common.files import naming, write_atomically
from .frames import OpenedApdb, find_dia_objects
from .locate import Reference
from .sky import Circle

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "diaObjectId",
    "midpointMjdTai",
    "band",
    "visit",
    "detector",
    "ra",
    "dec",
    "psfFlux",
    "psfFluxErr",
    "scienceFlux",
    "scienceFluxErr",
)

#: A statement takes no more parameters than 32,766 in SQLite.
_AT_A_TIME = 10_000


@dataclass(frozen=True)
class LightCurves:
    """DiaObjects with their measurements.

    Parameters
    ----------
    objects
        The DiaObjects, as of `apcampaign.apdb.read_dia_objects`, and their ``separation`` (arcsec) from a place.
    measurements
        Their measurements, as of `read_light_curves`. Units and descriptions of the columns are in the ``attrs``.
    """

    objects: "pd.DataFrame"
    measurements: "pd.DataFrame"

    def as_dict(self) -> dict[str, Any]:
        """Give them as plain values, for JSON; what is unknown is `None`."""
        measured: dict[int, list[dict[str, Any]]] = {}
        for row in _plain_rows(self.measurements):
            measured.setdefault(row.pop("diaObjectId"), []).append(row)
        return {
            "units": {**self.objects.attrs["units"], **self.measurements.attrs["units"]},
            "objects": [
                {**row, "measurements": measured.get(row["diaObjectId"], [])}
                for row in _plain_rows(self.objects)
            ],
        }

    def write(self, path: Path) -> None:
        """Write the measurements to a file.

        Parameters
        ----------
        path
            The file: ``.csv``, or with units ``.ecsv`` or ``.parquet``.

        Raises
        ------
        SettingsError
            If its name ends in something else.
        OSError
            If it cannot be written.
        """
        if path.suffix == ".csv":
            write_atomically(path, self.measurements.to_csv(index=False))
        elif path.suffix == ".ecsv":
            write_atomically(path, self._as_ecsv())
        elif path.suffix == ".parquet":
            self._write_parquet(path)
        else:
            raise SettingsError(
                f"it is not known how to write {path.name!r}",
                expected="a name that ends in .parquet, .ecsv or .csv",
            )

    def _as_ecsv(self) -> str:
        import io

        from astropy.table import Table

        table = Table.from_pandas(self.measurements)
        for name, unit in self.measurements.attrs["units"].items():
            table[name].unit = unit
        text = io.StringIO()
        table.write(text, format="ascii.ecsv")
        return text.getvalue()

    def _write_parquet(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.measurements, preserve_index=False)
        attrs = self.measurements.attrs
        fields = [
            field.with_metadata(
                {
                    key: attrs[kind][field.name]
                    for key, kind in (("unit", "units"), ("description", "descriptions"))
                    if field.name in attrs[kind]
                }
            )
            for field in table.schema
        ]
        with naming(path):
            pq.write_table(table.cast(pa.schema(fields, metadata=table.schema.metadata)), path)


def find_light_curves(
    reference: Reference,
    *,
    ids: Iterable[int] | None = None,
    circle: Circle | None = None,
    namespace: str | None = None,
) -> LightCurves:
    """Find DiaObjects by their identifiers or in a circle on the sky, with their measurements.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    ids
        Which DiaObjects; all by default.
    circle
        Where; objects are where their latest version says. The nearest to the centre comes first.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    opened = OpenedApdb.open(reference, namespace)
    objects = find_dia_objects(opened, ids=ids, circle=circle)
    return LightCurves(objects, read_measurements(opened, objects["diaObjectId"]))


def read_light_curve(
    reference: Reference, dia_object_id: int, namespace: str | None = None
) -> "pd.DataFrame":
    """Read the measurements of a DiaObject; as `read_light_curves`, without ``diaObjectId``."""
    return read_light_curves(reference, [dia_object_id], namespace).drop(columns="diaObjectId")


def read_light_curves(
    reference: Reference, dia_object_ids: Iterable[int], namespace: str | None = None
) -> "pd.DataFrame":
    """Read the DiaSources and DiaForcedSources of DiaObjects.

    Parameters
    ----------
    reference, namespace
        Which APDB, as for `apcampaign.apdb.find_apdb`.
    dia_object_ids
        The DiaObjects.

    Returns
    -------
    measurements
        Of one object after the other, each in time order, without withdrawn ones: ``diaObjectId``,
        ``midpointMjdTai`` (MJD), ``band``, ``visit``, ``detector``, ``ra``, ``dec`` (degrees), ``psfFlux``,
        ``psfFluxErr`` (nJy, on the difference image), ``scienceFlux``, ``scienceFluxErr`` (nJy, on the science
        image) and ``forced``: whether it was measured at the object's position, without a detection. Nothing of
        objects that there are not.

    Raises
    ------
    ApdbError
        If it cannot be read.
    """
    return read_measurements(OpenedApdb.open(reference, namespace), dia_object_ids)


def read_measurements(opened: OpenedApdb, dia_object_ids: Iterable[int]) -> "pd.DataFrame":
    """Read the DiaSources and DiaForcedSources of DiaObjects, as `read_light_curves`, of an opened APDB."""
    import pandas as pd

    turns = {number: turn for turn, number in enumerate(dict.fromkeys(map(int, dia_object_ids)))}
    tables = opened.tables
    parts = []
    for name, withdrawn, forced in (
        ("DiaSource", tables.source_withdrawn, False),
        ("DiaForcedSource", tables.forced_withdrawn, True),
    ):
        table = tables.table(name, *_COLUMNS, withdrawn.name)
        query = sqlalchemy.select(*(table.c[column] for column in _COLUMNS)).where(
            table.c[withdrawn.name].is_(None)
        )
        parts += [
            opened.read(query.where(table.c.diaObjectId.in_(ids))).assign(forced=forced)
            for ids in (batched(turns, _AT_A_TIME) if turns else [()])
        ]
    filled = [part for part in parts if len(part)] or parts[:1]
    frame = pd.concat(filled, ignore_index=True)
    # One object after the other, as they were asked for.
    frame = frame.assign(turn=frame["diaObjectId"].map(turns))
    frame = frame.sort_values(["turn", "midpointMjdTai", "forced"], ignore_index=True)
    return opened.describe(frame.drop(columns="turn"), "DiaSource")


def _plain_rows(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value  # a number of numpy
