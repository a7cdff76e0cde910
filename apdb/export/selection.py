"""Selection of a part of an APDB: by visits, a region of the sky, and time."""

__all__ = ["Circle", "Selection", "parse_visits"]

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, or_, select, union
from sqlalchemy.sql.expression import FromClause

from ...common.errors import ApdbError
from ..sky import Circle, within

_SOURCES = ("DiaSource", "DiaForcedSource")
#: They hold a row for each DiaObject, or some.
_OF_OBJECTS = ("DiaObject", "DiaObjectLast", "DiaObject_To_Object_Match")


_LAST = 2**63 - 1  #: the largest number that a database has


@dataclass(frozen=True)
class Selection:
    """What is selected: rows that fulfil all conditions that are given.

    Parameters
    ----------
    visits
        First and last of ranges of visits; all visits if there are none.
    circle
        Where on the sky.
    time
        Range of the middle of the exposure, MJD (TAI); the end is not in it.

    Notes
    -----
    The conditions are on the DiaSources and DiaForcedSources themselves. DiaObjects are those that the selected
    sources belong to, with all their versions.
    """

    visits: tuple[tuple[int, int], ...] = ()
    circle: Circle | None = None
    time: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        # Drivers of databases take no numbers of numpy, which catalogues are made of.
        object.__setattr__(self, "visits", tuple((int(first), int(last)) for first, last in self.visits))
        if self.time is not None:
            object.__setattr__(self, "time", (float(self.time[0]), float(self.time[1])))
        if self.time is not None and not self.time[0] < self.time[1]:
            raise ApdbError(
                f"nothing is between MJD {self.time[0]} and {self.time[1]}",
                expected="the beginning of the time range before its end",
            )

    def __bool__(self) -> bool:
        return bool(self.visits or self.circle or self.time)

    def selects(self, table: str) -> bool:
        """Tell whether rows of a table can be selected; the records of replication are of the whole only."""
        return not self or table in (*_SOURCES, *_OF_OBJECTS, "metadata")

    def describe(self) -> str:
        """Say it in words."""
        parts = []
        if self.visits:
            parts.append("visits " + " ".join(_write_range(*each) for each in self.visits))
        if self.circle:
            parts.append(self.circle.describe())
        if self.time:
            parts.append("MJD {} to {}".format(*self.time))
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "visits": [list(each) for each in self.visits],
            "circle": self.circle and self.circle.as_dict(),
            "time": self.time and list(self.time),
        }

    def conditions(
        self, tables: Mapping[str, FromClause], pixel: str, level: int
    ) -> dict[str, ColumnElement[bool]]:
        """Write it as SQL conditions.

        Parameters
        ----------
        tables
            The tables of the APDB, by their names in its schema.
        pixel, level
            The column with the HTM pixel, and its level.

        Returns
        -------
        conditions
            Of each table of which not all rows are selected.
        """
        if not self:
            return {}
        found = {name: self._of_source(tables[name], pixel, level) for name in _SOURCES}
        objects = union(
            *(select(tables[name].c.diaObjectId).where(condition) for name, condition in found.items())
        )
        found |= {
            name: tables[name].c.diaObjectId.in_(objects.subquery().select())
            for name in _OF_OBJECTS
            if name in tables
        }
        return found

    def _of_source(self, table: FromClause, pixel: str, level: int) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = []
        if self.visits:
            conditions.append(or_(*(table.c.visit.between(*each) for each in self.visits)))
        if self.circle:
            index = table.c.get(pixel)
            conditions.append(within(self.circle, table.c.ra, table.c.dec, pixel=index, level=level))
        if self.time:
            time = table.c.midpointMjdTai
            conditions.append((time >= self.time[0]) & (time < self.time[1]))
        return sqlalchemy.and_(*conditions)


def parse_visits(text: str) -> tuple[tuple[int, int], ...]:
    """Read visits as people write them: ``731500 731600..731699``.

    Raises
    ------
    ApdbError
        If one of the words is neither a visit nor a range of visits.
    """
    found = []
    for word in re.split(r"[\s,]+", text.strip()):
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last > _LAST:
            raise ApdbError(f"{word!r} is not a visit", expected="visits such as 731500 or 731500..731599")
        found.append((first, last))
    return tuple(found)


def _write_range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}..{last}"
