"""A detector that cannot be calibrated costs only itself: real exceptions of lsst.pipe.base, through BPS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.survey import SandboxSize, Survey
from lsst.daf.butler import Butler
from operators import COARSE, COARSE_DIFFIM, RUN_DEADLINE, Operator, make_operator, write_campaign

pytestmark = pytest.mark.slow

SIZE = SandboxSize(visits=3, detectors=(93, 94), unkind=0.2, seed=4)
(BAD,) = (
    (visit.id, detector)
    for visit in Survey(SIZE).visits
    for detector in SIZE.detectors
    if Survey(SIZE).is_bad(visit, detector)
)
GOOD = {(visit.id, detector) for visit in Survey(SIZE).visits for detector in SIZE.detectors} - {BAD}


@pytest.fixture(scope="module")
def unkind(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return create_sandbox(tmp_path_factory.mktemp("unkind") / "sandbox", SIZE)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, unkind: Sandbox) -> Iterator[Operator]:
    """A campaign of both steps, run to its end with Parsl."""
    operator = make_operator(tmp_path_factory.mktemp("done"), unkind)
    write_campaign(operator.folder, unkind, templates=COARSE, diffim=COARSE_DIFFIM, site="parsl-local")
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    operator.apcampaign("submit", "--foreground", seconds=2 * RUN_DEADLINE)
    return operator


def found(operator: Operator, unkind: Sandbox, name: str) -> set[tuple[int, int]]:
    collections = f"u/*/{operator.folder.name}/*"
    with Butler.from_config(str(unkind.butler)) as butler:
        refs = butler.query_datasets(name, collections=butler.collections.query(collections), limit=None)
        return {(int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs}


def test_all_others_of_the_visit_are_associated(done: Operator, unkind: Sandbox) -> None:
    assert found(done, unkind, "dia_source_apdb") == found(done, unkind, "difference_image") == GOOD


def test_what_there_is_of_a_bad_detector_is_kept(done: Operator, unkind: Sandbox) -> None:
    assert found(done, unkind, "preliminary_visit_image") == GOOD | {BAD}
    assert found(done, unkind, "single_visit_star_footprints") == GOOD


def test_the_campaign_is_complete(done: Operator) -> None:
    summary: dict[str, Any] = done.summary()
    assert summary["good"]
    templates, diffim = summary["steps"]
    assert templates["quanta"]["consolidateVisitSummary"]["successful"] == SIZE.visits
    assert diffim["products"] == len(GOOD)
    partial = {label: count["partial"] for label, count in templates["quanta"].items() if count["partial"]}
    assert partial == {"calibrateImage": 1}


def test_it_is_told_which_detector_is_bad_and_why(done: Operator) -> None:
    assert "partial outputs: 1 of calibrateImage" in done.apcampaign("summary")
    said = done.apcampaign("failures", "--quanta", good=None)
    assert "too few stars to measure the point-spread function" in said


def test_a_later_campaign_may_take_these_templates_and_is_complete_with_its_own_step(
    tmp_path: Path, done: Operator, unkind: Sandbox
) -> None:
    (visit, detector), *_ = sorted(GOOD)
    collection = done.summary()["steps"][0]["runs"][0]["output_run"].rpartition("/")[0]
    where = f"visit = {visit} AND detector = {detector}"
    diffim = {**COARSE_DIFFIM, "templates": collection, "where": where}
    operator = make_operator(tmp_path, unkind)
    write_campaign(
        operator.folder,
        unkind,
        name=f"later-{done.folder.name}",
        site="parsl-local",
        steps="diffim",
        tracts=None,
        diffim=diffim,
    )
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    operator.apcampaign("submit", "--foreground", seconds=RUN_DEADLINE)
    summary = operator.summary()
    assert [step["step"] for step in summary["steps"]] == ["diffim"]
    assert summary["good"]
    assert summary["steps"][0]["products"] == 1
    assert list(operator.folder.glob("runs/*/report.html"))
