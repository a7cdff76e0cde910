"""What the scheduler of another host has of a campaign is found from its files, and not begun again here."""

import os
import time
from pathlib import Path

import pytest
from apcampaign.bps import CampaignConfig, Step, plan_campaign
from apcampaign.common.errors import SchedulerError
from apcampaign.ledger import DagRecord, Workspace, read_dag_record, write_dag_record, write_run
from apcampaign.submit.executors import HTCondorExecutor, htcondor
from apcampaign.submit.executors.campaign_dag import write_campaign_dag
from apcampaign.submit.executors.elsewhere import LivingDag, decide_elsewhere, list_living, mark_dag, mark_run
from apcampaign.submit.work import Work
from run_records import record_of

TIMESTAMP = "20251012T010203Z"
DAG = DagRecord(campaign="camp", timestamp=TIMESTAMP, cluster="7", runs=("diffim",), schedd="there")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {"name": "camp", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}
    return Workspace(CampaignConfig.model_validate(content), tmp_path)


@pytest.fixture
def work(workspace: Workspace) -> Work:
    """A campaign DAG with the record of a run, which was written long ago."""
    work = Work(
        workspace=workspace, plan=plan_campaign(workspace.campaign, timestamp=TIMESTAMP, steps=[Step.DIFFIM])
    )
    (run,) = work.plan.runs
    files = write_campaign_dag(work)
    files.submit_file.touch()
    write_dag_record(files, DAG)
    write_run(
        workspace.paths.run(run), record_of(workspace, run, service="lsst.ctrl.bps.htcondor.HTCondorService")
    )
    for record in (files.record, workspace.paths.run(run).record):
        os.utime(record, (0, 0))
    return work


def says(dag: Path, *, ago: float) -> None:
    """Let the DAGMan of a DAG have said something last so many seconds ago."""
    said = dag.with_name(f"{dag.name}.dagman.out")
    said.parent.mkdir(exist_ok=True)
    said.write_text("11/26/26 14:43:43 Currently monitoring 1 HTCondor log file(s)\n")
    os.utime(said, (time.time() - ago,) * 2)


def test_the_dagman_of_a_run_tells_that_it_goes_on_while_that_of_the_campaign_is_held(work: Work) -> None:
    paths = work.workspace.paths
    dag, (run,) = paths.dag(TIMESTAMP), work.workspace.read_ledger().runs
    assert list(list_living(work.workspace.read_ledger())) == []
    says(dag.dag, ago=2400)
    says(paths.run(run).dag(run.output_run), ago=10)
    living = LivingDag(f"the diffim run {run.output_run}", (mark_dag(dag), mark_run(run)), "there")
    assert list(list_living(work.workspace.read_ledger())) == [living]
    says(dag.dag, ago=10)
    assert list(list_living(work.workspace.read_ledger())) == [
        LivingDag(f"the campaign DAG {dag.folder}", (mark_dag(dag),), "there")
    ]


@pytest.mark.parametrize(
    ("schedd", "taken", "queued", "said"),
    [
        ("there", True, False, "it is in the queue of there, and this host has that of here"),
        ("there", False, False, "it was given to the queue of there, and this host has that of here"),
        (
            "",
            True,
            False,
            "its files were written to in the last half hour, and it is not in the queue of here",
        ),
        ("", True, True, None),
        ("here", True, False, None),
    ],
)
def test_what_goes_on_and_is_not_in_this_queue_is_elsewhere(
    work: Work, schedd: str, taken: bool, queued: bool, said: str | None
) -> None:
    mark = mark_dag(work.workspace.paths.dag(TIMESTAMP))
    living = LivingDag("the campaign DAG", (mark,), schedd, taken)
    found = decide_elsewhere([living], {mark} if queued else (), "here")
    assert [each.state for each in found] == [said] * (said is not None)
    assert all(each.id is None for each in found)


def test_the_record_tells_whose_queue_it_is_before_htcondor_has_the_dag(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = work.workspace.paths.dag(TIMESTAMP)

    def never_answers(*_: object) -> None:
        assert read_dag_record(files).schedd == "here"
        raise SchedulerError("HTCondor did not answer for 120 s")

    monkeypatch.setattr(htcondor, "name_schedd", lambda: "here")
    monkeypatch.setattr(htcondor, "submit_file", never_answers)
    with pytest.raises(SchedulerError, match="did not answer"):
        HTCondorExecutor().restart(work, files, DAG)
    assert read_dag_record(files).resumed == 1
