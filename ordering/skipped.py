"""Failed associations, also for their images, that overlapping later visits went past, or (deferred) will."""

__all__ = [
    "SkippedAndWaiting",
    "SkippedAssociation",
    "describe_deferred",
    "find_deferred",
    "find_skipped",
]

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..apdb import open_apdb
from ..common.butler import open_butler
from ..ledger import RunRecord
from .associations import VisitDetector, find_stored, read_associations
from .footprints import read_regions
from .overlaps import Overlaps
from .parts import find_made, find_unmade

_PURPOSE = "the order of visits cannot be found"


@dataclass(frozen=True)
class SkippedAssociation:
    """A (visit, detector) that is not in the APDB, although overlapping later visits are.

    Parameters
    ----------
    visit, detector
        Which.
    overlapping_visit
        The latest overlapping (visit, detector) in the APDB.
    objects
        The DiaObjects in its region: all lack this visit.
    """

    visit: int
    detector: int
    overlapping_visit: VisitDetector
    objects: tuple[int, ...]


@dataclass(frozen=True)
class SkippedAndWaiting:
    """What failures have done to the order of visits.

    Parameters
    ----------
    waiting
        The (visit, detector)s that have not been associated since an earlier one of the same sky was not.
    skipped
        Those that overlapping later visits did not wait for.
    """

    waiting: tuple[VisitDetector, ...] = ()
    skipped: tuple[SkippedAssociation, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "waiting": [list(key) for key in self.waiting],
            "skipped": [
                {
                    "visit": each.visit,
                    "detector": each.detector,
                    "overlapping_visit": list(each.overlapping_visit),
                    "objects": list(each.objects),
                }
                for each in self.skipped
            ],
        }


def find_deferred(
    records: Iterable[RunRecord], instrument: str, *, failed_last: bool
) -> dict[VisitDetector, int]:
    """Find the associations that a next run is to put at the end of the order, after runs with failures.

    Parameters
    ----------
    records
        All current diffim runs, ended.
    instrument
        Name of the instrument.
    failed_last
        Whether all that failed come last, so that no other waits for them; if not, only those are deferred that
        later visits have gone past already.

    Returns
    -------
    deferred
        1 for each (visit, detector) that is out of time order already, so that it comes late anyway: also where
        its image has failed in a part, and is in no graph of an association. If the failed ones come last, 2 for
        each of them and for each that was ready to start and left no record.

    Raises
    ------
    RepositoryError
        If a run's graph or its outputs cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    deferred: dict[VisitDetector, int] = {}
    for (repository, apdb_config), runs in _by_apdb(records).items():
        stored = find_stored(apdb_config)
        associations = read_associations([run for run in runs if run.apdb_config])
        unplanned = _read_unplanned(repository, runs, associations.planned | stored)
        unfinished = associations.unfinished
        if not (pending := unfinished | unplanned.keys()):
            continue
        with open_butler(repository, _PURPOSE) as butler:
            overlaps = Overlaps.read(butler, instrument, pending, stored)
        late = overlaps.find_late().keys()
        deferred |= dict.fromkeys(late, 1)
        if failed_last:
            failed = associations.failed | {image for image, failed in unplanned.items() if failed}
            deferred |= dict.fromkeys(failed | (unfinished - overlaps.find_behind()), 2)
    return deferred


def describe_deferred(deferred: Collection[VisitDetector]) -> tuple[str, ...]:
    """Say in a sentence for each deferred association what that means."""
    return tuple(
        f"visit {visit}, detector {detector}: deferred: overlapping later visits are associated first"
        for visit, detector in sorted(deferred)
    )


def find_skipped(records: Iterable[RunRecord], instrument: str) -> SkippedAndWaiting:
    """Find the associations that wait for failed ones, and those that overlapping later visits did not wait for.

    Parameters and errors as `find_deferred`.
    """
    waiting: list[VisitDetector] = []
    skipped: list[SkippedAssociation] = []
    for (repository, apdb_config), runs in _by_apdb(records).items():
        stored = find_stored(apdb_config)
        associations = read_associations([run for run in runs if run.apdb_config])
        unplanned = _read_unplanned(repository, runs, associations.planned | stored)
        # What is in the APDB without the repository's knowing is not to come.
        pending = (associations.unfinished - stored) | unplanned.keys()
        if not pending:
            continue
        with open_butler(repository, _PURPOSE) as butler:
            overlaps = Overlaps.read(butler, instrument, pending, stored)
            late = overlaps.find_late()
            regions, _ = read_regions(butler, instrument, late)
        failed = associations.failed | {image for image, failed in unplanned.items() if failed}
        waiting += overlaps.find_behind() - late.keys() - failed
        apdb = open_apdb(apdb_config) if late else None
        skipped += (
            SkippedAssociation(*key, later, tuple(_objects_in(apdb, regions[key])))
            for key, later in late.items()
        )
    return SkippedAndWaiting(
        waiting=tuple(sorted(waiting)),
        skipped=tuple(sorted(skipped, key=lambda each: (each.visit, each.detector))),
    )


def _by_apdb(records: Iterable[RunRecord]) -> dict[tuple[str, str], list[RunRecord]]:
    """Group runs by their repository and the APDB that they fill, with the parts that make what they associate."""
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    before: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        if record.apdb_config is not None:
            groups.setdefault((record.butler, record.apdb_config), []).append(record)
        elif record.part:
            before.setdefault((record.butler, record.division), []).append(record)
    for (repository, _), runs in groups.items():
        for division in {run.division for run in runs if run.part}:
            runs += before.get((repository, division), ())
    return groups


def _read_unplanned(
    repository: str, runs: Iterable[RunRecord], known: Collection[VisitDetector]
) -> dict[VisitDetector, bool]:
    """Read which images parts were to make that are not known, each with whether it has failed.

    The graph of an association has those only that were there when it was built.
    """
    parts = [run for run in runs if not run.apdb_config]
    if not parts:
        return {}
    with open_butler(repository, _PURPOSE) as butler:
        found = dict.fromkeys(find_made(butler, parts), False) | find_unmade(butler, parts)
    return {image: failed for image, failed in found.items() if image not in known}


def _objects_in(apdb: Any, region: Any) -> Iterator[int]:
    from lsst.sphgeom import LonLat, UnitVector3d

    objects = apdb.getDiaObjects(region).drop_duplicates("diaObjectId")
    for number, ra, dec in sorted(
        zip(objects["diaObjectId"], objects["ra"], objects["dec"], strict=True), key=lambda row: int(row[0])
    ):
        # The APDB answers by pixels, which reach beyond the region.
        if region.contains(UnitVector3d(LonLat.fromDegrees(float(ra), float(dec)))):
            yield int(number)
