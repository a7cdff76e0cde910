"""The sandbox's stand-ins are held to the table of Rubin's public pipelines."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apcampaign.pipelines.reference import PipelineFacts, Weight, compare_pipelines, load_table, read_pipeline
from apcampaign.sandbox.create import AP_PIPE_DIR, PACKAGES, create_sandbox
from apcampaign.sandbox.survey import SandboxSize

TABLE = load_table()
WHOLE = ("ApPipe", "QuickTemplate")
STAND_INS = (*WHOLE, "base-v2")
FILES = [
    "_ingredients/ApPipe",
    "_ingredients/QuickTemplate",
    "LSSTCam-imSim/ApPipe",
    "LSSTCam-imSim/SingleFrame",
]
#: Options of the real tasks that the stand-ins do not have.
NOT_HERE = {
    "alertPackager.useAveragePsf",
    "assembleStaticSkyModel.doSelectVisits",
    "connections.inputMap",
    "connections.templateCoadd",
    "file",
    "functorFile",
}
CONTRACT = re.compile(r"(\w+)\.(\w+) == (\w+)\.(\w+)")


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in PACKAGES.items():
        monkeypatch.setenv(name, folder)


@pytest.fixture
def read() -> Callable[[str], PipelineFacts]:
    def read(name: str) -> PipelineFacts:
        expected = TABLE.pipelines[name]
        facts, gap = read_pipeline(expected.location, labels=expected.tasks if expected.part else None)
        assert gap == ""
        return facts

    return read


@pytest.mark.parametrize("name", STAND_INS)
def test_stand_ins_are_as_rubins(read: Callable[[str], PipelineFacts], name: str) -> None:
    differences = [
        difference.what
        for difference in compare_pipelines(TABLE.pipelines[name], read(name))
        if difference.weight is not Weight.NOTE
        and difference.subject.partition(".config.")[2] not in NOT_HERE
    ]
    assert differences == []


@pytest.mark.parametrize("name", WHOLE)
def test_stand_ins_have_no_task_and_no_subset_that_rubins_lack(
    read: Callable[[str], PipelineFacts], name: str
) -> None:
    found = read(name)
    assert set(found.tasks) == set(TABLE.pipelines[name].tasks)
    assert set(found.subsets) == set(TABLE.pipelines[name].subsets)


@pytest.mark.parametrize("name", WHOLE)
def test_rubins_contracts_hold_for_the_stand_ins(name: str) -> None:
    from lsst.pipe.base import Pipeline

    pipeline = Pipeline.from_uri(TABLE.pipelines[name].location)
    if name == "ApPipe":
        pipeline.addConfigOverride("parameters", "apdb_config", "/an/apdb.yaml")
    tasks = pipeline.to_graph().tasks
    checked = 0
    for contract in TABLE.pipelines[name].contracts:
        if match := CONTRACT.fullmatch(contract):
            sides = [_find(tasks[match[first]], match[second]) for first, second in ((1, 2), (3, 4))]
            if None not in sides:
                assert sides[0] == sides[1], contract
                checked += 1
    assert checked >= 5


def _find(task: Any, name: str) -> Any:
    """Give the dataset type of a connection, or the value of a field; `None` if the stand-in has neither."""
    connection = getattr(task.get_connections(), name, None)
    return connection.name if connection is not None else getattr(task.config, name, None)


@pytest.mark.slow
def test_general_template_pipeline_wants_calibrations_that_dc2_lacks(
    read: Callable[[str], PipelineFacts], tmp_path: Path
) -> None:
    wanted = {"ptc", "linearizer", "defects"}
    assert wanted <= set(read("QuickTemplate").tasks["isr"].inputs or ())
    size = SandboxSize(visits=1, detectors=(94,), pixels=64)
    # Not asked by way of Butler, which reads what storage classes mean once in a process.
    with sqlite3.connect(create_sandbox(tmp_path / "dc2", size).butler / "gen3.sqlite3") as registry:
        registered = {name for (name,) in registry.execute("SELECT name FROM dataset_type")}
    assert "bias" in registered
    assert not registered & wanted


@pytest.mark.parametrize("name", FILES)
def test_pipeline_is_where_rubins_is(name: str) -> None:
    assert Path(AP_PIPE_DIR, "pipelines", f"{name}.yaml").is_file()
