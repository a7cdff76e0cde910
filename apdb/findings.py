"""Findings about an APDB, and the comparison of its associations with those that are expected."""

__all__ = ["ApdbFinding", "ApdbFindingKind", "ExpectedAssociations", "StoredAssociation", "compare"]

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

VisitDetector = tuple[int, int]


class ApdbFindingKind(StrEnum):
    """What is wrong, by kind."""

    MISSING = "missing"
    UNRECORDED = "unrecorded"
    COUNT = "count"
    DOUBLED = "doubled"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    VALIDITY = "validity"
    LAST = "last"
    ORDER = "order"


@dataclass(frozen=True)
class ApdbFinding:
    """Something that is wrong with an APDB.

    Parameters
    ----------
    kind
        What is wrong.
    message
        A sentence that describes it.
    visit, detector
        The association it concerns; `None` if it concerns no single one.
    rows
        The number of rows it concerns.
    lost
        Whether they were recorded, and are not there.
    """

    kind: ApdbFindingKind
    message: str
    visit: int | None = None
    detector: int | None = None
    rows: int = 1
    lost: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ExpectedAssociations:
    """What was associated, according to a record other than the APDB.

    Parameters
    ----------
    counts
        (visit, detector) → number of DiaSources; `None` where it is unknown.
    source
        The record, for messages.
    others
        Whether the APDB may hold others, of which this record knows nothing.
    """

    counts: Mapping[VisitDetector, int | None]
    source: str
    others: bool = False


@dataclass(frozen=True)
class StoredAssociation:
    """What an APDB holds of one (visit, detector).

    Parameters
    ----------
    visit, detector
        Which.
    sources, forced
        Number of DiaSources and DiaForcedSources.
    midpoint
        Middle of the exposure, MJD TAI.
    written_twice
        Whether its DiaSources were processed at more than one time.
    """

    visit: int
    detector: int
    sources: int
    forced: int
    midpoint: float | None
    written_twice: bool

    @property
    def key(self) -> VisitDetector:
        """Visit and detector."""
        return self.visit, self.detector


def compare(expected: ExpectedAssociations, stored: Iterable[StoredAssociation]) -> Iterator[ApdbFinding]:
    """Compare what was associated with what an APDB holds.

    Parameters
    ----------
    expected
        What the APDB should hold.
    stored
        What it holds, sorted by visit and detector.

    Yields
    ------
    finding
        In the order of visit and detector.

    Notes
    -----
    An image without DiaSources and without DiaForcedSources leaves no rows in an APDB, so its absence is not a
    finding.
    """
    wanted = iter(sorted(expected.counts.items(), key=lambda item: item[0]))
    want = next(wanted, None)
    for have in stored:
        while want is not None and want[0] < have.key:
            yield from _absent(*want, expected.source)
            want = next(wanted, None)
        if want is not None and want[0] == have.key:
            yield from _present(want[1], have, expected.source)
            want = next(wanted, None)
        elif not expected.others:
            yield ApdbFinding(
                ApdbFindingKind.UNRECORDED,
                f"written ({have.sources} DiaSources, {have.forced} DiaForcedSources), but not recorded in "
                f"{expected.source}",
                *have.key,
                rows=have.sources + have.forced,
            )
    while want is not None:
        yield from _absent(*want, expected.source)
        want = next(wanted, None)


def _absent(key: VisitDetector, count: int | None, source: str) -> Iterator[ApdbFinding]:
    if count != 0:
        many = "an unknown number of" if count is None else count
        yield ApdbFinding(
            ApdbFindingKind.MISSING,
            f"recorded in {source} with {many} DiaSources, but not there",
            *key,
            rows=count or 1,
            lost=True,
        )


def _present(count: int | None, have: StoredAssociation, source: str) -> Iterator[ApdbFinding]:
    if count is None or have.sources == count:
        return
    extra = have.sources - count
    if extra > 0 and (have.written_twice or (count and have.sources % count == 0)):
        kind, what = ApdbFindingKind.DOUBLED, "was written more than once"
    elif have.sources == 0:
        kind, what = ApdbFindingKind.MISSING, "has DiaForcedSources only"
    else:
        kind, what = ApdbFindingKind.COUNT, "has lost rows" if extra < 0 else "has rows of something else"
    yield ApdbFinding(
        kind,
        f"{what}: {have.sources} DiaSources, and {count} in {source}",
        *have.key,
        rows=abs(extra),
        lost=extra < 0,
    )
