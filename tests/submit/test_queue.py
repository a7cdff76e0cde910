"""Jobs in the queue are known by what tells them from others, not by a number."""

import sys
from pathlib import Path

import pytest
from apcampaign.sandbox.servers import CondorPool

pytestmark = pytest.mark.htcondor

# HTCondor's bindings read their configuration once for each process.
CODE = """
import sys
import time
from pathlib import Path
from apcampaign.common.condor import JobMark, find_holds, find_marked, remove_marked, submit_file
from apcampaign.common.errors import SchedulerError
folder = Path(sys.argv[1])
mine, other = submit_file(folder / "mine.sub"), submit_file(folder / "other.sub")
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
    (tmp_path / "empty.sub").write_text("")
    said = condor_pool.run([sys.executable, "-c", CODE, str(tmp_path)], seconds=60)
    assert said.startswith(f"HTCondor did not take {tmp_path}/empty.sub")
    assert "condor_q" in said
