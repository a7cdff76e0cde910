"""Proving that an APDB holds what was associated: each once, whole, and in time order."""

__all__ = ["Verification", "verify_apdb"]

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy.engine import Connection

from .associations import AssociationTimes, stored_associations
from .checks import (
    Order,
    check_duplicates,
    check_last_versions,
    check_orphans,
    check_time_order,
    check_validity,
)
from .findings import Expectation, Finding, Kind, StoredAssociation, VisitDetector, compare
from .opening import Reference, find_apdb
from .tables import ApdbSqlTables, open_tables, snapshot
from .target import ApdbTarget


@dataclass(frozen=True)
class Verification:
    """The result of `verify_apdb`.

    Parameters
    ----------
    target
        Which APDB.
    source
        Who said what was associated; `None` if the APDB was checked against itself only.
    expected
        How many (visit, detector)s were associated.
    stored
        How many (visit, detector)s the APDB holds.
    sources, forced
        How many DiaSources and DiaForcedSources it holds.
    findings
        What is wrong, at most so many of each kind as were asked for.
    unrecorded
        All (visit, detector)s that were written but not recorded.
    counts
        How many findings there are of each kind, those that are not listed included.
    seconds
        How long it took.
    """

    target: ApdbTarget
    source: str | None
    expected: int
    stored: int
    sources: int
    forced: int
    findings: tuple[Finding, ...]
    unrecorded: tuple[VisitDetector, ...]
    counts: Mapping[Kind, int]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            **self.target.as_dict(),
            "good": self.good,
            "source": self.source,
            "expected": self.expected,
            "stored": self.stored,
            "DiaSources": self.sources,
            "DiaForcedSources": self.forced,
            "counts": dict(self.counts),
            "findings": [finding.as_dict() for finding in self.findings],
            "unrecorded": [list(key) for key in self.unrecorded],
            "seconds": round(self.seconds, 3),
        }


def verify_apdb(
    reference: Reference,
    expectation: Expectation | None = None,
    *,
    namespace: str | None = None,
    order: Order | None = "sky",
    limit: int = 1000,
) -> Verification:
    """Check an APDB against what was associated, and against itself.

    Parameters
    ----------
    reference, namespace
        Which one, as for `apcampaign.apdb.find_apdb`.
    expectation
        What was associated; without it the APDB is checked against itself only.
    order
        Which visits must have been associated in time order: those of the same ``"sky"``, all of one
        ``"detector"``, or `None`. See `apcampaign.apdb.checks.check_time_order`.
    limit
        How many findings of each kind to list.

    Raises
    ------
    ApdbError
        If the APDB cannot be read.

    Notes
    -----
    Everything is read in one transaction, so a run that is writing at the same time is seen at one
    moment. The database sorts and joins; what is kept here grows with the number of (visit, detector)s, not with
    that of rows.

    When a (visit, detector) was associated is read from the versions of its DiaObjects, as
    `apcampaign.apdb.associations` explains. Where it cannot be told, nothing is said about its order.
    """
    begin = time.monotonic()
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    tally = _Tally(limit)
    with snapshot(place) as connection:
        tally.take(_check(connection, tables, expectation, order, tally))
    return Verification(
        place.target,
        expectation.source if expectation else None,
        len(expectation.counts) if expectation else 0,
        len(tally.midpoints),
        tally.sources,
        tally.forced,
        tuple(tally.findings),
        tuple(tally.unrecorded),
        dict(tally.counts),
        time.monotonic() - begin,
    )


class _Tally:
    """Counts what streams by."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: Counter[Kind] = Counter()
        self.findings: list[Finding] = []
        self.unrecorded: list[VisitDetector] = []
        self.midpoints: dict[VisitDetector, float | None] = {}
        self.sources = 0
        self.forced = 0

    def take(self, findings: Iterable[Finding]) -> None:
        """Keep the first of each kind."""
        for finding in findings:
            self.counts[finding.kind] += 1
            if self.counts[finding.kind] <= self.limit:
                self.findings.append(finding)
            if finding.kind is Kind.UNRECORDED and finding.visit is not None and finding.detector is not None:
                self.unrecorded.append((finding.visit, finding.detector))

    def watch(self, stored: Iterable[StoredAssociation]) -> Iterator[StoredAssociation]:
        """Note what passes."""
        for each in stored:
            self.midpoints[each.key] = each.midpoint
            self.sources += each.sources
            self.forced += each.forced
            yield each


def _check(
    connection: Connection,
    tables: ApdbSqlTables,
    expectation: Expectation | None,
    order: Order | None,
    tally: _Tally,
) -> Iterator[Finding]:
    stored = tally.watch(stored_associations(connection, tables))
    if expectation is not None:
        yield from compare(expectation, stored)
    else:
        for _ in stored:
            pass
    yield from chain(
        check_orphans(connection, tables),
        check_duplicates(connection, tables),
        check_validity(connection, tables),
        check_last_versions(connection, tables),
    )
    if order is not None:
        found = AssociationTimes(connection, tables).read_all(tally.midpoints)
        times = {
            key: each.time for key, each in found.items() if each.time is not None and not each.ambiguous
        }
        midpoints = {key: middle for key, middle in tally.midpoints.items() if middle is not None}
        yield from check_time_order(connection, tables, midpoints, times, order)
