"""Damaged copies of a campaign and its plan, which the doctor makes again."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from apcampaign.bps import GRAPH_OPTIONS, CampaignConfig, Plan, Stage, Step, dump_campaign, plan_campaign
from apcampaign.common.errors import LedgerError
from apcampaign.common.files import write_atomically
from apcampaign.doctor import Act, CampaignHealth, Condition, DoctorPlan, diagnose
from apcampaign.doctor.copies import find_broken_copies
from apcampaign.ledger import (
    DagRecord,
    Workspace,
    write_dag_record,
    write_run,
)
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.pipelines import find_pipeline
from apcampaign.submit.executors.campaign_dag import read_work, write_campaign_dag
from apcampaign.submit.outputs.remaining import Remaining
from apcampaign.submit.resume import ResumeRequest, decide_resume
from apcampaign.submit.resume.state import CampaignState, _list_units
from apcampaign.submit.work import Work
from run_records import record_of

TIMESTAMP = "20261101T000000Z"
BAD = {"isr": QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)}


def submit_parts(folder: Path) -> tuple[Workspace, Work]:
    """Leave what a campaign DAG of two parts leaves, which both were prepared."""
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), folder / "runs")
    (whole,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM], templates="t").runs
    stages = {"images": Stage.IMAGES, "assoc": Stage.ASSOCIATION}
    runs = tuple(
        replace(
            whole,
            part=part,
            stage=stage,
            division=TIMESTAMP,
            query=f"{part} and more",
            graph_query="",
            inputs=("t", whole.output, "2.2i/defaults"),
            skip_existing=("a", "b"),
        )
        for part, stage in stages.items()
    )
    plan = Plan(timestamp=TIMESTAMP, runs=runs, edges=frozenset({(runs[0].name, runs[1].name)}))
    work = Work(workspace=workspace, plan=plan, apdb_config="/apdb.yaml")
    files = write_campaign_dag(work)
    files.submit_file.touch()
    names = tuple(run.name for run in plan)
    write_dag_record(files, DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7", runs=names))
    # When the first one was prepared, not all collections were there.
    for run in (replace(runs[0], inputs=("t", "2.2i/defaults"), skip_existing=("a",)), runs[1]):
        files_of_run = workspace.paths.run(run)
        record = record_of(workspace, run, service="lsst.ctrl.bps.htcondor.HTCondorService")
        changes = {"part": run.part, "stage": run.stage, "division": run.division, "query": run.query}
        write_run(files_of_run, record.model_copy(update={**changes, "apdb_config": "/apdb.yaml"}))
        config = {
            "pipelineYaml": run.pipeline,
            "payload": {"dataQuery": run.graph_query},
            GRAPH_OPTIONS: f"--skip-existing-in {','.join(run.skip_existing)}",
        }
        write_atomically(files_of_run.config, yaml.safe_dump(config))
        write_atomically(files_of_run.campaign, dump_campaign(workspace.campaign))
    return workspace, work


@pytest.mark.parametrize("damage", [0, 40, 200, None])
def test_copies_beside_the_records_are_made_again(tmp_path: Path, damage: int | None) -> None:
    workspace, work = submit_parts(tmp_path)
    files = workspace.paths.dag(TIMESTAMP)
    copies = [files.campaign, files.plan, workspace.paths.run(work.plan.runs[0]).campaign]
    assert find_broken_copies(workspace, workspace.read_ledger()) == ()
    for path in copies:
        path.unlink() if damage is None else path.write_bytes(path.read_bytes()[:damage])
    ledger = workspace.read_ledger()
    with pytest.raises(LedgerError, match=r"campaign\.yaml cannot be read: .*apcampaign doctor"):
        list(_list_units(workspace, ledger))
    health = CampaignHealth(workspace=workspace, ledger=ledger, copies=find_broken_copies(workspace, ledger))
    findings = diagnose(health)
    assert [(each.condition, each.acts) for each in findings] == [(Condition.RECORD, (Act.COPIES,))] * 3
    assert all("doctor --fix` makes it again from" in each.remedy for each in findings)
    DoctorPlan(health=health, findings=findings).execute()
    assert read_work(files, workspace.runs) == work
    assert copies[2].read_text() == files.campaign.read_text()
    # In the foreground there is no DAG, and one comes after the other.
    files.plan.unlink()
    files.dag.unlink()
    (copy,) = find_broken_copies(workspace, workspace.read_ledger())
    assert Plan.from_dict(yaml.safe_load(copy.text)) == work.plan


def test_a_campaign_is_written_again_from_its_file_only_if_that_selects_what_was_submitted(
    tmp_path: Path,
) -> None:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    workspace = Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")
    (run,) = plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.TEMPLATES]).runs
    write_run(workspace.paths.run(run), record_of(workspace, run, service="a.ParslService"))
    config = {"pipelineYaml": find_pipeline(run.pipeline), "payload": {"dataQuery": run.query}}
    write_atomically(workspace.paths.run(run).config, yaml.safe_dump(config))
    (copy,) = find_broken_copies(workspace, workspace.read_ledger())
    assert copy.text == dump_campaign(workspace.campaign)
    edited = Workspace(workspace.campaign.model_copy(update={"tracts": (3829,)}), workspace.runs)
    (copy,) = find_broken_copies(edited, edited.read_ledger())
    assert copy.text == ""
    (finding,) = diagnose(CampaignHealth(workspace=edited, ledger=edited.read_ledger(), copies=(copy,)))
    assert finding.acts == ()
    assert "copy a campaign file there that says what was submitted" in finding.remedy


def test_a_plan_is_not_made_up_where_parts_were_not_prepared(tmp_path: Path) -> None:
    workspace, work = submit_parts(tmp_path)
    files = workspace.paths.dag(TIMESTAMP)
    files.plan.write_text("timestamp: ")
    workspace.paths.run(work.plan.runs[1]).record.unlink()
    ledger = workspace.read_ledger()
    (copy,) = find_broken_copies(workspace, ledger)
    assert copy.text == ""
    assert "what 1 run of it was to do is not known" in copy.why
    (unit,) = _list_units(workspace, ledger)
    unit = replace(unit, remaining=(Remaining(Step.DIFFIM, begun=True, counts=BAD),))
    state = CampaignState(workspace=workspace, ledger=ledger, active=(), units=(unit,), versions={})
    (obstacle,) = decide_resume(state, ResumeRequest()).obstacles
    assert "apcampaign resume --new-graph" in obstacle.remedy
    assert decide_resume(state, ResumeRequest(new_graph=True)).reason
    state = replace(state, units=(replace(unit, dag=None),))  # run in the foreground
    assert decide_resume(state, ResumeRequest()).obstacles
