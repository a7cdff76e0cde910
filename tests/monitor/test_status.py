"""The status of a campaign, from what real runs left behind (recorded/) and from what is made up here."""

import json
import re
import shutil
from io import StringIO

import pytest
from apcampaign.bps import Stage, Step
from apcampaign.common.errors import LedgerError
from apcampaign.common.files import write_atomically
from apcampaign.ledger import (
    CampaignPaths,
    DagRecord,
    Ledger,
    RunPaths,
    read_run,
    write_dag_record,
    write_run,
)
from apcampaign.monitor import (
    CampaignReader,
    CampaignStatus,
    JobState,
    find_failures,
    open_run,
)
from apcampaign.monitor.campaign_reader import _explain_unknown, _Run, _View
from apcampaign.monitor.queue import Queue
from apcampaign.monitor.status import RunState
from apcampaign.scripts.display.status import draw_status
from made_jobs import NOW, recorded
from rich.console import Console


@pytest.fixture
def campaign(tmp_path) -> CampaignPaths:
    """A campaign whose templates step has two parts: the recorded run with troubles, and one that is done."""
    paths = CampaignPaths(tmp_path, "recorded")
    for part in ("a", "b"):
        plant_run(paths, part)
    done = paths.folder / "templates" / "20261122T153637Z-b" / "submit"
    (log,) = done.glob("*.nodes.log")
    log.unlink()
    (dag,) = done.glob("*.dag")
    nodes = [line.split()[1] for line in dag.read_text().splitlines() if line.startswith(("JOB ", "FINAL "))]
    (done / f"{dag.name}.rescue001").write_text("".join(f"DONE {name}\n" for name in nodes))
    (done / f"{dag.name}.dagman.out").write_text("condor_dagman pid 1 EXITING WITH STATUS 0\n")
    return paths


def plant_run(paths: CampaignPaths, part: str) -> RunPaths:
    source = recorded("troubled")
    record = read_run(source).model_copy(update={"part": part})
    target = paths.run(record)
    shutil.copytree(source.folder, target.folder)
    write_run(target, record)
    return target


def look(paths: CampaignPaths, monkeypatch: pytest.MonkeyPatch) -> CampaignStatus:
    monkeypatch.setenv("CONDOR_CONFIG", "/nowhere/condor_config")
    return CampaignReader(paths).read()


def test_a_campaign_in_the_queue_of_another_host_is_said_to_be_there(tmp_path):
    paths = CampaignPaths(tmp_path, "camp")
    record = DagRecord(campaign="camp", timestamp="t", cluster="7", runs=("templates",), schedd="host1")
    view = _View(Ledger(paths=paths, runs=()), (paths.dag("t"), record), None, (), ())
    dags = [paths.dag("t").dag]
    (said,) = _explain_unknown(Queue(schedd="host2"), view, dags, NOW)
    assert "the campaign DAG is in the queue of host1, and this host has that of host2" in said
    (said,) = _explain_unknown(Queue(schedd="host1"), view, dags, NOW)
    assert "`apcampaign doctor` looks for what is wrong" in said
    # A run that was adopted is in no campaign DAG.
    adopted = read_run(recorded("troubled")).model_copy(update={"schedd": "host1"})
    run = _Run(adopted, paths.run(adopted).folder, open_run(recorded("troubled")), (), submitted=True)
    view = _View(Ledger(paths=paths, runs=()), None, None, (), (run,))
    (said,) = _explain_unknown(Queue(schedd="host2"), view, dags, NOW)
    assert "the run is in the queue of host1, and this host has that of host2" in said


def test_a_step_is_put_together_over_its_runs(campaign, monkeypatch):
    status = look(campaign, monkeypatch)
    (step,) = status.steps
    assert [run.state for run in step.runs] == [RunState.HELD, RunState.DONE]
    assert (step.state, step.earlier_runs) == (RunState.HELD, 0)
    content = json.loads(json.dumps(status.as_dict()))["steps"][0]
    assert content["jobs"]["done"] == 25 + 35
    assert content["labels"]["makeWarp"]["done"] + content["labels"]["makeWarp"]["pruned"] > 18
    assert [run["folder"].rpartition("-")[2] for run in content["runs"]] == ["a", "b"]
    assert {job.run for job in status.jobs} == {"templates-a", "templates-b"}
    found = CampaignReader(campaign).read_jobs()
    assert [record.name for record in found.records] == ["templates-a", "templates-b"]
    assert find_failures(found.jobs).pruned == {Step.TEMPLATES: 3}


def test_a_newer_run_of_a_part_takes_the_place_of_the_older_one(campaign, monkeypatch):
    run = plant_run(campaign, "c")
    record = read_run(run).model_copy(update={"part": "b", "timestamp": "20261123T000000Z"})
    run.folder.rename(campaign.run(record).folder)
    write_run(campaign.run(record), record)
    (step,) = look(campaign, monkeypatch).steps
    assert [run.folder.name for run in step.runs] == ["20261122T153637Z-a", "20261123T000000Z-b"]
    assert step.earlier_runs == 1


def test_a_run_that_nothing_ever_ran_is_called_so_and_is_not_waited_for(tmp_path, monkeypatch):
    paths = CampaignPaths(tmp_path, "recorded")
    run = plant_run(paths, "")
    record = read_run(run).model_copy(update={"wms_id": None})
    write_run(run, record)
    for name in ("*.dagman.out", "*.nodes.log"):
        next(run.submit.glob(name)).unlink()
    status = look(paths, monkeypatch)
    assert not status.active
    assert status.steps[0].state == "never submitted"
    assert not status.unknown
    # Nor is it waited for in a campaign DAG that HTCondor has not taken.
    dag = paths.dag(record.timestamp)
    dag.folder.mkdir(parents=True)
    dag.dag.write_text(f"SUBDAG EXTERNAL templates {paths.run(record).dag(record.output_run)}\n")
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp=record.timestamp, cluster="", runs=("templates",))
    )
    status = look(paths, monkeypatch)
    assert (status.active, status.dag, status.steps[0].state) == (False, (), RunState.UNSUBMITTED)
    # In a campaign DAG that is active, its turn is still to come.
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp=record.timestamp, cluster="7", runs=("templates",))
    )
    status = look(paths, monkeypatch)
    assert status.active
    assert [node.name for node in status.dag] == ["templates"]
    assert status.steps[0].state is RunState.UNREADY
    # One that has ended without it will never run it.
    dag.dag.with_name("campaign.dag.dagman.out").write_text("pid 1 EXITING WITH STATUS 1\n")
    status = look(paths, monkeypatch)
    assert not status.active
    assert status.steps[0].state is RunState.UNSUBMITTED
    # A DAG that is older than the run is not its.
    write_dag_record(
        dag, DagRecord(campaign="recorded", timestamp="20200101T000000Z", cluster="7", runs=("templates",))
    )
    assert look(paths, monkeypatch).dag == ()


def test_parts_that_were_not_begun_are_shown_and_are_a_failure_once_nothing_will_begin_them(
    tmp_path, monkeypatch
):
    paths = CampaignPaths(tmp_path, "recorded")
    old = read_run(recorded("resumed"))
    record = old.model_copy(update={"part": "visits-1", "stage": Stage.VISITS, "division": old.timestamp})
    shutil.copytree(recorded("resumed").folder, paths.run(record).folder)
    write_run(paths.run(record), record)
    dag = paths.dag(old.timestamp)
    dag.folder.mkdir(parents=True)
    dag.dag.write_text("JOB prepare-diffim-visits-2 x.sub\n")
    names = ("diffim-visits-1", "diffim-visits-2")
    write_dag_record(dag, DagRecord(campaign="recorded", timestamp=old.timestamp, cluster="7", runs=names))
    status = look(paths, monkeypatch)
    (step,) = status.steps
    assert (step.to_come, step.state) == (("diffim-visits-2",), RunState.UNREADY)
    assert step.runs[0].jobs == {JobState.DONE: len(status.jobs)}
    with StringIO() as stream:
        Console(file=stream, width=120).print(draw_status(status, parts=True))
        said = stream.getvalue()
    assert re.search(r"diffim-visits-1 .*done", said)
    assert re.search(r"diffim-visits-2 .*unready", said)
    assert "1 to come" in said
    dag.dag.with_name("campaign.dag.dagman.out").write_text("pid 1 EXITING WITH STATUS 1\n")
    (step,) = look(paths, monkeypatch).steps
    assert step.state is RunState.FAILED
    # One that was to be run again, and was not, is not shown as what it was before.
    plant = record.model_copy(update={"part": "visits-3"})
    shutil.copytree(paths.run(record).folder, paths.run(plant).folder)
    write_run(paths.run(plant), plant)
    later = paths.foreground("20991231T000000Z")
    again = (*names, "diffim-visits-4")
    write_dag_record(
        later, DagRecord(campaign="recorded", timestamp="20991231T000000Z", cluster="", runs=again)
    )
    write_atomically(later.empty("diffim-visits-4"), "")
    (step,) = look(paths, monkeypatch).steps
    assert step.to_come == names
    assert [run.name for run in step.runs] == ["diffim-visits-3"]


def test_a_campaign_without_runs_says_so(tmp_path, monkeypatch):
    with pytest.raises(LedgerError, match="no runs"):
        look(CampaignPaths(tmp_path, "nothing"), monkeypatch)
