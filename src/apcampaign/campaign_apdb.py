"""The APDB of a campaign in Python: its state, and its tables."""

__all__ = ["CampaignApdb"]

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table

    from .apdb import ApdbInfo, RollbackPlan, Verification

type TableKind = Literal["pandas", "astropy"]


class CampaignApdb:
    """The alert production database of a campaign, as far as it can be looked into.

    Parameters
    ----------
    config
        URI of its configuration, or ``label:NAME``.
    """

    def __init__(self, config: str):
        self.config = config

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
        """Decide how associations are rolled back; `apcampaign.apdb.roll_back` executes the returned plan."""
        from .apdb import plan_rollback

        return plan_rollback(self.config, list(visit_detectors), with_later=with_later)

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
            Columns ``midpointMjdTai`` (d), ``band``, ``visit``, ``detector``, ``psfFlux``, ``psfFluxErr``
            (nJy) and ``forced`` (whether it was measured at the object's position, without a detection).
        """
        from .apdb import read_light_curve

        return _as_kind(read_light_curve(self.config, dia_object_id), kind)


def _as_kind(frame: "pd.DataFrame", kind: TableKind) -> "pd.DataFrame | Table":
    if kind == "pandas":
        return frame
    from astropy.table import Table

    return Table.from_pandas(frame)
