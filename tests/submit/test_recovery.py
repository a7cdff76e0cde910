"""A campaign that version 0.1 has begun, with faults planted in the middle, ends as one of today without."""

import getpass
import os
import signal
from pathlib import Path

import pytest
import sqlalchemy
import yaml
from interference import KILLED, dagmans, wait_for
from lsst.daf.butler import Butler
from older_runs import continue_older
from operators import assert_complete, assert_same, plant

pytestmark = [pytest.mark.slow(minutes=3), pytest.mark.htcondor, pytest.mark.postgres]


def damage(folder: Path, url: str) -> None:
    """Lose an association, an output collection, a graph that nobody needs any more, and parts of files."""
    (apdb,) = folder.glob("runs/*/apdb_config.yaml")
    schema = yaml.safe_load(apdb.read_text())["namespace"]
    with sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:")).begin() as connection:
        for name in ("DiaForcedSource", "DiaSource"):
            table = sqlalchemy.table(name, sqlalchemy.column("visit"), schema=schema)
            connection.execute(sqlalchemy.delete(table).where(table.c.visit == 731000))
    repository = yaml.safe_load((folder / "campaign.yaml").read_text())["butler"]
    with Butler.from_config(repository, writeable=True) as butler:
        butler.registry.removeCollection(f"u/{getpass.getuser()}/{folder.name}/diffim")
    (record,) = folder.glob("runs/*/diffim/*/run.yaml")
    (log,) = folder.glob("runs/*/diffim/*/submit/*.nodes.log")
    for path in (record, log):
        path.write_bytes(path.read_bytes()[:400])
    sorted(folder.glob("runs/*/templates/*/submit/*.qg"))[-1].unlink()


def test_a_campaign_survives_an_upgrade_failures_kills_a_restart_of_the_pool_and_a_cancellation(
    tmp_path, postgres_url, sandbox, condor_pool, reference
):
    older = continue_older(tmp_path, "cancelled", sandbox, condor_pool, postgres_url)
    folder = older.folder
    why = "an older version of apcampaign submitted the campaign DAG: building new graphs"
    told = older.apcampaign("resume", "--dry-run")
    assert "templates: 30 of 30 quanta to rerun" in told
    assert why in told
    assert not list(folder.glob("runs/*/dag"))
    operator = plant(older, KILLED, {"kind": "fail", "label": "makeDirectWarp", "times": 2})
    assert why in operator.apcampaign("resume")
    wait_for((folder / "faults" / "fault1.0").exists, "the first failure")
    (dag,) = folder.glob("runs/*/dag/*")
    # DAGMan of the campaign and of its first run.
    killed = dagmans(folder)
    assert len(killed) == 2
    for process in killed:
        os.kill(process, signal.SIGKILL)
    run_log = sorted(folder.glob("runs/*/templates/*/submit/*.dag.dagman.out"))[-1]
    logs = [dag / "campaign.dag.dagman.out", run_log]

    def wait_for_recoveries(count: int) -> None:
        done = "...done with RECOVERY mode"
        wait_for(
            lambda: all(log.read_text().count(done) >= count for log in logs), "the recovery of both DAGMans"
        )

    wait_for_recoveries(1)
    condor_pool.stop()
    assert not dagmans(folder)
    condor_pool.start()
    wait_for_recoveries(2)
    operator.apcampaign("cancel", seconds=240, good=None)
    queued = ["condor_q", "-allusers", "-constraint", "JobStatus == 3", "-af", "ClusterId"]
    if left := condor_pool.run(queued, seconds=30).split():
        # A job that ran when the pool ended suddenly waits for its machine of before: what `cancel` says then.
        condor_pool.run(["condor_rm", "-forcex", *left], seconds=30)
        wait_for(lambda: not condor_pool.run(queued, seconds=30).strip(), "the end of what is lost")
    assert condor_pool.run(["condor_q", "-allusers", "-af", "ClusterId"], seconds=30).strip() == ""
    assert "where it ended" in operator.apcampaign("resume")
    assert operator.wait_for_dag() == 0
    # What comes later on the same sky waited until the association that was killed was repeated.
    (settled,) = folder.glob("runs/*/diffim/*/order/settled.log")
    assert "rolling it back" in settled.read_text()
    quanta = assert_complete(operator, postgres_url)
    assert quanta["associateApdb"] == 2
    assert_same((operator, postgres_url), reference.wait())
    assert "nothing to resume" in operator.apcampaign("resume", good=False)
    damage(folder, postgres_url)
    told = operator.apcampaign("doctor", "--fix", seconds=240)
    assert told.count("damaged record") == 1
    assert told.count("damaged log") == 1
    output = f"u/{getpass.getuser()}/{folder.name}/diffim"
    assert f"output collection: {output} is gone, with {output}/" in told
    assert (
        "has lost rows of visit 731000 detector 94, which were recorded; built on that: visit 731100" in told
    )
    assert operator.wait_for_dag() == 0
    assert_same((operator, postgres_url), reference.wait())
    assert "nothing is wrong" in operator.apcampaign("doctor")
