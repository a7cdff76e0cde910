"""The APDB of a campaign in Python: its state, and its tables."""

__all__ = ["CampaignApdb"]

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table

    from .apdb import ApdbInfo, RollbackPlan, Verification
    from .apdb.export import ApdbExported, ApdbImported

type TableKind = Literal["pandas", "astropy"]


class CampaignApdb:
    """The alert production database of a campaign, as far as it can be looked into.

    Parameters
    ----------
    config
        URI of its configuration, or ``label:NAME``.
    runs
        The folder of the runs of the campaigns that may fill it.
    """

    def __init__(self, config: str, runs: str | Path = "runs"):
        self.config = config
        self._runs = Path(runs)

    def __repr__(self) -> str:
        return f"CampaignApdb({self.config!r})"

    def info(self) -> "ApdbInfo":
        """Describe its content: rows, visits, time range, versions, rights."""
        from .apdb import describe_apdb

        return describe_apdb(self.config)

    def verify(self, butler: str | None = None, collections: Collection[str] = ()) -> "Verification":
        """Check it against itself and, if a repository is given, against what was associated there."""
        from .apdb import read_expected_associations, verify_apdb

        expected = read_expected_associations(butler, tuple(collections)) if butler else None
        return verify_apdb(self.config, expected)

    def plan_rollback(
        self, visit_detectors: Iterable[tuple[int, int]], *, with_later: bool = False
    ) -> "RollbackPlan":
        """Decide how associations are rolled back; `roll_back` executes the returned plan."""
        from .apdb import plan_rollback

        return plan_rollback(self.config, list(visit_detectors), with_later=with_later)

    def roll_back(self, plan: "RollbackPlan") -> "RollbackPlan":
        """Roll back associations as planned, in one transaction.

        Raises
        ------
        PreconditionError
            If a campaign that fills it is active, or is being submitted.
        ApdbError
            If the APDB has changed since the plan was made, or refuses; then nothing is changed.
        """
        from .apdb import roll_back
        from .submit.preconditions.apdb_hold import hold_apdb, read_fillers

        with hold_apdb(read_fillers(self._runs, plan.place.target)):
            return roll_back(plan)

    def export(
        self,
        folder: str | Path,
        *,
        visits: Iterable[int] = (),
        circle: tuple[float, float, float] | None = None,
        time: tuple[float, float] | None = None,
    ) -> "ApdbExported":
        """Write it to a new folder of Parquet files, one for each table, with a manifest.

        Parameters
        ----------
        folder
            The folder.
        visits, circle, time
            Only sources of these visits, in a circle on the sky (right ascension, declination, radius in degrees),
            and of exposures of this time (MJD, TAI), with the DiaObjects that they belong to.

        Raises
        ------
        PreconditionError
            If there is something of that name already.
        """
        from .apdb import Circle
        from .apdb.export import Selection, export_apdb, plan_export

        selection = Selection(
            visits=tuple((visit, visit) for visit in visits),
            circle=Circle(*circle) if circle else None,
            time=time,
        )
        return export_apdb(plan_export(self.config, Path(folder), selection))

    def import_from(self, folder: str | Path, *, filtered: bool = False) -> "ApdbImported":
        """Load what `export` has written, into this APDB, which must be empty, and verify it.

        Parameters
        ----------
        folder
            The folder.
        filtered
            Whether it may be the export of a part of an APDB.

        Raises
        ------
        PreconditionError
            If this APDB is not empty or of another kind, the export is damaged, or a campaign that fills it is
            active.
        """
        from .apdb.export import import_apdb, plan_import
        from .submit.preconditions.apdb_hold import hold_apdb, read_fillers

        plan = plan_import(Path(folder), self.config, filtered=filtered)
        with hold_apdb(read_fillers(self._runs, plan.place.target)):
            return import_apdb(plan)

    @overload
    def dia_sources(self, kind: Literal["pandas"] = "pandas") -> "pd.DataFrame": ...
    @overload
    def dia_sources(self, kind: Literal["astropy"]) -> "Table": ...
    def dia_sources(self, kind: TableKind = "pandas") -> "pd.DataFrame | Table":
        """Read all DiaSources.

        Parameters
        ----------
        kind
            ``pandas`` for a `pandas.DataFrame`, ``astropy`` for an `astropy.table.Table`. Columns and their
            units are those of the APDB schema (``sdm_schemas``): positions in degrees, fluxes in nJy, times
            in MJD (TAI).
        """
        from .apdb import read_dia_sources

        return _as_kind(read_dia_sources(self.config), kind)

    @overload
    def dia_objects(self, kind: Literal["pandas"] = "pandas") -> "pd.DataFrame": ...
    @overload
    def dia_objects(self, kind: Literal["astropy"]) -> "Table": ...
    def dia_objects(self, kind: TableKind = "pandas") -> "pd.DataFrame | Table":
        """Read the newest version of each DiaObject; the parameter is that of `dia_sources`."""
        from .apdb import read_dia_objects

        return _as_kind(read_dia_objects(self.config), kind)

    @overload
    def light_curve(self, dia_object_id: int, kind: Literal["pandas"] = "pandas") -> "pd.DataFrame": ...
    @overload
    def light_curve(self, dia_object_id: int, kind: Literal["astropy"]) -> "Table": ...
    def light_curve(self, dia_object_id: int, kind: TableKind = "pandas") -> "pd.DataFrame | Table":
        """Read the DiaSources and DiaForcedSources of one DiaObject in time order.

        Parameters
        ----------
        dia_object_id
            The DiaObject.
        kind
            As for `dia_sources`.

        Returns
        -------
        table
            As of `light_curves`, without ``diaObjectId``.
        """
        from .apdb import read_light_curve

        return _as_kind(read_light_curve(self.config, dia_object_id), kind)

    @overload
    def light_curves(
        self,
        dia_object_ids: Iterable[int] | None = None,
        *,
        at: tuple[float, float] | None = None,
        radius: float = 1.0,
        kind: Literal["pandas"] = "pandas",
    ) -> "pd.DataFrame": ...
    @overload
    def light_curves(
        self,
        dia_object_ids: Iterable[int] | None = None,
        *,
        at: tuple[float, float] | None = None,
        radius: float = 1.0,
        kind: Literal["astropy"],
    ) -> "Table": ...
    def light_curves(
        self,
        dia_object_ids: Iterable[int] | None = None,
        *,
        at: tuple[float, float] | None = None,
        radius: float = 1.0,
        kind: TableKind = "pandas",
    ) -> "pd.DataFrame | Table":
        """Read the DiaSources and DiaForcedSources of DiaObjects, one object after the other, each in time order.

        Parameters
        ----------
        dia_object_ids
            Which DiaObjects; all by default.
        at, radius
            Only those at a place on the sky: right ascension and declination in degrees, and how many arcseconds
            from it at most. The nearest comes first.
        kind
            As for `dia_sources`.

        Returns
        -------
        table
            Columns ``diaObjectId``, ``midpointMjdTai`` (d), ``band``, ``visit``, ``detector``, ``ra``, ``dec``
            (deg), ``psfFlux``, ``psfFluxErr`` (nJy, on the difference image), ``scienceFlux``, ``scienceFluxErr``
            (nJy, on the science image) and ``forced`` (whether it was measured at the object's position, without a
            detection).
        """
        from .apdb import Circle, find_light_curves

        circle = Circle(*at, radius / 3600) if at else None
        return _as_kind(find_light_curves(self.config, ids=dia_object_ids, circle=circle).measurements, kind)


def _as_kind(frame: "pd.DataFrame", kind: TableKind) -> "pd.DataFrame | Table":
    if kind == "pandas":
        return frame
    from astropy.table import Table

    table = Table.from_pandas(frame)
    for name in table.colnames:
        table[name].unit = frame.attrs["units"].get(name)
        table[name].description = frame.attrs["descriptions"].get(name)
    return table
