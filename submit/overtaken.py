"""Associations that did not end well: which of them others have gone past, or shall go past."""

__all__ = ["Gaps", "Overtaken", "find_gaps", "pass_failures", "read_lateness"]

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..apdb import open_apdb
from ..bps import Campaign, Step
from ..common.errors import SubmissionError
from .associated import read_planned
from .footprints import read_footprints, read_regions
from .ledger import RunRecord, list_runs
from .order import find_overtaken, order_edges
from .ordering import WRITER, VisitDetector, read_associated
from .paths import CampaignPaths

Say = Callable[[str], None]


@dataclass(frozen=True)
class Overtaken:
    """A (visit, detector) that is not in the APDB, although later visits of its sky are.

    Parameters
    ----------
    visit, detector
        Which.
    later
        The latest visit, and its detector, that was associated on its sky.
    objects
        The DiaObjects in its region: all lack this visit.
    """

    visit: int
    detector: int
    later: VisitDetector
    objects: tuple[int, ...]


@dataclass(frozen=True)
class Gaps:
    """What failures have done to the order of visits.

    Parameters
    ----------
    waiting
        The (visit, detector)s that have not been associated since an earlier one of the same sky was not.
    overtaken
        Those that others did not wait for.
    """

    waiting: tuple[VisitDetector, ...] = ()
    overtaken: tuple[Overtaken, ...] = ()


def read_lateness(record: RunRecord, instrument: str) -> dict[VisitDetector, int]:
    """Find the associations that others shall not wait for, after a run with failures.

    Parameters
    ----------
    record
        The newest diffim run, ended.
    instrument
        Name of the instrument.

    Returns
    -------
    late
        2 for each (visit, detector) whose association failed in this run, or could have begun and has left no
        trace, or can never begin since a task before it failed; 1 for each of the others that has been
        overtaken, so that it comes late anyway. Those with a 2 come last: they may fail again, and none of the
        others shall wait for that.

    Raises
    ------
    SubmissionError
        If the run's graph or its outputs cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    from lsst.daf.butler import Butler

    undone = _read_undone(record)
    if not undone or record.apdb_config is None:
        return {}
    keys = sorted(undone)
    stored = sorted(read_associated(record.apdb_config) - set(keys))
    with closing(Butler.from_config(record.butler)) as butler:
        footprints, ranks = read_footprints(butler, instrument, [*keys, *stored])
    waiting = {child for _, child in order_edges(footprints[: len(keys)], ranks[: len(keys)])}
    overtaken = find_overtaken(footprints, ranks, [False] * len(keys) + [True] * len(stored))
    late = {keys[i]: 1 for i in overtaken}
    late |= {key: 2 for i, key in enumerate(keys) if undone[key] or i not in waiting}
    return late


def pass_failures(campaign: Campaign, paths: CampaignPaths, say: Say = print) -> dict[VisitDetector, int]:
    """Find what others shall not wait for in a campaign's next diffim run, and say so; see `read_lateness`."""
    runs = list_runs(paths, Step.DIFFIM)
    late = read_lateness(runs[-1], campaign.instrument) if runs else {}
    for visit, detector in sorted(late):
        say(
            f"visit {visit}, detector {detector}: later visits of its sky do not wait for it, it comes after them"
        )
    return late


def find_gaps(record: RunRecord, instrument: str) -> Gaps:
    """Find the associations of a run that wait for failed ones, those that others have gone past, and their sky.

    Parameters and errors as `read_lateness`.
    """
    from lsst.daf.butler import Butler

    undone = _read_undone(record)
    if not undone or record.apdb_config is None:
        return Gaps()
    present = read_associated(record.apdb_config)
    keys = sorted(undone.keys() - present)
    every = [*keys, *sorted(present)]
    with closing(Butler.from_config(record.butler)) as butler:
        footprints, ranks = read_footprints(butler, instrument, every)
        found = find_overtaken(footprints, ranks, [False] * len(keys) + [True] * len(present))
        regions, _ = read_regions(butler, instrument, [keys[i] for i in found])
    after = {child for _, child in order_edges(footprints[: len(keys)], ranks[: len(keys)])}
    apdb = open_apdb(record.apdb_config)
    return Gaps(
        waiting=tuple(keys[i] for i in sorted(after - found.keys()) if not undone[keys[i]]),
        overtaken=tuple(
            Overtaken(*keys[i], every[later], tuple(_objects_in(apdb, regions[keys[i]])))
            for i, later in sorted(found.items())
        ),
    )


def _objects_in(apdb: Any, region: Any) -> Iterable[int]:
    from lsst.sphgeom import LonLat, UnitVector3d

    objects = apdb.getDiaObjects(region).drop_duplicates("diaObjectId")
    for number, ra, dec in sorted(
        zip(objects["diaObjectId"], objects["ra"], objects["dec"], strict=True), key=lambda row: int(row[0])
    ):
        if region.contains(UnitVector3d(LonLat.fromDegrees(float(ra), float(dec)))):
            yield int(number)


def _read_undone(record: RunRecord) -> dict[VisitDetector, bool]:
    """Read which associations of a run are not done, and whether it is known that they failed."""
    from lsst.daf.butler import Butler, MissingCollectionError
    from lsst.pipe.base.quantum_provenance_graph import QuantumInfoStatus, QuantumProvenanceGraph

    try:
        with Butler.from_config(record.butler) as butler:
            graph = QuantumProvenanceGraph(butler, [record.graph], read_caveats=None, use_qbb=False)
    except MissingCollectionError:
        return dict.fromkeys(read_planned(record.graph), False)  # not even its first job has run
    except Exception as error:
        raise SubmissionError(
            f"what run {record.output_run} has done cannot be read from {record.graph}: "
            f"{type(error).__name__}: {error}"
        ) from error
    undone = {}
    for key in graph.quanta.get(WRITER, ()):
        info = graph.get_quantum_info(key)
        if info["status"] is not QuantumInfoStatus.SUCCESSFUL:
            visit_detector = int(info["data_id"]["visit"]), int(info["data_id"]["detector"])
            undone[visit_detector] = info["status"] is not QuantumInfoStatus.UNKNOWN
    return undone
