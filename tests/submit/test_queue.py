"""Jobs in the queue are known by what tells them from others, not by a number."""

import json
import sys
from pathlib import Path

import pytest
from apcampaign.sandbox.servers import CondorPool

pytestmark = pytest.mark.htcondor

# HTCondor's bindings read their configuration once for each process.
CODE = """
import json
import os
import sys
import time
from pathlib import Path
from apcampaign.bps import CampaignConfig, Step, plan_campaign
from apcampaign.common.condor import JobMark, find_below, find_holds, find_marked, name_schedd, remove_marked
from apcampaign.common.condor_submission import submit_file
from apcampaign.common.errors import SchedulerError
from apcampaign.ledger import DagRecord, RunRecord, Workspace, write_dag_record, write_run
from apcampaign.scripts.commands.doctor import command as doctor
from apcampaign.submit.cancel import plan_cancel
from apcampaign.doctor import Act, DoctorPlan, diagnose, read_health
from apcampaign.submit.executors.campaign_dag import write_work
from apcampaign.submit.work import Work
from apcampaign.submit.executors import find_active
folder = Path(sys.argv[1])
(mine, schedd), (other, _) = submit_file(folder / "mine.sub"), submit_file(folder / "other.sub")
assert schedd == name_schedd()
mark = JobMark(("apcampaign_dag", "Iwd"), str(folder / "mine"))
run = JobMark(("bps_run",), 'u_me_"it\\'s"')
old = JobMark(("apcampaign_dag", "Iwd"), str(folder))
assert find_marked([mark, run]) == {mark: (mine,)}
assert find_marked([run]) == find_marked([]) == {}
assert find_marked([old]) == {old: (mine, other)}
assert [hold.job for hold in find_holds([mark])] == [mine]
def wait_until_found(expected):
    # A removed job is in the queue until its schedd has written the job's history.
    deadline = time.monotonic() + 30
    while (found := find_marked([old])) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
remove_marked([mark], reason="the test is over")
wait_until_found({old: (other,)})
remove_marked([], reason="nothing")
assert find_marked([old]) == {old: (other,)}
remove_marked([old], reason="the test is over")
wait_until_found({})

# A DAGMan of a run whose campaign DAG is not in the queue, a job of it, and a job of no run.
orphan = submit_file(folder / "orphan.sub").cluster
child = folder / "child.sub"
child.write_text(child.read_text().replace("ORPHAN", orphan))
jobs = [orphan, *(submit_file(folder / f"{name}.sub").cluster for name in ("child", "stray", "other"))]
queued = {job.id: job for job in find_below(folder / "runs" / "camp")}
assert list(queued) == jobs[:3]
assert [(job.is_dagman, job.parent) for job in queued.values()] == [(True, "99999"), (False, jobs[0]), (False, "")]
content = {"name": "camp", "butler": "/repo", "tracts": [3828], "inCollection": "2.2i/defaults"}
workspace = Workspace(CampaignConfig.model_validate(content), folder / "runs")
here, timestamp = name_schedd(), "20251012T010203Z"
dag = workspace.paths.dag(timestamp)
record = DagRecord(campaign="camp", timestamp=timestamp, cluster="7", runs=("diffim",), schedd=here)
write_dag_record(dag, record)
work = Work(workspace=workspace, plan=plan_campaign(workspace.campaign, timestamp=timestamp, steps=[Step.DIFFIM]))
write_work(work, dag)
(run,) = work.plan
files = workspace.paths.run(run)
places = {"config": str(files.config), "submit_dir": str(files.submit), "graph": str(files.graph(run.output_run))}
values = {"campaign": "camp", "step": "diffim", "timestamp": timestamp, "butler": "/repo", "inputs": run.inputs}
values |= {"output": run.output, "output_run": run.output_run, "jobs": {}, "quanta": {}, **places}
write_run(files, RunRecord(**values, wms_service="lsst.ctrl.bps.htcondor.HTCondorService"))
files.campaign.write_text(dag.campaign.read_text())
health = read_health(workspace)
assert [job.id for job in health.strays] == jobs[2:3]
assert [job.id for job in health.orphans] == jobs[:2]
plan = DoctorPlan(health=health, findings=diagnose(health))
assert plan.acts == (Act.JOBS,), plan.describe()
plan.execute()
assert find_below(folder / "runs") == ()
assert find_marked([old]) == {old: (jobs[3],)}
remove_marked([old], reason="the test is over")

# On the host of another scheduler, as long as DAGMan writes its log.
assert find_active(workspace.read_ledger()) == ()
write_dag_record(dag, record.model_copy(update={"schedd": ""}))
(active,) = find_active(workspace.read_ledger())
assert active.state.endswith(f"it is not in the queue of {here}")
write_dag_record(dag, record.model_copy(update={"schedd": "elsewhere.example.org"}))
(active,) = find_active(workspace.read_ledger())
assert active.state == f"it is in the queue of elsewhere.example.org, and this host has that of {here}"
(obstacle,) = plan_cancel(workspace).obstacles
assert "cannot be cancelled here: it is in the queue of elsewhere.example.org" in str(obstacle)
(folder / "campaign.yaml").write_text(json.dumps(content))
try:
    doctor.main(["--campaign", str(folder / "campaign.yaml"), "--runs", str(folder / "runs"), "--json"])
except SystemExit as ended:
    assert ended.code == 0, ended.code
else:
    raise AssertionError("doctor did not end")
log = dag.dag.with_name("campaign.dag.dagman.out")
log.touch()
assert find_active(workspace.read_ledger())
os.utime(log, (0, 0))
assert find_active(workspace.read_ledger()) == ()
adopted = {"adopted_from": "/there", "schedd": "elsewhere.example.org"}
write_run(files, RunRecord(**values, **adopted, wms_service="lsst.ctrl.bps.htcondor.HTCondorService"))
(again,) = find_active(workspace.read_ledger())
assert (again.what, again.state) == (f"the diffim run {run.output_run}", active.state)
try:
    submit_file(folder / "empty.sub")
except SchedulerError as error:
    print(error)
"""


def test_jobs_are_known_by_their_marks_and_a_refusal_is_a_sentence(
    tmp_path: Path, condor_pool: CondorPool
) -> None:
    for name in ("mine", "other"):
        lines = ["executable = /bin/true", f"initialdir = {tmp_path}", "hold = True"]
        lines += [f'+apcampaign_dag = "{tmp_path / name}"', "queue", ""]
        (tmp_path / f"{name}.sub").write_text("\n".join(lines))
    (tmp_path / "condor_dagman").symlink_to("/bin/true")
    for name, run, more in (
        ("orphan", "20251012T010203Z", ["universe = scheduler", "+DAGManJobId = 99999"]),
        ("child", "20251012T010203Z", ["+DAGManJobId = ORPHAN"]),
        ("stray", "20250101T000000Z", []),
    ):
        where = tmp_path / "runs" / "camp" / "diffim" / run / "submit"
        where.mkdir(parents=True, exist_ok=True)
        program = tmp_path / "condor_dagman" if name == "orphan" else "/bin/true"
        lines = [f"executable = {program}", f"initialdir = {where}", "hold = True", *more, "queue", ""]
        (tmp_path / f"{name}.sub").write_text("\n".join(lines))
    (tmp_path / "empty.sub").write_text("")
    said = condor_pool.run([sys.executable, "-c", CODE, str(tmp_path)], seconds=60)
    health, refusal = json.loads(said[: said.index("HTCondor did")]), said[said.index("HTCondor did") :]
    assert health["good"]
    assert [finding["condition"] for finding in health["findings"]] == ["another host's queue"]
    assert refusal.startswith(f"HTCondor did not take {tmp_path}/empty.sub")
    assert "condor_q" in said
