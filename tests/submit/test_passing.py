"""Later visits go past a failed association: a run's DAG on a real pool, with jobs that do nothing but end."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import apdb_content
import lsst.ctrl.bps.htcondor
import pytest
from apcampaign.apdb import ApdbTarget, init_apdb, open_apdb, plan_init
from apcampaign.bps import Step
from apcampaign.common.environment import environment_for_batch
from apcampaign.ledger import RunPaths, RunRecord, write_run, write_workflow
from apcampaign.monitor import JobState, read_jobs
from apcampaign.ordering import READER, WRITER, Order
from apcampaign.submit.bps_process import has_passed, settle
from apcampaign.submit.bps_process.passing import let_dagman_pass, let_parsl_pass

OUTPUT = "u/me/test/diffim/20260101T000000Z"
FIRST, SECOND = 1, 2  # two visits of the same sky
THIRD, FOURTH = 3, 4  # and of another one

# A failing job counts its tries, and may write to the APDB before it fails.
_JOB = """
executable = /bin/sh
arguments = "-c 'echo >> {folder}/$(name).tries; exit $(code)'"
log = {folder}/$(name).log
getenv = true
queue
"""


#: The runs on a pool, and which of their jobs fail.
ON_POOL = {
    "association fails": {f"association_{FIRST}"},
    "image fails": {f"diffim_{FIRST}"},
    "nothing fails": set[str](),
    "association fails when it has written": {f"association_{FIRST}"},
    "association fails and the APDB does not answer": {f"association_{FIRST}"},
}


def make_apdb(folder: Path) -> str:
    target = ApdbTarget.from_url(f"sqlite:///{folder}/apdb.db")
    init_apdb(plan_init(target, instrument="X", config=folder / "apdb.yaml"))
    return str(folder / "apdb.yaml")


@pytest.fixture
def apdb(tmp_path: Path) -> str:
    return make_apdb(tmp_path)


class Run:
    """A run of pairs of visits: init, then for each visit diffim, association and metrics."""

    service = "lsst.ctrl.bps.htcondor.HTCondorService"
    pairs: ClassVar = [(FIRST, SECOND)]

    def __init__(self, folder: Path, apdb: str, failing: set[str]):
        from lsst.ctrl.bps import GenericWorkflow, GenericWorkflowJob

        self.files, self.apdb, self.failing = RunPaths(folder / "run"), apdb, failing
        self.files.submit.mkdir(parents=True)
        workflow = GenericWorkflow("test")
        workflow.add_job(GenericWorkflowJob("init", "init"))
        writers = {(visit, 93): f"association_{visit}" for pair in self.pairs for visit in pair}
        for visit, _ in writers:
            names = [f"{label}_{visit}" for label in ("diffim", "association", "metrics")]
            tasks = [{"subtractImages": 1}, {READER: 1, WRITER: 1}, {"metrics": 1}]
            for name, quanta in zip(names, tasks, strict=True):
                workflow.add_job(GenericWorkflowJob(name, name.partition("_")[0], quanta_counts=quanta))
            for parent, child in zip(["init", *names], names, strict=False):
                workflow.add_job_relationships(parent, child)
        edges = tuple((writers[first, 93], writers[second, 93]) for first, second in self.pairs)
        order = Order(edges, writers)
        for edge in order.edges:
            workflow.add_job_relationships(*edge)
        workflow.add_final(GenericWorkflowJob("final", "final"))
        self._prepare(workflow, order, apdb)
        write_workflow(self.files, workflow, OUTPUT, order=order.edges)
        record = RunRecord(
            campaign="test",
            step=Step.DIFFIM,
            timestamp="20260101T000000Z",
            butler="/nowhere",
            inputs=("raw",),
            output="u/me/test/diffim",
            output_run=OUTPUT,
            config="bps.yaml",
            submit_dir=str(self.files.submit),
            graph="run.qg",
            wms_service=self.service,
            jobs={},
            quanta={},
            config_hash="",
        )
        write_run(self.files, record)

    def _prepare(self, workflow, order, apdb):
        self._write_dag(workflow)
        let_dagman_pass(self.files, OUTPUT, workflow, order, apdb)

    def _write_dag(self, workflow):
        job = self.files.submit / "job.sub"
        job.write_text(_JOB.format(folder=self.files.submit))
        names = [*workflow, "final"]
        lines = [f"{'FINAL' if name == 'final' else 'JOB'} {name} {job}" for name in names]
        lines += [f'VARS {name} name="{name}" code="{int(name in self.failing)}"' for name in names]
        lines += [f"PARENT {parent} CHILD {child}" for parent, child in workflow.edges]
        script = Path(lsst.ctrl.bps.htcondor.__path__[0]) / "final_post.sh"
        lines.append(f"SCRIPT POST final {script} final $DAG_STATUS $RETURN")
        self.files.dag(OUTPUT).write_text("\n".join([*lines, ""]))

    def submit(self, pool) -> None:
        self._call(pool, *pool.command(["condor_submit_dag", self.files.dag(OUTPUT).name]))

    def wait(self, pool) -> int:
        """Wait for its end, and give DAGMan's exit code."""
        dag = self.files.dag(OUTPUT)
        self._call(pool, "condor_wait", "-wait", "240", f"{dag.name}.dagman.log")
        said = dag.with_name(f"{dag.name}.dagman.out").read_text()
        return int(said.rpartition("EXITING WITH STATUS ")[2].split()[0])

    def _call(self, pool, *command: str) -> None:
        done = subprocess.run(
            command,
            env={**os.environ, **pool.environ()},
            cwd=self.files.submit,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    def states(self) -> dict[str, JobState]:
        return {job.name: job.state for job in read_jobs(self.files)}

    def tries(self, name: str) -> int:
        file = self.files.submit / f"{name}.tries"
        return len(file.read_text().splitlines()) if file.exists() else 0


class ParslRun(Run):
    """The same with Parsl, which itself tries every job a second time."""

    service = "lsst.ctrl.bps.parsl.ParslService"
    pairs: ClassVar = [(FIRST, SECOND), (THIRD, FOURTH)]
    #: A failing job counts its tries.
    command = "sh -c 'echo >> {folder}/{name}.tries; exit {code}'"
    config: ClassVar = {
        "uniqProcName": "test",
        "operator": "me",
        "payloadName": "test",
        "computeSite": "local",
        "site": {"local": {"class": "lsst.ctrl.bps.parsl.sites.Local", "cores": 2, "retries": 1}},
    }

    def _prepare(self, workflow, order, apdb):
        from lsst.ctrl.bps import GenericWorkflowExec

        shell = GenericWorkflowExec("shell", "env")
        final = workflow.get_final()
        for job in [*(workflow.get_job(name) for name in workflow), final]:
            words = {"folder": self.files.submit, "name": job.name, "code": int(job.name in self.failing)}
            job.executable, job.arguments = shell, self.command.format(**words)
        let_parsl_pass(self.files, workflow, order, apdb, retries=1)
        self.workflow = workflow

    def execute(self) -> None:
        """Run it, in a process of its own."""
        request = self.files.folder / "request.pickle"
        config = {**self.config, "submitPath": str(self.files.submit)}
        request.write_bytes(pickle.dumps((config, self.workflow)))
        code = (
            "import pickle, sys\n"
            "from lsst.ctrl.bps import BpsConfig\n"
            "from lsst.ctrl.bps.parsl.workflow import ParslWorkflow\n"
            "config, workflow = pickle.load(open(sys.argv[1], 'rb'))\n"
            "config = BpsConfig(config)\n"
            "made = ParslWorkflow.from_generic_workflow(config, workflow, config['submitPath'], '')\n"
            "made.start()\n"
            "made.run()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(request)],
            env=environment_for_batch(),
            cwd=self.files.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def with_parsl(tmp_path_factory) -> ParslRun:
    """A run in which an association fails that has written, and on the other sky an image."""
    folder = tmp_path_factory.mktemp("parsl")
    config = make_apdb(folder)
    apdb_content.associate(open_apdb(config), apdb_content.Survey(), FIRST, 93, 61000.0)
    run = ParslRun(folder, config, {f"association_{FIRST}", f"metrics_{SECOND}", f"diffim_{THIRD}"})
    run.execute()
    return run


@pytest.mark.slow(minutes=0.8)
def test_with_parsl_later_visits_go_past_a_failed_association_too(with_parsl):
    run, states = with_parsl, with_parsl.states()
    assert states[f"association_{FIRST}"] is states[f"metrics_{SECOND}"] is JobState.FAILED
    assert states[f"metrics_{FIRST}"] is JobState.PRUNED
    assert states[f"association_{SECOND}"] is JobState.DONE
    assert (run.tries(f"association_{FIRST}"), run.tries(f"association_{SECOND}")) == (2, 1)
    assert (run.tries(f"metrics_{FIRST}"), run.tries(f"metrics_{SECOND}")) == (0, 2)
    assert has_passed(run.files)
    assert not open_apdb(run.apdb).containsVisitDetector(FIRST, 93)


@pytest.mark.slow
def test_with_parsl_an_image_is_tried_again_before_its_association_is_passed(with_parsl):
    run, states = with_parsl, with_parsl.states()
    assert states[f"diffim_{THIRD}"] is JobState.FAILED
    assert states[f"association_{THIRD}"] is states[f"metrics_{THIRD}"] is JobState.PRUNED
    assert states[f"association_{FOURTH}"] is states[f"metrics_{FOURTH}"] is JobState.DONE
    assert run.tries(f"diffim_{THIRD}") == 2
    assert run.tries(f"association_{THIRD}") == 0


@pytest.fixture(scope="module")
def on_pool(condor_pool, tmp_path_factory) -> dict[str, Run]:
    """Runs that go on side by side: most of their time is waiting, for one level of a DAG after the other."""
    runs = {}
    for number, (name, failing) in enumerate(ON_POOL.items()):
        folder = tmp_path_factory.mktemp(f"run{number}")
        config = str(folder / "none.yaml") if "does not answer" in name else make_apdb(folder)
        if "written" in name:
            apdb_content.associate(open_apdb(config), apdb_content.Survey(), FIRST, 93, 61000.0)
        runs[name] = Run(folder, config, failing)
        runs[name].submit(condor_pool)
    return runs


@pytest.mark.htcondor
def test_an_association_that_fails_is_tried_again_and_then_passed(condor_pool, on_pool):
    run = on_pool["association fails"]
    assert run.wait(condor_pool) != 0
    states = run.states()
    assert states.pop(f"association_{FIRST}") is JobState.FAILED
    assert states.pop(f"metrics_{FIRST}") is JobState.PRUNED
    assert set(states.values()) == {JobState.DONE}
    assert run.tries(f"association_{FIRST}") == 2
    assert run.tries(f"metrics_{FIRST}") == 0
    assert has_passed(run.files)


@pytest.mark.htcondor
def test_an_association_whose_image_failed_is_passed_without_being_tried(condor_pool, on_pool):
    run = on_pool["image fails"]
    assert run.wait(condor_pool) != 0
    states = run.states()
    assert states.pop(f"diffim_{FIRST}") is JobState.FAILED
    assert states.pop(f"association_{FIRST}") is states.pop(f"metrics_{FIRST}") is JobState.PRUNED
    assert set(states.values()) == {JobState.DONE}
    assert run.tries(f"association_{FIRST}") == 0


@pytest.mark.htcondor
def test_without_a_failure_the_dag_succeeds(condor_pool, on_pool):
    run = on_pool["nothing fails"]
    assert run.wait(condor_pool) == 0
    assert set(run.states().values()) == {JobState.DONE}
    assert not has_passed(run.files)


@pytest.mark.htcondor
def test_what_a_failed_association_has_written_is_rolled_back_before_anything_else(condor_pool, on_pool):
    run = on_pool["association fails when it has written"]
    assert run.wait(condor_pool) != 0
    assert not open_apdb(run.apdb).containsVisitDetector(FIRST, 93)
    assert run.states()[f"association_{SECOND}"] is JobState.DONE


@pytest.mark.htcondor
def test_nobody_goes_past_what_may_be_in_an_apdb_that_does_not_answer(condor_pool, on_pool):
    run = on_pool["association fails and the APDB does not answer"]
    assert run.wait(condor_pool) != 0
    assert run.tries(f"association_{FIRST}") == 1
    assert run.states()[f"association_{SECOND}"] is JobState.PRUNED


def test_nothing_is_rolled_back_of_other_associations(tmp_path, apdb):
    database = open_apdb(apdb)
    apdb_content.associate(database, apdb_content.Survey(), SECOND, 93, 61000.0)
    run = Run(tmp_path, apdb, set())
    assert settle(apdb, run.files.order, f"association_{FIRST}")
    assert database.containsVisitDetector(SECOND, 93)
