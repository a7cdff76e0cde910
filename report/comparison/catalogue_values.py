"""Values of the comparison of two catalogues."""

__all__ = ["CatalogueComparison", "Counts", "Shift"]

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Counts:
    """How many rows are in both catalogues, and how many in one only."""

    both: int
    only_a: int
    only_b: int

    @property
    def a(self) -> int:
        """How many the first one has."""
        return self.both + self.only_a

    @property
    def b(self) -> int:
        """How many the second one has."""
        return self.both + self.only_b

    @property
    def lost_share(self) -> float:
        """The share of those of the first one that are in it only."""
        return self.only_a / self.a if self.a else 0.0

    @property
    def gained_share(self) -> float:
        """The share of those of the second one that are in it only."""
        return self.only_b / self.b if self.b else 0.0

    @property
    def significance(self) -> float:
        """How significantly more or fewer the second one has, in sigma; what both have tells nothing (McNemar)."""
        return _sign_test(self.only_b, self.only_a)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "both": self.both,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "significance": self.significance,
        }


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a quantity of matched rows differs: second minus first.

    Parameters
    ----------
    unit
        Of its values.
    count
        Pairs that have a value on both sides.
    median, scatter, largest
        Of the differences; the scatter as a standard deviation from the median absolute deviation, the largest by
        its absolute value. NaN without pairs.
    changed
        Pairs that differ by more than the tolerance, or have a value on one side only.
    up, down
        Those of them that have become larger and smaller.
    """

    unit: str
    count: int
    median: float
    scatter: float
    largest: float
    changed: int
    up: int
    down: int

    @property
    def significance(self) -> float:
        """How significantly more have become larger than smaller, in sigma (sign test)."""
        return _sign_test(self.up, self.down)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        numbers = {name: getattr(self, name) for name in ("median", "scatter", "largest")}
        return {
            "unit": self.unit,
            "count": self.count,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "changed": self.changed,
            "up": self.up,
            "down": self.down,
            "significance": self.significance,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class CatalogueComparison:
    """Two catalogues, compared.

    Parameters
    ----------
    counts
        Rows in both and in one only.
    unplaced
        Rows without a position in each of the two; they count as being in one only.
    shifts
        Of the values of matched rows, by quantity.
    changed
        Matched rows of which any quantity differs.
    regrouped
        DiaObjects of the first side whose matched DiaSources belong to several of the second one, and vice versa.
    matched
        Both rows of each pair: columns with ``_a`` and ``_b``, ``separation`` (arcseconds) and, for DiaSources,
        ``east`` and ``north`` (arcseconds), ``flux`` (nJy), ``pull`` (in units of both errors together).
    only_a, only_b
        The other rows.
    tables
        Counts by ``snr``, ``visit``, ``detector`` and ``pixel``: columns ``both``, ``only_a``, ``only_b`` and
        ``significance``, by visit also ``band``, ``mjd`` and the median ``pull``.
    nside
        Of the HEALPix pixels (nested); 0 without rows.
    """

    counts: Counts
    unplaced: tuple[int, int] = (0, 0)
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    changed: int = 0
    regrouped: tuple[int, int] = (0, 0)
    matched: "pd.DataFrame"
    only_a: "pd.DataFrame"
    only_b: "pd.DataFrame"
    tables: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
    nside: int = 0

    @property
    def same(self) -> bool:
        """Whether all rows are matched, and none differs by more than the tolerances."""
        return not (self.counts.only_a or self.counts.only_b or self.changed or any(self.regrouped))

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, without the rows."""
        return {
            **self.counts.as_dict(),
            "unplaced": list(self.unplaced),
            "changed": self.changed,
            "regrouped": list(self.regrouped),
            "shifts": {name: shift.as_dict() for name, shift in self.shifts.items()},
            **{
                f"by_{name}": _records(table)
                for name, table in self.tables.items()
                if name in ("snr", "visit")
            },
        }


def _sign_test(up: int, down: int) -> float:
    return (up - down) / math.sqrt(up + down) if up + down else 0.0


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    plain = table.reset_index(names="key").astype(object)
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in plain.where(plain.notna(), None).to_dict("records")
    ]
