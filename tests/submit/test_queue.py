"""Jobs in the queue are known by more than a number."""

import sys
from pathlib import Path

import pytest
from apcampaign.sandbox.servers import CondorPool

pytestmark = pytest.mark.htcondor

# HTCondor's bindings read their configuration once for each process.
CODE = """
import sys
from pathlib import Path
from apcampaign.common.condor import find_queued, remove_jobs, submit_file
from apcampaign.common.errors import SchedulerError
folder = Path(sys.argv[1])
cluster = submit_file(folder / "job.sub")
try:
    mine, other = (cluster, folder), (cluster, folder / "other")
    assert find_queued([mine, other]) == (mine,)
    assert find_queued([]) == ()
finally:
    remove_jobs([cluster], reason="the test is over")
try:
    submit_file(folder / "empty.sub")
except SchedulerError as error:
    print(error)
"""


def test_a_job_is_known_by_its_folder_too_and_a_refusal_is_a_sentence(
    tmp_path: Path, condor_pool: CondorPool
) -> None:
    lines = ["executable = /bin/sleep", "arguments = 600", f"initialdir = {tmp_path}", "queue", ""]
    (tmp_path / "job.sub").write_text("\n".join(lines))
    (tmp_path / "empty.sub").write_text("")
    said = condor_pool.run([sys.executable, "-c", CODE, str(tmp_path)], seconds=60)
    assert said.startswith(f"HTCondor did not take {tmp_path}/empty.sub")
    assert "condor_q" in said
