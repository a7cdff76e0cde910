"""One command takes a campaign of LSSTCam on an unkind sky to a verified APDB; it says what is missing and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps.data import merge
from apcampaign.sandbox.create import Sandbox, create_sandbox
from apcampaign.sandbox.flaws import Flaw
from apcampaign.sandbox.servers import CondorPool
from apcampaign.sandbox.survey import SandboxSize, Survey
from lsst.daf.butler import Butler
from operators import COARSE, COARSE_DIFFIM, RUN_DEADLINE, Operator, make_operator, write_campaign

pytestmark = [pytest.mark.slow(minutes=3.5), pytest.mark.htcondor]

SIZE = SandboxSize(instrument="LSSTCam", visits=4, template_visits=2, detectors=(93, 94), unkind=0.02)
SURVEY = Survey(SIZE)
CLOUDY, LOST, CROWDED = (next(image for image, flaw in SURVEY.flaws.items() if flaw is kind) for kind in Flaw)
#: The last visit lies beside the templates.
BESIDE = SURVEY.science_visits[-1].id, 93
SCIENCE = {(visit.id, detector) for visit in SURVEY.science_visits for detector in SIZE.detectors}
GOOD = SCIENCE - {LOST, BESIDE}
# The crowded image belongs to a job that requests too little memory for it.
_LITTLE = {
    label: {"requestMemory": 768} for label in COARSE["bps"]["cluster"]["makeWarp"]["pipetasks"].split(",")
}
_CALIBRATION = {"pipetasks": "isr,calibrateImage,consolidateVisitSummary", "dimensions": "instrument"}


@pytest.fixture(scope="module")
def unkind(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return create_sandbox(tmp_path_factory.mktemp("unkind") / "sandbox", SIZE)


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, unkind: Sandbox, condor_pool: CondorPool
) -> Iterator[Operator]:
    """A campaign of both steps, run to its end by one command."""
    operator = make_operator(tmp_path_factory.mktemp("done"), unkind, condor_pool)
    content = unkind.campaign()
    calibration = {
        "cluster": {"singleFrame": _CALIBRATION},
        # A job requests as much as the greediest of its tasks.
        "pipetask": {"consolidateVisitSummary": _LITTLE["consolidateVisitSummary"]},
    }
    write_campaign(
        operator.folder,
        unkind,
        templates=merge(COARSE, content["templates"], {"bps": {"pipetask": _LITTLE}}),
        diffim=merge(COARSE_DIFFIM, content["diffim"], {"bps": calibration}),
    )
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    operator.apcampaign("submit")
    assert operator.wait_for_dag() == 0
    return operator


def found(operator: Operator, unkind: Sandbox, name: str) -> set[tuple[int, int]]:
    collections = f"u/*/{operator.folder.name}/*"
    with Butler.from_config(str(unkind.butler)) as butler:
        refs = butler.query_datasets(name, collections=butler.collections.query(collections), limit=None)
        return {(int(ref.dataId["visit"]), int(ref.dataId["detector"])) for ref in refs}


def test_the_flaws_are_where_this_test_needs_them() -> None:
    assert LOST in SCIENCE
    assert CROWDED in GOOD
    assert CLOUDY not in SCIENCE


def test_all_that_can_be_associated_is(done: Operator, unkind: Sandbox) -> None:
    assert found(done, unkind, "dia_source_apdb") == found(done, unkind, "difference_image") == GOOD


def test_what_there_is_of_a_bad_detector_is_kept(done: Operator, unkind: Sandbox) -> None:
    every = {(visit.id, detector) for visit in SURVEY.visits for detector in SIZE.detectors}
    assert found(done, unkind, "preliminary_visit_image") == every
    assert found(done, unkind, "single_visit_psf_star") == every - {CLOUDY}
    assert found(done, unkind, "single_visit_star_footprints") == every - {CLOUDY, LOST}


def test_the_campaign_is_complete_and_says_what_is_missing_and_why(done: Operator) -> None:
    summary: dict[str, Any] = done.summary()
    assert summary["good"]
    assert summary["verification"]["good"]
    images = {
        (each["visit"], each["detector"]): (each["task"], each["why"]) for each in summary["missing_images"]
    }
    assert images == {
        LOST: (
            "calibrateImage",
            "SandboxAlgorithmError: too few stars match the reference catalogue",
        ),
        BESIDE: ("buildTemplate", "no work found: no template overlaps this detector"),
    }
    assert summary["missing_templates"]
    partial = {
        step["step"]: {label: count["partial"] for label, count in step["quanta"].items() if count["partial"]}
        for step in summary["steps"]
    }
    assert partial == {"templates": {"calibrateImage": 1}, "diffim": {"calibrateImage": 1}}
    said = done.apcampaign("summary")
    assert "science images without a difference image" in said
    assert f"{BESIDE[0]}: {BESIDE[1]}" in said


def test_a_job_that_needed_more_memory_than_it_had_got_it(done: Operator) -> None:
    (log,) = done.folder.glob("runs/*/diffim/*/submit/*.nodes.log")
    held = [event for event in log.read_text().split("...\n") if event.startswith("012 ")]
    assert len(held) == 1
    assert "Code 3 Subcode 34" in held[0]


def test_it_is_told_which_detector_is_bad_and_why(done: Operator) -> None:
    said = done.apcampaign("failures", "--quanta", good=None)
    assert "too few stars to measure the point-spread function" in said


def test_a_later_campaign_may_take_these_templates_and_is_complete_with_its_own_step(
    tmp_path: Path, done: Operator, unkind: Sandbox
) -> None:
    (visit, detector), *_ = sorted(GOOD)
    collection = done.summary()["steps"][0]["runs"][0]["output_run"].rpartition("/")[0]
    where = f"visit = {visit} AND detector = {detector}"
    mine = {"pipeline": SIZE.camera.pipelines[1], "skipExistingIn": []}
    diffim = {**COARSE_DIFFIM, **mine, "templates": collection, "where": where}
    operator = make_operator(tmp_path, unkind)
    write_campaign(
        operator.folder,
        unkind,
        name=f"later-{done.folder.name}",
        site="parsl-local",
        steps="diffim",
        tracts=None,
        templates={},
        diffim=diffim,
    )
    operator.apcampaign("apdb", "init", "--db", f"sqlite:///{operator.folder}/apdb.db")
    operator.apcampaign("submit", "--foreground", seconds=RUN_DEADLINE)
    summary = operator.summary()
    assert [step["step"] for step in summary["steps"]] == ["diffim"]
    assert summary["good"]
    assert summary["steps"][0]["products"] == 1
    assert summary["missing_images"] == []
    assert list(operator.folder.glob("runs/*/report.html"))
