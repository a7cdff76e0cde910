"""What is gathered from whole visits is made again with images that had failed before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx
import pytest
from apcampaign.bps import CampaignConfig, Plan, PlannedRun, Stage, Step, plan_campaign
from apcampaign.common.errors import EmptyGraphError
from apcampaign.ledger import Workspace, write_run
from apcampaign.ordering import WRITER
from apcampaign.submit import nodes
from apcampaign.submit.executors import foreground
from apcampaign.submit.executors.campaign_dag import write_work
from apcampaign.submit.parts import outdated
from apcampaign.submit.parts.outdated import forget_outdated, list_gathered, list_images
from apcampaign.submit.work import Work
from lsst.daf.butler import DataCoordinate, DimensionUniverse
from run_records import record_of

FIRST, AGAIN = "20251012T010203Z", "20251013T010203Z"
VISITS, IMAGES = "diffim-visits-1", "diffim-images-1"
RECORD: Any = SimpleNamespace(graph="g.qg", name=IMAGES)


def divide(workspace: Workspace, timestamp: str) -> Work:
    """Plan difference imaging in a part of visits and one of images, both of which have been prepared at first."""
    (run,) = plan_campaign(workspace.campaign, timestamp=timestamp, steps=[Step.DIFFIM], templates="T")
    parts = [
        replace(run, part=f"{stage}-1", stage=stage, division=FIRST) for stage in (Stage.VISITS, Stage.IMAGES)
    ]
    plan = Plan(timestamp=timestamp, runs=tuple(parts), edges=frozenset({(VISITS, IMAGES)}))
    for each in parts[: 1 if timestamp == AGAIN else 2]:
        record = record_of(workspace, each, service="lsst.ctrl.bps.parsl.ParslService")
        changes = {"part": each.part, "stage": each.stage, "division": FIRST}
        write_run(workspace.paths.run(each), record.model_copy(update=changes))
    return Work(workspace=workspace, plan=plan)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")


def make_graph(*, gathered_before_association: bool = False) -> Any:
    """Make a graph of two visits: an image each, a table of it, and what is drawn of the table."""
    universe = DimensionUniverse()
    quanta, datasets = networkx.DiGraph(), networkx.DiGraph()
    by_task: dict[str, list[DataCoordinate]] = {}
    for visit in (7, 8):
        values = {"instrument": "Cam", "visit": visit}
        whole = DataCoordinate.standardize(values, universe=universe)
        image = DataCoordinate.standardize(values, detector=94, universe=universe)
        last = WRITER if gathered_before_association else "plot"
        tasks = (("subtract", image), ("table", whole), (last, image if last == WRITER else whole))
        for label, data_id in tasks:
            quanta.add_node((label, visit), task_label=label, data_id=data_id)
            datasets.add_edge((label, visit), f"{label} of {visit}")
            by_task.setdefault(label, []).append(data_id)
        networkx.add_path(quanta, [(label, visit) for label, _ in tasks])
    return SimpleNamespace(quantum_only_xgraph=quanta, bipartite_xgraph=datasets, quanta_by_task=by_task)


def test_what_is_of_a_whole_visit_is_told_from_its_images_and_from_associations(monkeypatch) -> None:
    monkeypatch.setattr(outdated, "_read_graph", lambda *_, **__: make_graph())
    assert list_images(RECORD) == {7, 8}
    assert set(list_gathered(RECORD, {7})) == {"table of 7", "plot of 7"}
    graph = make_graph(gathered_before_association=True)
    monkeypatch.setattr(outdated, "_read_graph", lambda *_, **__: graph)
    assert set(list_gathered(RECORD, {7})) == set()


class Removed:
    """A repository that holds everything, and remembers what was removed from it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def get_dataset(self, name: str) -> str:
        return name

    def pruneDatasets(self, refs: list[str], **_: bool) -> None:  # noqa: N802 - Butler's
        self.names += refs


def test_tables_of_visits_of_which_images_were_made_since_are_made_again(workspace, monkeypatch) -> None:
    first = divide(workspace, FIRST)
    again = divide(workspace, AGAIN)
    removed = Removed()

    @contextmanager
    def open_removed(*_: Any, **__: bool) -> Iterator[Removed]:
        yield removed

    asked: list[str] = []

    def read(record: Any, *, whole: bool) -> Any:
        asked.append(f"{record.timestamp} {record.name}")
        return make_graph()

    monkeypatch.setattr(outdated, "open_butler", open_removed)
    monkeypatch.setattr(outdated, "has_graph", lambda _: True)
    monkeypatch.setattr(outdated, "_read_graph", read)
    forget_outdated(first, first.plan.find(IMAGES))
    forget_outdated(again, again.plan.find(VISITS))
    assert asked == removed.names == []
    forget_outdated(again, again.plan.find(IMAGES))
    assert asked == [f"{AGAIN} {VISITS}", f"{FIRST} {IMAGES}"]
    assert sorted(removed.names) == ["plot of 7", "plot of 8", "table of 7", "table of 8"]
    # Where the visits were done, and so have no new run, nothing is touched.
    removed.names.clear()
    alone = replace(again, plan=Plan(timestamp=AGAIN, runs=(again.plan.find(IMAGES),)))
    forget_outdated(alone, alone.plan.find(IMAGES))
    assert removed.names == []


def test_they_are_removed_before_their_part_is_prepared_by_nodes_and_in_the_foreground(
    workspace, monkeypatch
) -> None:
    work = divide(workspace, AGAIN)
    files = workspace.paths.dag(AGAIN)
    write_work(work, files)
    done: list[str] = []

    def prepare(*_: Any, **__: Any) -> None:
        done.append("prepared")
        raise EmptyGraphError("no quanta")

    def forget(_: Work, run: PlannedRun) -> None:
        done.append(run.name)

    for module, name in ((nodes, "prepare_or_reuse"), (foreground, "prepare_run")):
        monkeypatch.setattr(module, name, prepare)
        monkeypatch.setattr(module, "forget_outdated", forget)
    nodes.prepare_node_run(files.folder, workspace.runs, IMAGES)
    foreground._run(work, work.plan.find(IMAGES), files, "")
    assert done == [IMAGES, "prepared"] * 2
