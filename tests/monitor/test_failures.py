"""A campaign with a fault of each kind planted in it: what its operator is told, while it runs and after."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from forked import run_forked
from interference import wait_for
from operators import COMMAND, Operator, make_operator, plant, write_campaign

pytestmark = [pytest.mark.slow(minutes=1.2), pytest.mark.htcondor]

#: What befalls the jobs of the patches of tract 3828 that a detector sees.
FAULTS = (
    {"kind": "raise", "label": "makeDirectWarp", "patch": 24, "times": 100, "message": "no PSF"},
    {"kind": "hungry", "label": "makeDirectWarp", "patch": 25, "visit": 731000, "needs": 10**6},
    {"kind": "hang", "label": "makeDirectWarp", "patch": 25, "visit": 731100, "times": 1},
    {"kind": "kill", "label": "makeDirectWarp", "patch": 18, "visit": 731100, "times": 1},
    {
        "kind": "lose-input",
        "label": "assembleTemplateCoadd",
        "patch": 18,
        "dataset_type": "_warp",
        "times": 1,
    },
)
WALLTIME = "periodic_remove = JobStatus == 2 && time() - EnteredCurrentStatus > 25"


def ask(operator: Operator, *words: str) -> dict[str, Any]:
    """Ask for JSON, whatever the exit code."""
    done = run_forked([*words, "--json"], cwd=operator.folder, env=operator.environment, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def edit(submit: Path, job: str, pattern: str, line: str) -> None:
    """Change a line of a job's submit description, before DAGMan reads it."""
    (path,) = submit.glob(f"jobs/**/{job}.sub")
    text, count = re.subn(pattern, lambda _: line, path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def is_all_but_held(watched: Path) -> bool:
    """Tell whether all that is left is the held job, and the last job of the run, which waits for it."""
    *_, last = ["", *watched.read_text().splitlines()]
    jobs = json.loads(last)["steps"][0]["jobs"] if last.endswith("}") else {}
    return bool(jobs) and jobs["held"] == jobs["unready"] == 1 and not jobs["running"] + jobs["idle"]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory, sandbox, condor_pool):
    """A templates run whose faults have all struck; the last job is held, so that it goes on."""
    folder = tmp_path_factory.mktemp("troubled")
    operator = make_operator(folder, sandbox, condor_pool)
    little = {"requestMemory": 400, "numberOfRetries": 1}
    settings = {
        "pipetask": {"makeDirectWarp": little, "makePsfMatchedWarp": little},
        # One job before those that fail.
        "cluster": {
            "singleFrame": {
                "pipetasks": "isr,calibrateImage,consolidateVisitSummary",
                "dimensions": "instrument",
            }
        },
    }
    templates = {"pipeline": "ApTemplate-DC2.yaml", "bps": settings}
    write_campaign(folder, sandbox, templates=templates, where="detector = 94")
    operator = plant(operator, *FAULTS)
    operator.apcampaign("submit", "templates", "--tracts", "3828")
    (submit,) = folder.glob("runs/*/templates/*/submit")
    edit(submit, "selectAndAssemble_r_3828_17", "^executable=.*", "executable=/no/such/pipetask")
    edit(submit, "makeWarp_3828_25_731100", "^periodic_remove=.*", WALLTIME)
    watched = (folder / "watched").open("w")
    watch = subprocess.Popen(
        [str(COMMAND), "status", "--watch", "--json"],
        cwd=folder,
        env=dict(operator.environment),
        stdout=watched,
    )
    try:
        wait_for(lambda: is_all_but_held(folder / "watched"), "all jobs but the held one")
        yield operator, ask(operator, "status")
        operator.apcampaign("cancel", seconds=240)
        assert watch.wait(timeout=120) == 0
    finally:
        watch.kill()
        watched.close()


def test_a_live_run_tells_the_cause_of_each_fault(troubled):
    operator, _ = troubled
    failures = ask(operator, "failures")
    groups = {group["kind"]: group for group in failures["groups"]}
    assert {kind: group["count"] for kind, group in groups.items()} == {
        "exception": 2,
        "out of memory": 1,
        "walltime": 1,
        "missing input": 1,
        "missing executable": 1,
    }
    assert groups["exception"]["task"] == "makeDirectWarp"
    assert groups["exception"]["cause"] == "RuntimeError: no PSF"
    assert groups["exception"]["example"]["lines"][-2:] == [
        "RuntimeError: no PSF",
        "from KeyError: 'psf'",
    ]
    assert groups["exception"]["exit_codes"] == {"1": 2}
    assert groups["exception"]["pruned"] == {"selectAndAssemble": 1}
    assert "NOT (tract = 3828 AND patch = 24 AND visit = 731000)" in groups["exception"]["remedies"][-1]
    assert Path(groups["exception"]["example"]["log"]).exists()
    memory = groups["out of memory"]
    assert memory["signals"] == {"9": 1}
    assert memory["memory_request"] >= 400
    assert "--set templates.cluster.makeWarp.requestMemory=" in memory["remedies"][0]
    assert groups["missing input"]["cause"].startswith("FileNotFoundError: ")
    assert groups["missing input"]["label"] == "selectAndAssemble"
    assert groups["missing executable"]["cause"] == "/no/such/pipetask: No such file or directory"
    assert list(groups["missing executable"]["jobs"]) == ["held"]
    assert re.match(r"removed after (2\d s|[3-5]\d s|1 min)", groups["walltime"]["cause"])
    # What passed at a later attempt is no failure.
    retried = {(group["kind"], tuple(group["jobs"])): group for group in failures["retried"]}
    assert list(retried) == [("out of memory", ("done",))]
    (again,) = retried.values()
    assert again["jobs"] == {"done": ["makeWarp_3828_18_731100"]}
    # What the first attempt said is kept.
    assert Path(again["example"]["log"]).name.endswith(".0.out")
    assert failures["pruned"] == {"templates": 2}
    said = operator.apcampaign("failures", good=False)
    assert "RuntimeError: no PSF" in said
    assert "\x1b[" not in said


def test_a_live_run_says_what_it_waits_for(troubled):
    _, status = troubled
    (step,) = status["steps"]
    assert status["active"]
    assert step["state"] == "held"
    assert step["jobs"] == {
        "done": 6,
        "running": 0,
        "idle": 0,
        "held": 1,
        "failed": 5,
        "pruned": 2,
        "unready": 1,
    }
    assert step["labels"]["makeWarp"]["retried"] == 1
    (line,) = status["waiting"]
    assert line == ("1 job of templates selectAndAssemble held: /no/such/pipetask: No such file or directory")
    assert step["expected"] is None  # nothing goes on by itself
    assert not status["unknown"]


def test_files_alone_tell_as_much_on_another_host(troubled, tmp_path):
    operator, status = troubled
    shutil.copytree(operator.folder / "runs", tmp_path / "runs")
    environment = {name: value for name, value in operator.environment.items() if "CONDOR" not in name}
    elsewhere = Operator(operator.folder, environment)
    found = ask(elsewhere, "status", "--runs", str(tmp_path / "runs"))
    assert found["steps"][0]["jobs"] == status["steps"][0]["jobs"]
    (note,) = found["unknown"]
    assert note.startswith("HTCondor does not answer")
    assert len(ask(elsewhere, "failures", "--runs", str(tmp_path / "runs"))["groups"]) == 5


def test_quanta_tell_what_jobs_do_not(troubled):
    operator, _ = troubled
    quanta = ask(operator, "failures", "--quanta")["quanta"]["templates"]
    assert {label: [data_id["patch"] for data_id in found["failed"]] for label, found in quanta.items()} == {
        "makeDirectWarp": [24, 24],
        "assembleTemplateCoadd": [18],
    }
    assert quanta["makeDirectWarp"]["exceptions"] == {"RuntimeError: no PSF": 2}
    visits = [data_id["visit"] for data_id in quanta["makeDirectWarp"]["failed"]]
    assert visits == sorted(visits)


def test_watching_goes_on_until_the_end(troubled):
    operator, _ = troubled
    lines = (operator.folder / "watched").read_text().splitlines()
    done = [json.loads(line)["steps"][0]["jobs"]["done"] for line in lines]
    assert done == sorted(done)
    assert len(set(done)) > 3
    expected = [json.loads(line)["steps"][0]["expected"] for line in lines]
    assert any(estimate and estimate["seconds"] > 0 for estimate in expected)
