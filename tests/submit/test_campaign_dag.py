"""The campaign DAG: whatever the plan, each run is prepared and run after those that it waits for."""

import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, Plan, PlannedRun, Stage, Step, plan_campaign
from apcampaign.common.condor_submission import Submitted
from apcampaign.common.errors import EmptyGraphError, PreconditionError
from apcampaign.ledger import Workspace
from apcampaign.scripts.cli import command
from apcampaign.submit.executors import HTCondorExecutor, htcondor
from apcampaign.submit.executors.campaign_dag import read_work, write_campaign_dag
from apcampaign.submit.preflight.file_names import check_folder
from apcampaign.submit.work import Work
from click.testing import CliRunner

TIMESTAMP = "20251012T010203Z"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")


def part(step: Step, name: str) -> PlannedRun:
    return PlannedRun(
        step=step,
        part=name,
        timestamp=TIMESTAMP,
        pipeline="p.yaml",
        query="q",
        inputs=("raw",),
        output=f"u/{step}",
    )


def edges_of(text: str) -> set[tuple[str, str]]:
    return {
        (parent, child)
        for parents, children in re.findall(r"^PARENT (.+) CHILD (.+)$", text, flags=re.MULTILINE)
        for parent in parents.split()
        for child in children.split()
    }


def nodes_of(text: str) -> list[str]:
    return re.findall(r"^(?:JOB|SUBDAG EXTERNAL|FINAL) (\S+)", text, flags=re.MULTILINE)


def test_two_steps_have_a_gate_and_a_preparation_between_them(workspace):
    text = write_campaign_dag(
        Work(workspace=workspace, plan=plan_campaign(workspace.campaign))
    ).dag.read_text()
    assert nodes_of(text) == ["templates", "gate", "prepare-diffim", "diffim", "summary"]
    assert edges_of(text) == {
        ("templates", "gate"),
        ("gate", "prepare-diffim"),
        ("prepare-diffim", "diffim"),
    }
    # The gate alone decides whether templates that failed are enough.
    assert re.search(r"^SCRIPT POST templates .* close .* templates \$RETURN$", text, flags=re.MULTILINE)


def test_a_run_that_was_killed_or_removed_stops_those_after_it(workspace):
    files = write_campaign_dag(Work(workspace=workspace, plan=plan_campaign(workspace.campaign)))
    (script,) = re.findall(r"^SCRIPT POST templates (.+)$", files.dag.read_text(), flags=re.MULTILINE)
    words = shlex.split(script.replace("$RETURN", "-9"))
    done = CliRunner().invoke(command, words[words.index("node") :])
    assert done.exit_code == 1
    assert "templates was interrupted" in str(done.exception)


def test_one_step_is_a_dag_too(workspace):
    plan = plan_campaign(workspace.campaign, steps=[Step.DIFFIM])
    text = write_campaign_dag(Work(workspace=workspace, plan=plan)).dag.read_text()
    assert nodes_of(text) == ["diffim", "summary"]
    assert not edges_of(text)


def test_each_part_waits_for_its_own_templates_only(workspace):
    runs = (*(part(Step.TEMPLATES, name) for name in "ab"), *(part(Step.DIFFIM, name) for name in "xyz"))
    edges = {("templates-a", "diffim-x"), ("templates-a", "diffim-y"), ("templates-b", "diffim-y")}
    plan = Plan(timestamp=TIMESTAMP, runs=runs, edges=frozenset(edges))
    files = write_campaign_dag(Work(workspace=workspace, plan=plan))
    text = files.dag.read_text()
    assert edges_of(text) == {
        ("templates-a", "gate-x"),
        ("gate-x", "prepare-diffim-x"),
        ("prepare-diffim-x", "diffim-x"),
        ("templates-a", "gate-y"),
        ("templates-b", "gate-y"),
        ("gate-y", "prepare-diffim-y"),
        ("prepare-diffim-y", "diffim-y"),
        # What waits for no other has its graph built while the first run's jobs run.
        ("prepare-templates-b", "templates-b"),
        ("prepare-diffim-z", "diffim-z"),
    }
    # What more parts come after goes first: its last job would wait for the jobs of all others in the queue.
    assert set(re.findall(r"^PRIORITY (\S+) (\d+)$", text, flags=re.MULTILINE)) == {
        (node, "2" if "templates" in node else "1") for node in nodes_of(text) if node != "summary"
    }
    assert "MAXJOBS prepare 1" in text
    assert {line.split()[1] for line in text.splitlines() if line.endswith(" prepare")} == {
        node for node in nodes_of(text) if node.startswith(("prepare", "gate"))
    }
    assert "SUBDAG EXTERNAL diffim-z" in text
    assert f"runs/camp/diffim/{TIMESTAMP}-x/submit/u_diffim_{TIMESTAMP}-x.dag" in text
    nodes = [node for node in nodes_of(text) if node.startswith(("gate", "prepare", "summary"))]
    assert all((files.folder / f"{node}.sub").is_file() for node in nodes)


def test_a_first_part_that_has_nothing_to_do_does_not_end_the_submission(workspace, monkeypatch):
    first, *others = (
        part(Step.DIFFIM, name) for name in ("analysis-1", "analysis-2", "analysis-3", "association-1")
    )
    runs = [replace(run, stage=Stage(run.part[:-2])) for run in (first, *others)]
    plan = Plan(timestamp=TIMESTAMP, runs=tuple(runs), edges=frozenset({(runs[3].name, runs[2].name)}))
    asked = []

    def prepare(_: Work, run: PlannedRun) -> None:
        asked.append(run.name)
        if run is plan.ready[0]:
            raise EmptyGraphError("no quanta")

    monkeypatch.setattr(htcondor, "prepare_run", prepare)
    monkeypatch.setattr(htcondor, "write_dag_submission", lambda *_, **__: None)
    monkeypatch.setattr(htcondor, "submit_file", lambda *_: Submitted("7", "here"))
    monkeypatch.setattr(htcondor, "name_schedd", lambda: "here")
    HTCondorExecutor().submit(Work(workspace=workspace, plan=plan))
    files = workspace.paths.dag(TIMESTAMP)
    assert asked == [run.name for run in plan.ready[:2]]
    assert files.list_empty() == [asked[0]]
    assert "NOOP" in workspace.paths.run(plan.ready[0]).dag(plan.ready[0].output_run).read_text()
    nodes = nodes_of(files.dag.read_text())
    assert set(nodes) == {*(run.name for run in runs), "summary"} | {
        f"prepare-{run.name}" for run in runs if run.name not in asked
    }
    # What must not be empty is a mistake, of which nothing is left.
    whole = plan_campaign(workspace.campaign, timestamp="20251013T010203Z", steps=[Step.DIFFIM])
    monkeypatch.setattr(
        htcondor, "prepare_run", lambda *_: (_ for _ in ()).throw(EmptyGraphError("no quanta"))
    )
    with pytest.raises(EmptyGraphError):
        HTCondorExecutor().submit(Work(workspace=workspace, plan=whole))
    assert not workspace.paths.dag(whole.timestamp).folder.exists()


def test_batch_jobs_build_graphs_if_they_are_given_memory(workspace):
    plan = plan_campaign(workspace.campaign)
    campaign = workspace.campaign.model_copy(update={"prepare_memory": 900})
    files = write_campaign_dag(Work(workspace=replace(workspace, campaign=campaign), plan=plan))
    texts = {node: files.node(node, "sub").read_text() for node in ("prepare-diffim", "gate", "summary")}
    assert {node for node, text in texts.items() if "universe = vanilla" in text} == {"prepare-diffim"}
    assert "request_memory = 900" in texts["prepare-diffim"]
    for quanta, asked in ((0, 1040), (8_000, 680), (60_000, 3020)):
        counted = replace(plan, runs=tuple(replace(run, quanta=quanta) for run in plan.runs))
        measured = workspace.campaign.model_copy(update={"prepare_memory": "auto"})
        files = write_campaign_dag(Work(workspace=replace(workspace, campaign=measured), plan=counted))
        assert f"request_memory = {asked}\n" in files.node("prepare-diffim", "sub").read_text()


def test_the_nodes_read_what_was_decided(workspace):
    work = Work(
        workspace=workspace,
        plan=plan_campaign(workspace.campaign, skip_done={Step.DIFFIM: ["u/me/camp/diffim/1"]}),
        apdb_config="/apdb.yaml",
        deferred={(731000, 94): 2},
        refuse_associated=True,
    )
    # Nothing of it may have its default here, or it would not be seen to be lost.
    decided = {each.name: each.default for each in fields(Work) if each.name not in ("remaining", "locks")}
    assert all(getattr(work, name) != default for name, default in decided.items())
    assert read_work(write_campaign_dag(work), workspace.runs) == work


def test_a_folder_that_a_dag_cannot_name_is_refused(workspace, hostile_path):
    hostile = Workspace(workspace.campaign, hostile_path)
    with pytest.raises(PreconditionError, match="which a DAG cannot carry") as refusal:
        write_campaign_dag(Work(workspace=hostile, plan=plan_campaign(workspace.campaign)))
    assert refusal.value.remedy == "use another folder for the runs (--runs FOLDER)"
    (finding,) = check_folder(hostile, plan_campaign(workspace.campaign))
    assert (finding.rule, finding.key) == ("file-names", "runs")
    deep = Workspace(workspace.campaign, Path("/tmp") / "/".join(["d" * 200] * 19))
    (finding,) = check_folder(deep, plan_campaign(workspace.campaign))
    assert "paths of files" in finding.what
