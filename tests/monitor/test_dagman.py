import shutil
from pathlib import Path

import pytest
from apcampaign.ledger import RunPaths, read_run
from apcampaign.monitor import is_dag_alive, open_run, read_exit

_RECORDED = Path(__file__).parents[1] / "support/recorded/troubled/templates/20261122T153637Z"

_SAID = '11/26/26 14:43:43 ERROR "Assertion ERROR on (! _finalNodeRun)" at line 1400 in file dag.cpp\n'
_SUBMITTED = "000 (002.000.000) 2026-11-26 14:42:59 Job submitted from host: <127.0.0.1:9618>\n...\n"
_RUNS = "001 (002.000.000) 2026-11-26 14:43:16 Job executing on host: <127.0.0.1:9618>\n...\n"
_EVICTED = "004 (002.000.000) 2026-11-26 14:43:43 Job was evicted.\n\t(0) CPU times\n...\n"
_REMOVED = "009 (002.000.000) 2026-11-26 14:43:43 Job was aborted.\n...\n"
_ENDED = (
    "005 (002.000.000) 2026-11-26 14:43:43 Job terminated.\n\t(1) Normal termination (return value {})\n...\n"
)
_KILLED = (
    "005 (002.000.000) 2026-11-26 14:43:43 Job terminated.\n\t(0) Abnormal termination (signal 9)\n...\n"
)
_AGAIN = "000 (007.000.000) 2026-11-26 14:50:00 Job submitted from host: <127.0.0.1:9618>\n...\n"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (_SUBMITTED + _RUNS, None),
        (_SUBMITTED + _RUNS + _EVICTED + _REMOVED, 1),
        (_SUBMITTED + _RUNS + _ENDED.format(4), 4),
        (_SUBMITTED + _RUNS + _KILLED, 1),
        (_SUBMITTED + _RUNS + _EVICTED + _RUNS, None),
        (_SUBMITTED + _RUNS + _EVICTED + _REMOVED + _AGAIN, None),
        ("", None),
    ],
    ids=["active", "removed", "ended", "killed", "started again", "resumed", "empty"],
)
def test_log_of_its_job_tells_the_end_of_a_dagman_that_crashed(
    tmp_path: Path, log: str, expected: int | None
) -> None:
    dag = tmp_path / "campaign.dag"
    dag.with_name("campaign.dag.dagman.out").write_text(_SAID)
    dag.with_name("campaign.dag.dagman.log").write_text(log)
    assert read_exit(dag) == expected
    assert is_dag_alive(dag, dag) == (expected is None)


def test_dagman_that_says_that_it_exits_is_believed(tmp_path: Path) -> None:
    dag = tmp_path / "campaign.dag"
    said = "11/26/26 14:43:59 **** condor_dagman (condor_DAGMAN) pid 15822 EXITING WITH STATUS 2\n"
    dag.with_name("campaign.dag.dagman.out").write_text(said)
    assert read_exit(dag) == 2


def test_run_whose_dagman_crashed_is_not_active_for_ever(tmp_path: Path) -> None:
    shutil.copytree(_RECORDED, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    dag = paths.dag(read_run(paths).output_run)
    said = dag.with_name(f"{dag.name}.dagman.out")
    said.write_text(said.read_text().rpartition("\n11/")[0] + "\n" + _SAID)
    reader = open_run(paths)
    reader.read()
    assert not reader.ended
    dag.with_name(f"{dag.name}.dagman.log").write_text(_SUBMITTED + _RUNS + _EVICTED + _REMOVED)
    reader.read()
    assert reader.ended
