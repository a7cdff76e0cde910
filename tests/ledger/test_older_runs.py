"""Runs that version 0.1 has recorded are read as those of today; tests/submit/test_recovery.py continues one."""

import json
from pathlib import Path
from typing import Any

import pytest
from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.servers import CondorPool
from forked import run_forked
from older_runs import continue_older, unpack_older_runs
from operators import shell_environment

pytestmark = pytest.mark.slow(minutes=0.5)

NAMES = ("complete", "cancelled", "steps")
# Keys that have changed their names or places.
RENAMED = {"going_on": "active", "chain": "dag", "advice": "remedies"}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    return unpack_older_runs(tmp_path_factory.mktemp("older"), sandbox.folder)


def ask(folder: Path, sandbox: Sandbox, *words: str) -> Any:
    """Ask for JSON, whatever the exit code."""
    environment = shell_environment(sandbox) | {"TZ": "UTC"}
    done = run_forked([*words, "--json"], cwd=folder, env=environment, timeout=120)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def said(older: Path, name: str, command: str) -> Any:
    return json.loads((older / "said" / f"{name}.{command}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_what_version_0_1_said(older: Path, sandbox: Sandbox, name: str) -> None:
    then, now = said(older, name, "status"), ask(older / name, sandbox, "status")
    same = ("campaign", "going_on", "chain", "waiting", "unknown")
    assert {key: now[RENAMED.get(key, key)] for key in same} == {key: then[key] for key in same}
    for step, before in zip(now["steps"], then["steps"], strict=True):
        (run,) = step["runs"]
        assert {key: run[key] for key in ("output_run", "folder", "state")}.items() <= before.items()
        for key in ("step", "state", "jobs", "labels", "expected", "began", "ended", "earlier_runs"):
            assert step[key] == before[key]


@pytest.mark.parametrize("name", NAMES)
def test_runs_and_failures_are_what_version_0_1_said(older: Path, sandbox: Sandbox, name: str) -> None:
    runs = ask(older / name, sandbox, "runs")
    new = {"part": "", "stage": None, "division": "", "query": "", "adopted_from": "", "schedd": ""}
    assert [run | new for run in said(older, name, "runs")] == runs
    then, now = said(older, name, "failures"), ask(older / name, sandbox, "failures")
    for group in then["groups"]:
        del group["advice"]
    for group in now["groups"]:
        assert group.pop("remedies")
        del group["gaps"]  # of what the logs do not tell nothing was said
    stopped = {"run": "diffim", "state": "failed", "left": 3, "jobs": 12, "remedy": "`apcampaign resume`"}
    assert now == then | {"stopped": [stopped] if name == "steps" else []}


def test_the_summary_of_runs_that_are_not_in_the_repository_knows_no_quantum(
    older: Path, sandbox: Sandbox
) -> None:
    summary = ask(older / "cancelled", sandbox, "summary")
    (step,) = summary["steps"]
    assert step["quanta"]["makeDirectWarp"]["expected"] == 8
    assert all(quanta["unknown"] == quanta["expected"] for quanta in step["quanta"].values())
    assert not summary["good"]


@pytest.mark.htcondor
def test_a_step_by_itself_would_get_a_new_graph(
    tmp_path: Path, sandbox: Sandbox, condor_pool: CondorPool
) -> None:
    operator = continue_older(tmp_path, "steps", sandbox, condor_pool, f"sqlite:///{tmp_path}/apdb.db")
    told = operator.apcampaign("resume", "--dry-run", good=False)
    assert "diffim: 54 of 54 quanta to rerun" in told
    assert "HTCondorService cannot continue a run that is in no campaign DAG: building new graphs" in told
    # The repository is another one.
    assert "it would be refused: the templates in u/root/steps/templates cannot be compared" in told
