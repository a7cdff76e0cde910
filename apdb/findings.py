"""What can be wrong with an APDB, and the comparison of what is there with what should be."""

__all__ = ["Expectation", "Finding", "Kind", "StoredAssociation", "compare"]

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

VisitDetector = tuple[int, int]


class Kind(StrEnum):
    """Sorts of findings."""

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
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    kind
        What sort of thing.
    message
        What it is, in a sentence.
    visit, detector
        Whose association it concerns, if one's.
    rows
        How many rows are concerned.
    """

    kind: Kind
    message: str
    visit: int | None = None
    detector: int | None = None
    rows: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Expectation:
    """What was associated, as somebody else than the APDB recorded it.

    Parameters
    ----------
    counts
        (visit, detector) → number of DiaSources; `None` where it is not known.
    source
        Who says so, for messages.
    """

    counts: Mapping[VisitDetector, int | None]
    source: str


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


def compare(expectation: Expectation, stored: Iterable[StoredAssociation]) -> Iterator[Finding]:
    """Compare what was associated with what an APDB holds.

    Parameters
    ----------
    expectation
        What should be there.
    stored
        What is there, sorted by visit and detector.

    Yields
    ------
    finding
        In the order of visit and detector.

    Notes
    -----
    An image without DiaSources and without DiaForcedSources leaves no trace in an APDB, so its absence is no
    finding.
    """
    wanted = iter(sorted(expectation.counts.items(), key=lambda item: item[0]))
    want = next(wanted, None)
    for have in stored:
        while want is not None and want[0] < have.key:
            yield from _absent(*want, expectation.source)
            want = next(wanted, None)
        if want is not None and want[0] == have.key:
            yield from _present(want[1], have, expectation.source)
            want = next(wanted, None)
        else:
            yield Finding(
                Kind.UNRECORDED,
                f"written ({have.sources} DiaSources, {have.forced} DiaForcedSources), but not recorded in "
                f"{expectation.source}",
                *have.key,
                rows=have.sources + have.forced,
            )
    while want is not None:
        yield from _absent(*want, expectation.source)
        want = next(wanted, None)


def _absent(key: VisitDetector, count: int | None, source: str) -> Iterator[Finding]:
    if count != 0:
        many = "an unknown number of" if count is None else count
        yield Finding(
            Kind.MISSING, f"recorded in {source} with {many} DiaSources, but not there", *key, rows=count or 1
        )


def _present(count: int | None, have: StoredAssociation, source: str) -> Iterator[Finding]:
    if count is None or have.sources == count:
        return
    extra = have.sources - count
    if extra > 0 and (have.written_twice or (count and have.sources % count == 0)):
        kind, what = Kind.DOUBLED, "was written more than once"
    elif have.sources == 0:
        kind, what = Kind.MISSING, "has DiaForcedSources only"
    else:
        kind, what = Kind.COUNT, "has lost rows" if extra < 0 else "has rows of something else"
    yield Finding(
        kind,
        f"{what}: {have.sources} DiaSources, and {count} in {source}",
        *have.key,
        rows=abs(extra),
    )
