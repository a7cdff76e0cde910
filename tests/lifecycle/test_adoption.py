"""Runs of ``bps submit`` become runs of the campaign, and those that cannot are told why."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apcampaign.bps import Step, plan_campaign
from apcampaign.common.errors import ApcampaignError, PreconditionError
from apcampaign.doctor import plan_doctor
from apcampaign.doctor.model import Condition
from apcampaign.ledger import RunPaths, Workspace, read_run, restore_run
from apcampaign.lifecycle.adoption import (
    AdoptionPlan,
    Progress,
    decide_adoption,
    plan_adoption,
    read_adoption_state,
    read_submit_directory,
)
from apcampaign.lifecycle.archive import list_packed
from apcampaign.monitor import CampaignReader, find_failures
from apcampaign.scripts.cli import command
from apcampaign.submit.cancel import plan_cancel
from apcampaign.submit.executors import find_active, foreground
from apcampaign.submit.resume import ResumeRequest, plan_resume
from click.testing import CliRunner
from raw_runs import SCHEDD, RawRuns, change_settings, leave_raw_runs, make_parsl

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> RawRuns:
    return leave_raw_runs(tmp_path_factory.mktemp("raw"))


@pytest.fixture
def raw(tmp_path: Path) -> RawRuns:
    return leave_raw_runs(tmp_path)


def open_workspace(raw: RawRuns, runs: Path) -> Workspace:
    return Workspace.open(raw.campaign, runs, environment={})


def digest(folder: Path) -> dict[str, str]:
    """Tell what is in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_adopted_runs_are_read_as_those_that_the_campaign_has_submitted(
    untouched: RawRuns, tmp_path: Path
) -> None:
    before = digest(untouched.folder)
    workspace = open_workspace(untouched, tmp_path / "runs")
    plan = plan_adoption(workspace, [untouched.diffim, untouched.templates])
    assert [each.found and each.found.progress for each in plan.adoptions] == [Progress.FAILED, Progress.DONE]
    assert not (tmp_path / "runs").exists()
    plan.execute()
    assert digest(untouched.folder) == before
    assert "hunter2" not in "".join(path.read_text() for path in (tmp_path / "runs").rglob("*.yaml"))
    ledger = workspace.read_ledger()
    for run in ledger.runs:
        then = read_run(RunPaths(untouched.recorded / run.step / run.folder))
        own = {"config", "submit_dir", "graph", "versions", "config_hash", "adopted_from", "schedd"}
        assert run.model_dump(exclude=own) == then.model_dump(exclude=own)
        assert (run.schedd, run.versions) == (SCHEDD, {"lsst-daf-butler": "30.2026.4300", "python": "3.13.0"})
        # Nothing of it is lost if its record is damaged, but for what only BPS knew.
        unknown = {"versions", "schedd", "wms_id"}
        again = restore_run(workspace.paths, workspace.paths.run(run))
        assert again.model_dump(exclude=unknown) == run.model_dump(exclude=unknown)
    packed = {path.name for path in list_packed(workspace.paths)}
    assert {f"{run.bps_run}{end}" for run in ledger.runs for end in (".dag", "_config.yaml")} <= packed
    said = json.loads((untouched.folder / "said" / "steps.status.json").read_text())
    status = CampaignReader(workspace.paths).read()
    now = status.as_dict()
    for step, then in zip(now["steps"], said["steps"], strict=True):
        same = ("step", "state", "jobs", "labels", "expected", "began", "ended", "earlier_runs")
        assert {key: step[key] for key in same} == {key: then[key] for key in same}
    (association,) = (job for job in status.jobs if job.name == "association_731000_94")
    assert association.tags == {"visit": 731000, "detector": 94}
    assert association.quanta == {"loadDiaCatalogs": 1, "associateApdb": 1}
    assert association.request_memory == 4096
    assert not find_failures(status.jobs).groups


def test_runs_of_parsl_are_read_from_its_logs_and_run_no_code_of_their_pickle(
    raw: RawRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_LINGER", 0.0)
    by_htcondor = read_submit_directory(raw.templates)
    failing = next(name for name, node in by_htcondor.workflow.nodes.items() if node.quanta)
    make_parsl(raw.templates, raw.folder, failing=failing)
    workspace = open_workspace(raw, tmp_path / "runs")
    (adoption,) = plan_adoption(workspace, [raw.templates]).adoptions
    assert adoption.found is not None
    assert (adoption.found.jobs, adoption.found.quanta) == (by_htcondor.jobs, by_htcondor.quanta)
    assert {name: set(node.parents) for name, node in adoption.found.workflow.nodes.items()} == {
        name: set(node.parents) for name, node in by_htcondor.workflow.nodes.items() if not node.final
    } | {"finalJob": set()}
    assert adoption.found.progress is Progress.FAILED
    plan_adoption(workspace, [raw.templates]).execute()
    status = CampaignReader(workspace.paths).read()
    assert not status.active
    assert "parsl.log" in {path.name for path in list_packed(workspace.paths)}
    (failed,) = find_failures(status.jobs).groups
    assert failing in str(failed)
    with going_on("run-qbb", "/repo", f"{raw.templates}/run.qg") as process:
        (active,) = find_active(workspace.read_ledger())
        assert active.end == f"end them: `kill {process}`"
        for command in (plan_resume(workspace, ResumeRequest()), plan_cancel(workspace)):
            assert active.end in command.obstacles[0].remedy
        (finding,) = plan_doctor(workspace).findings
        assert (finding.condition, finding.remedy) == (Condition.ACTIVE, active.end)
        (obstacle,) = plan_adoption(open_workspace(raw, tmp_path / "others"), [raw.templates]).obstacles
        assert f"process {process} still runs" in str(obstacle)
    assert find_active(workspace.read_ledger()) == ()
    # Moved, it is the same run, with the logs that it had where it ran.
    moved = raw.folder / "elsewhere" / raw.templates.name
    moved.parent.mkdir()
    shutil.move(raw.templates, moved)
    assert read_submit_directory(moved).states == adoption.found.states
    log = raw.folder / "runinfo" / "004" / "parsl.log"
    lines = log.read_text().replace("MainProcess-1 ", f"MainProcess-{os.getpid()} ")
    log.write_text(lines.replace("Unregistered default DFK", ""))
    assert read_submit_directory(moved).progress is Progress.STOPPED
    with log.open("a"):
        (obstacle,) = plan_adoption(open_workspace(raw, tmp_path / "others"), [moved]).obstacles
    assert f"process {os.getpid()} still runs" in str(obstacle)
    log.unlink()
    (obstacle,) = plan_adoption(open_workspace(raw, tmp_path / "others"), [moved]).obstacles
    assert "no log of Parsl names" in str(obstacle)
    (moved / "parsl_workflow.pickle").write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    (damage,) = read_submit_directory(moved).damage
    assert "cannot be read as the workflow of BPS's plugin for Parsl" in damage
    assert not (tmp_path / "harm").exists()


@contextmanager
def going_on(*words: str) -> Iterator[int]:
    """Let a process run that has some words on its command line, as one that Parsl has left."""
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


class Harmful:
    """What writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "harm")


def test_the_campaign_of_an_adopted_run_says_what_the_run_was_of(raw: RawRuns, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["payload"]["dataQuery"] = "instrument='LSSTCam-imSim' AND skymap='DC2'\n  AND visit = 731000"
        config["payload"]["inCollection"] = "standing/templates, 2.2i/defaults"
        config["pipelineYaml"] = str(tmp_path / "mine.yaml") + "#apPipe"

    (tmp_path / "mine.yaml").write_text("description: mine\n")
    change_settings(raw.diffim, change)
    workspace = open_workspace(raw, tmp_path / "runs")
    plan = plan_adoption(workspace, [raw.diffim])
    told = "\n".join(plan.describe())
    for what in ("data query", "inputs", "pipeline"):
        assert f"{what}: its own" in told
    plan.execute()
    (run,) = workspace.read_ledger().runs
    submitted = workspace.as_submitted(workspace.paths.run(run)).campaign
    (again,) = plan_campaign(submitted)
    assert again.query == "instrument='LSSTCam-imSim' AND skymap='DC2' AND visit = 731000"
    assert again.inputs == ("standing/templates", "2.2i/defaults") == run.inputs
    assert again.pipeline == f"{tmp_path / 'mine.yaml'}#apPipe"
    assert again.output == run.output


def test_an_adoption_that_was_cut_off_is_finished_by_the_next_one(untouched: RawRuns, tmp_path: Path) -> None:
    workspace = open_workspace(untouched, tmp_path / "runs")
    (record,) = plan_adoption(workspace, [untouched.templates]).execute()
    files = workspace.paths.run(record)
    whole = {path.name: path.read_bytes() for path in files.folder.iterdir() if path.is_file()}
    files.record.unlink()
    files.jobs.unlink()
    files.submit.unlink()
    files.submit.symlink_to("/nowhere")
    assert not workspace.read_ledger().runs
    plan_adoption(workspace, [untouched.templates]).execute()
    assert {path.name: path.read_bytes() for path in files.folder.iterdir() if path.is_file()} == whole
    again = plan_adoption(workspace, [untouched.templates])
    assert again.as_dict()["runs"][0]["known"]
    assert again.execute() == (record,)


def test_an_adopted_run_whose_submit_directory_was_moved_is_found_again_by_adopting_it(
    raw: RawRuns, tmp_path: Path
) -> None:
    workspace = open_workspace(raw, tmp_path / "runs")
    (record,) = plan_adoption(workspace, [raw.diffim]).execute()
    before = CampaignReader(workspace.paths).read()
    moved = raw.folder / "elsewhere" / raw.diffim.name
    moved.parent.mkdir()
    shutil.move(raw.diffim, moved)
    (gone,) = [each for each in plan_doctor(workspace).findings if each.condition is Condition.MOVED]
    assert f"{raw.diffim} of {record.output_run}, which was adopted, is gone" in gone.what
    (adoption,) = (plan := plan_adoption(workspace, [moved])).adoptions
    assert (adoption.known, adoption.obstacles) == (False, ())
    assert adoption.notes[0] == "its submit directory was moved here"
    (again,) = plan.execute()
    assert again == record.model_copy(update={"adopted_from": str(moved)})
    assert workspace.read_ledger().runs == (again,)
    assert CampaignReader(workspace.paths).read().jobs == before.jobs
    # A copy of it does not count instead of it.
    shutil.copytree(moved, raw.diffim, symlinks=True)
    assert plan_adoption(workspace, [raw.diffim]).adoptions[0].known


def test_a_plan_that_has_become_old_is_refused(untouched: RawRuns, tmp_path: Path) -> None:
    workspace = open_workspace(untouched, tmp_path / "runs")
    old = plan_adoption(workspace, [untouched.templates])
    plan_adoption(workspace, [untouched.diffim]).execute()
    with pytest.raises(PreconditionError, match="since this was planned"):
        old.execute()


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def remove_each(submit: Path, pattern: str) -> None:
    for path in submit.glob(pattern):
        path.unlink()


def set_payload(**values: str) -> Callable[[RawRuns], None]:
    return lambda raw: change_settings(raw.diffim, lambda config: config["payload"].update(values))


def set_settings(**values: object) -> Callable[[RawRuns], None]:
    return lambda raw: change_settings(raw.diffim, lambda config: config.update(values))


def dag_of(raw: RawRuns) -> Path:
    (dag,) = raw.diffim.glob("*.dag")
    return dag


REFUSED: dict[str, tuple[Callable[[RawRuns], object], str]] = {
    "no folder": (lambda raw: shutil.rmtree(raw.diffim), "there is no folder"),
    "no settings": (lambda raw: remove_each(raw.diffim, "*_config.yaml"), "is no submit directory of BPS"),
    "settings of no run": (set_payload(outputRun=""), "does not say the run's outputRun"),
    "settings that are cut off": (
        lambda raw: cut(next(raw.diffim.glob("*_config.yaml")), 700),
        "_config.yaml",
    ),
    "another WMS": (
        set_settings(wmsServiceClass="lsst.ctrl.bps.panda.PanDAService"),
        "was submitted with lsst.ctrl.bps.panda.PanDAService",
    ),
    "another campaign": (set_payload(output="u/you/other/diffim"), "not to campaign steps"),
    "another operator": (
        lambda raw: change_settings(
            raw.diffim,
            lambda config: (
                config.update(operator="you"),
                config["payload"].update(output="u/you/steps/diffim"),
            ),
        ),
        "it was generated by you: write operator: you into the campaign file",
    ),
    "no output collection": (
        set_payload(output="", outputRun="u/root/steps/diffim/1"),
        "no output collection",
    ),
    "another repository": (set_payload(butlerConfig="/repo/main"), "is in the repository /repo/main"),
    "another APDB": (
        set_settings(extraQgraphOptions="-c parameters:apdb_config=label:other"),
        "fills the APDB label:other",
    ),
    "an APDB that is not named": (set_settings(extraQgraphOptions=""), "cannot be told from its options"),
    "a part of a step": (
        set_payload(outputRun="{output}/20261125T205335Z-visits-01"),
        "is a part of step diffim, and the campaign has no plan with it",
    ),
    "another name": (
        lambda raw: change_settings(
            raw.diffim, lambda config: config["bps_defined"].update(uniqProcName="mine")
        ),
        "BPS calls it mine",
    ),
    "no graph": (lambda raw: remove_each(raw.diffim, "*.qg"), ".qg is gone"),
    "half a graph": (lambda raw: cut(next(raw.diffim.glob("*.qg")), 5000), ".qg is cut off"),
    "no DAG": (lambda raw: dag_of(raw).unlink(), "BPS has submitted nothing of it, or its DAG"),
    "no submission": (
        lambda raw: (
            remove_each(raw.diffim, "*.dag*"),
            remove_each(raw.diffim, "*.qg"),
            (raw.diffim / "quantumGraphGeneration.out").touch(),
        ),
        "quantumGraphGeneration.out",
    ),
    "half a DAG": (lambda raw: cut(dag_of(raw), 700), "is cut off"),
    "a DAG without its last job": (
        lambda raw: dag_of(raw).write_text(dag_of(raw).read_text().partition("FINAL ")[0]),
        "1 of its 12 jobs are not in it",
    ),
    "no submit descriptions": (
        lambda raw: remove_each(raw.diffim, "jobs/*/*/*.sub"),
        "the submit descriptions of 10 jobs are gone",
    ),
    "prepared only": (
        lambda raw: (remove_each(raw.diffim, "*.dagman.*"), remove_each(raw.diffim, "*.info.json")),
        "nothing has ever run it",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_adopted_is_told_why(raw: RawRuns, tmp_path: Path, name: str) -> None:
    damage, why = REFUSED[name]
    damage(raw)
    plan = plan_adoption(open_workspace(raw, tmp_path / "runs"), [raw.diffim])
    assert why in "\n".join(plan.describe())
    with pytest.raises(PreconditionError):
        plan.execute()
    assert not (tmp_path / "runs").exists()


def test_the_command_shows_its_plan_and_exits_with_1_if_it_would_be_refused(
    untouched: RawRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign = ["--campaign", str(untouched.campaign)]

    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(command, ["adopt", *words, *campaign])
        return done.exit_code, done.stdout

    code, said = call(str(untouched.templates), "--dry-run")
    assert code == 0
    assert f"{untouched.templates}: u/root/steps/templates/20261125T205301Z (done: 9 done)" in said
    assert "it becomes the templates run 20261125T205301Z, in" in said
    code, said = call(str(untouched.templates), "nowhere", "--dry-run", "--json")
    assert (code, json.loads(said)["obstacles"]) == (
        1,
        [
            f"there is no folder {tmp_path}/nowhere; name what `bps submit` has printed as the submit directory"
        ],
    )
    assert not (tmp_path / "runs").exists()
    for known in (False, True):
        code, said = call(str(untouched.templates), "--json")
        (run,) = json.loads(said)["runs"]
        assert (code, run["known"], run["jobs"]) == (0, known, {"done": 9})
    assert call() == (2, "")


def test_the_submit_directories_below_a_folder_are_named(untouched: RawRuns, tmp_path: Path) -> None:
    plan = plan_adoption(open_workspace(untouched, tmp_path / "runs"), [untouched.folder / "configs"])
    (obstacle,) = plan.obstacles
    assert obstacle.remedy == f"did you mean {untouched.diffim} or {untouched.templates}?"


def test_what_a_run_does_to_the_others_is_told(untouched: RawRuns, tmp_path: Path) -> None:
    workspace = open_workspace(untouched, tmp_path / "runs")
    (record,) = plan_adoption(workspace, [untouched.templates]).execute()
    state = read_adoption_state(workspace, [untouched.templates])

    def decide(timestamp: str) -> AdoptionPlan:
        other = record.model_copy(
            update={"timestamp": timestamp, "output_run": f"{record.output}/{timestamp}"}
        )
        return decide_adoption(replace(state, ledger=replace(state.ledger, runs=(other,))))

    assert f"it counts for step templates instead of {record.output}/2020" in "".join(
        decide("2020").describe()
    )
    assert f"{record.output}/2030 is newer, and goes on to count" in "".join(decide("2030").describe())
    occupied = replace(
        state,
        ledger=replace(state.ledger, runs=()),
        occupied=frozenset({workspace.paths.run(record).folder}),
    )
    (obstacle,) = decide_adoption(occupied).obstacles
    assert "already holds a run that is being prepared" in str(obstacle)


def test_a_part_is_known_by_the_plan_that_has_it(untouched: RawRuns, tmp_path: Path) -> None:
    workspace = open_workspace(untouched, tmp_path / "runs")
    state = read_adoption_state(workspace, [untouched.templates])
    ((folder, found),) = state.directories.items()
    assert not isinstance(found, ApcampaignError)
    (whole,) = plan_campaign(workspace.campaign, steps=[Step.TEMPLATES]).runs
    part = replace(whole, part="visits-01", division="20260101T000000Z", query="visit = 1")
    settings = replace(found.settings, output_run=part.output_run)
    state = replace(
        state, directories={folder: replace(found, settings=settings)}, parts={part.output_run: part}
    )
    (adoption,) = decide_adoption(state).adoptions
    assert adoption.record is not None
    assert (adoption.record.folder, adoption.record.division) == (part.folder, part.division)
    assert adoption.record.query == "visit = 1"
    assert not adoption.obstacles
