"""Coadds are not made of fewer visits than the campaign has for them, since one of these has failed."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import CampaignConfig, Plan, PlannedRun, Stage, Step, plan_campaign
from apcampaign.bps.shape import TaskShape
from apcampaign.common.errors import EmptyGraphError
from apcampaign.ledger import Quantum, QuantumState, Workspace, write_run
from apcampaign.submit import nodes
from apcampaign.submit.executors import foreground
from apcampaign.submit.executors.campaign_dag import write_work
from apcampaign.submit.parts import unfinished_visits
from apcampaign.submit.parts.unfinished_visits import find_needed, leave_out, leave_out_unfinished
from apcampaign.submit.work import Work
from run_records import record_of

TIMESTAMP = "20251012T010203Z"
VISITS, COADDS = "templates-visits-1", "templates-coadds-1"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Templates in a part of visits, which was run, and one of coadds."""
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")
    (run,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.TEMPLATES])
    parts = [
        replace(run, part=f"{stage}-1", stage=stage, division=TIMESTAMP)
        for stage in (Stage.VISITS, Stage.COADDS)
    ]
    plan = Plan(timestamp=TIMESTAMP, runs=tuple(parts), edges=frozenset({(VISITS, COADDS)}))
    record = record_of(workspace, plan.find(VISITS), service="lsst.ctrl.bps.htcondor.HTCondorService")
    record = record.model_copy(update={"part": "visits-1", "stage": Stage.VISITS, "division": TIMESTAMP})
    write_run(workspace.paths.run(plan.find(VISITS)), record)
    return Work(workspace=workspace, plan=plan)


def task(label: str, reads: str, makes: str) -> TaskShape:
    return TaskShape(
        label=label,
        dimensions=frozenset({"visit"}),
        inputs=frozenset(reads.split()),
        outputs=frozenset(makes.split()),
        reads_patches=False,
    )


OF_VISITS = [
    task("isr", "raw", "post_isr_image"),
    task("calibrateImage", "post_isr_image", "visit_image catalog"),
    task("analyzeImage", "catalog", "metrics"),
    task("consolidateVisitSummary", "visit_image", "summary"),
]


def test_what_coadds_are_made_of_is_told_from_what_is_measured_besides() -> None:
    warp = task("makeDirectWarp", "visit_image summary", "warp")
    assert find_needed([warp], OF_VISITS) == {"isr", "calibrateImage", "consolidateVisitSummary"}


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ((), None),
        ((("analyzeImage", {"visit": 7, "detector": 94}),), None),
        (
            (("isr", {"exposure": 7, "detector": 94}), ("calibrateImage", {"visit": 7, "detector": 94})),
            {
                frozenset({("exposure", 7), ("detector", 94)}),
                frozenset({("visit", 7), ("detector", 94)}),
            },
        ),
        ((("consolidateVisitSummary", {"visit": 7}),), {frozenset({("visit", 7)})}),
    ],
)
def test_coadds_under_images_that_are_not_done_are_left_out(
    work: Work, monkeypatch: pytest.MonkeyPatch, failed: tuple[Any, ...], expected: Any
) -> None:
    quanta = [
        Quantum(label="isr", data_id={"exposure": 8, "detector": 94}, state=QuantumState.SUCCESSFUL),
        *(Quantum(label=label, data_id=data_id, state=QuantumState.FAILED) for label, data_id in failed),
    ]
    found: list[Any] = []

    def find_coadds(_butler: Any, _run: PlannedRun, undone: Any) -> frozenset[tuple[int, str, int]]:
        found.append(undone)
        return frozenset({(3828, "r", 17), (3828, "r", 16), (3828, "g", 16)})

    for name, stand_in in {
        "open_butler": lambda *_: nullcontext(),
        "has_graph": lambda _: True,
        "has_all_records": lambda *_: False,
        "read_quanta": lambda *_: quanta,
        "make_run_spec": lambda *_: None,
        "load_graph": lambda *_: ([task("makeDirectWarp", "visit_image summary", "warp")], []),
        "read_pipeline_graph": lambda _: OF_VISITS,
        "list_tasks": lambda tasks: tasks,
        "_find_coadds": find_coadds,
    }.items():
        monkeypatch.setattr(unfinished_visits, name, stand_in)
    coadds = work.plan.find(COADDS)
    narrowed = leave_out_unfinished(work, coadds)
    if expected is None:
        assert (narrowed, found) == (coadds, [])
    else:
        assert found == [expected]
        assert narrowed == replace(coadds, query=leave_out(coadds.query, find_coadds(None, coadds, None)))
        assert narrowed.query == (
            f"({coadds.query}) AND NOT (tract = 3828 AND band = 'g' AND patch IN (16)) AND "
            "NOT (tract = 3828 AND band = 'r' AND patch IN (16, 17))"
        )
    assert leave_out_unfinished(work, work.plan.find(VISITS)) == work.plan.find(VISITS)


def test_parts_are_prepared_without_them_by_nodes_and_in_the_foreground(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = work.workspace.paths.dag(TIMESTAMP)
    write_work(work, files)
    queries = []

    def prepare(_work: Work, run: PlannedRun, **_: Any) -> None:
        queries.append(run.query)
        raise EmptyGraphError("no quanta")

    for module, name in ((nodes, "prepare_or_reuse"), (foreground, "prepare_run")):
        monkeypatch.setattr(module, name, prepare)
        monkeypatch.setattr(
            module, "leave_out_unfinished", lambda _, run: replace(run, query=f"{run.name} narrowed")
        )
    nodes.prepare_node_run(files.folder, work.workspace.runs, COADDS)
    foreground._run(work, work.plan.find(COADDS), files, "")
    # Where all wait, there is nothing to do, and `resume` makes them when the visits are there.
    assert queries == [f"{COADDS} narrowed"] * 2
    assert files.empty(COADDS).exists()
