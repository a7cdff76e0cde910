"""What HTCondor and tasks write, for `synthetic_run`: events of the log of a run, and logs of jobs that fail."""

__all__ = ["BEGUN", "CAUSES", "ENDED", "HOLD", "LOG", "REQUEUED", "SUBMITTED"]


SUBMITTED = """\
000 ({id:03}.000.000) {at} Job submitted from host: <10.0.0.1:9618?addrs=10.0.0.1-9618&alias=submit.example.org>
    [ DAGNodeName = "{name}"; JobBatchName = "apcampaign+synthetic" ]
...
"""


BEGUN = """\
001 ({id:03}.000.000) {at} Job executing on host: <10.0.0.{host}:9618?addrs=10.0.0.{host}-9618&alias=node{host}>
	SlotName: slot1_{slot}@node{host}.example.org
	CondorScratchDir = "/scratch/condor/execute/dir_{id}/scratch"
	Cpus = 1
	Disk = 1048576
	Memory = {memory}
...
"""


ENDED = """\
005 ({id:03}.000.000) {at} Job terminated.
	(1) Normal termination (return value {code})
		Usr 0 00:{minutes:02}:{seconds:02}, Sys 0 00:00:01  -  Run Remote Usage
		Usr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage
		Usr 0 00:{minutes:02}:{seconds:02}, Sys 0 00:00:01  -  Total Remote Usage
		Usr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage
	3880  -  Run Bytes Sent By Job
	0  -  Run Bytes Received By Job
	3880  -  Total Bytes Sent By Job
	0  -  Total Bytes Received By Job
	Partitionable Resources :    Usage  Request Allocated
	Cpus                 :     0.96        1         1
	Disk (KB)            :       23  1048576   1048576
	Memory (MB)          : {used:8} {memory:8} {memory:9}
	TimeExecute (s)      : {wall:8}
	TimeSlotBusy (s)     : {wall:8}
...
"""


REQUEUED = """\
004 ({id:03}.000.000) {at} Job was evicted.
	(0) Job terminated and was requeued
		Usr 0 00:00:01, Sys 0 00:00:00  -  Run Remote Usage
		Usr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage
	228  -  Run Bytes Sent By Job
	0  -  Run Bytes Received By Job
	(1) Normal termination (return value 3)
	The job attribute OnExitRemove expression 'ExitCode =?= 0' evaluated to FALSE
...
"""


HOLD = """\
012 ({id:03}.000.000) {at} Job was held.
	Error from slot1_1@node1: Job has gone over cgroup memory limit of {memory} megabytes.
	Code 34 Subcode 102
...
"""


LOG = """\
INFO 2026-11-01T01:00:00.000+00:00 lsst.pipe.base.single_quantum_executor ({task}:{data_id})(x.py:1) - Preparing
ERROR 2026-11-01T01:00:09.000+00:00 lsst.pipe.base.single_quantum_executor ({task}:{data_id})(x.py:9) - \
Execution of task '{task}' on quantum {data_id} failed. Exception {exception}: {message}
Traceback (most recent call last):
  File "/sw/lsst/pipe/base/single_quantum_executor.py", line 312, in _execute
    task.run(inputs)
  File "/sw/lsst/pipe/tasks/{task}.py", line 77, in run
    self.measure(inputs)
{exception}: {message}
ERROR 2026-11-01T01:00:09.000+00:00 lsst.daf.butler.cli.utils ()(utils.py:218) - Caught an exception:
Traceback (most recent call last):
  File "/sw/lsst/pipe/base/mp_graph_executor.py", line 767, in execute
    raise MPGraphExecutorError("One or more tasks failed during execution.")
lsst.pipe.base.mp_graph_executor.MPGraphExecutorError: One or more tasks failed during execution.
"""


CAUSES = (
    ("RuntimeError", "Unable to measure aperture correction: only {} stars"),
    ("lsst.meas.base.FatalAlgorithmError", "no PSF at ({}, 4)"),
    ("ValueError", "cannot reshape array of size {} into shape (4000, 4072)"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: '/repo/dc2/bias/{}.fits'"),
)
