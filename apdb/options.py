"""Options of `lsst.dax.apdb` for a new APDB."""

__all__ = ["ApdbOptions"]

from dataclasses import dataclass
from typing import Literal, get_args

from ..common.errors import ApdbError

DiaObjectIndex = Literal["baseline", "pix_id_iov", "last_object_table"]

# The deepest level of lsst.sphgeom.HtmPixelization.
_MAX_HTM_LEVEL = 24
#: A hundred years, and a day; times beyond all dates are none.
_MOST = {"read_sources_months": 1200, "read_forced_sources_months": 1200, "connection_timeout": 86_400}


@dataclass(frozen=True)
class ApdbOptions:
    """The options of `lsst.dax.apdb` for a new APDB; `None` leaves the default.

    Parameters
    ----------
    replica
        Create the tables for replication to the PPDB.
    dia_object_index
        How DiaObject is indexed, and whether there is a DiaObjectLast.
    htm_level
        Level of the HTM pixels of the spatial index, 0–24.
    read_sources_months, read_forced_sources_months
        How far back the pipeline reads a DiaObject's history, months of 30 days.
    connection_timeout
        Seconds a pipeline waits for the database; written to the config file.
    """

    replica: bool = False
    dia_object_index: DiaObjectIndex | None = None
    htm_level: int | None = None
    read_sources_months: int | None = None
    read_forced_sources_months: int | None = None
    connection_timeout: int | None = None

    def check(self) -> None:
        """Refuse values that `lsst.dax.apdb` would fail on later.

        Raises
        ------
        ApdbError
            If a value is out of range.
        """
        if self.dia_object_index not in (None, *get_args(DiaObjectIndex)):
            raise ApdbError(
                f"{self.dia_object_index!r} is not a DiaObject index",
                expected=f"one of {', '.join(get_args(DiaObjectIndex))}",
            )
        if self.htm_level is not None and not 0 <= self.htm_level <= _MAX_HTM_LEVEL:
            raise ApdbError(f"HTM level {self.htm_level} is out of range", expected=f"0 to {_MAX_HTM_LEVEL}")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise ApdbError(f"{name.replace('_', ' ')} cannot be {value}", expected=f"0 to {most:,}")
