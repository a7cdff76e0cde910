"""Verification of an APDB: each expected association is there once, complete, and in time order."""

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
from .findings import (
    ApdbFinding,
    ApdbFindingKind,
    ExpectedAssociations,
    StoredAssociation,
    VisitDetector,
    compare,
)
from .locate import Reference, find_apdb
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
        The record of what was associated; `None` if the APDB was checked against itself only.
    expected
        The number of (visit, detector)s that were associated.
    stored
        The number of (visit, detector)s that the APDB holds.
    sources, forced
        The numbers of DiaSources and DiaForcedSources that it holds.
    findings
        What is wrong, up to the limit of each kind.
    unrecorded
        All (visit, detector)s that were written, but not recorded.
    counts
        The number of findings of each kind, including those not listed.
    seconds
        How long the verification took.
    lost
        All (visit, detector)s that were recorded, and of which rows are not there.
    """

    target: ApdbTarget
    source: str | None
    expected: int
    stored: int
    sources: int
    forced: int
    findings: tuple[ApdbFinding, ...]
    unrecorded: tuple[VisitDetector, ...]
    counts: Mapping[ApdbFindingKind, int]
    seconds: float
    lost: tuple[VisitDetector, ...] = ()

    @property
    def good(self) -> bool:
        """Whether there are no findings."""
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
            "lost": [list(key) for key in self.lost],
            "seconds": round(self.seconds, 3),
        }


def verify_apdb(
    reference: Reference,
    expected: ExpectedAssociations | None = None,
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
    expected
        What was associated; without it, the APDB is checked against itself only.
    order
        Which visits must have been associated in time order: those of the same ``"sky"``, all of one
        ``"detector"``, or `None`. See `apcampaign.apdb.checks.check_time_order`.
    limit
        The largest number of findings of each kind to list.

    Raises
    ------
    ApdbError
        If the APDB cannot be read.

    Notes
    -----
    Everything is read in one transaction, so a run that is writing at the same time is seen at one
    moment. The database sorts and joins; memory here grows with the number of (visit, detector)s, not of rows.

    The time of an association is derived from the versions of its DiaObjects, as
    `apcampaign.apdb.associations` explains. Where it is uncertain, its order is not checked.
    """
    begin = time.monotonic()
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    tally = _Tally(limit)
    with snapshot(place) as connection:
        tally.take(_check(connection, tables, expected, order, tally))
    return Verification(
        place.target,
        expected.source if expected else None,
        len(expected.counts) if expected else 0,
        len(tally.midpoints),
        tally.sources,
        tally.forced,
        tuple(tally.findings),
        tuple(tally.unrecorded),
        dict(tally.counts),
        time.monotonic() - begin,
        tuple(tally.lost),
    )


class _Tally:
    """Counts what is streamed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: Counter[ApdbFindingKind] = Counter()
        self.findings: list[ApdbFinding] = []
        self.unrecorded: list[VisitDetector] = []
        self.lost: list[VisitDetector] = []
        self.midpoints: dict[VisitDetector, float | None] = {}
        self.sources = 0
        self.forced = 0

    def take(self, findings: Iterable[ApdbFinding]) -> None:
        """Count findings, and keep the first ones of each kind."""
        for finding in findings:
            self.counts[finding.kind] += 1
            if self.counts[finding.kind] <= self.limit:
                self.findings.append(finding)
            if finding.visit is not None and finding.detector is not None:
                if finding.kind is ApdbFindingKind.UNRECORDED:
                    self.unrecorded.append((finding.visit, finding.detector))
                elif finding.lost:
                    self.lost.append((finding.visit, finding.detector))

    def watch(self, stored: Iterable[StoredAssociation]) -> Iterator[StoredAssociation]:
        """Count associations while they are passed on."""
        for each in stored:
            self.midpoints[each.key] = each.midpoint
            self.sources += each.sources
            self.forced += each.forced
            yield each


def _check(
    connection: Connection,
    tables: ApdbSqlTables,
    expected: ExpectedAssociations | None,
    order: Order | None,
    tally: _Tally,
) -> Iterator[ApdbFinding]:
    stored = tally.watch(stored_associations(connection, tables))
    if expected is not None:
        yield from compare(expected, stored)
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
