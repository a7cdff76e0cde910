"""Following a chain from a terminal: what its runs' jobs do, until its DAGMan has ended."""

__all__ = ["follow_chain"]

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence

from ..bps import Step
from ..common.errors import SubmissionError
from .monitor import Job, JobState, read_jobs
from .paths import CampaignPaths, ChainPaths, RunPaths
from .surroundings import batch_environment

_POLL = 5.0  # seconds
_TOLD = (JobState.RUNNING, JobState.IDLE, JobState.HELD, JobState.FAILED, JobState.PRUNED)


def follow_chain(
    chain: ChainPaths, cluster: str, paths: CampaignPaths, say: Callable[[str], None] = print
) -> bool:
    """Say what a chain does until it has ended.

    Parameters
    ----------
    chain
        The chain's files.
    cluster
        The id of its DAGMan job.
    paths
        The campaign's files.
    say
        Takes a line whenever something has changed.

    Returns
    -------
    good
        Whether DAGMan ended with success.

    Raises
    ------
    SubmissionError
        If DAGMan is held or was removed.
    """
    import htcondor2

    with batch_environment():
        schedd = htcondor2.Schedd()
        before = ""
        while ads := schedd.query(f"ClusterId == {int(cluster)}", projection=["JobStatus", "HoldReason"]):
            if ads[0]["JobStatus"] == 5:  # held
                raise SubmissionError(
                    f"the chain {cluster} is held: {ads[0].get('HoldReason', 'no reason given')}"
                )
            now = _describe(chain, paths)
            if now != before:
                say(now)
                before = now
            time.sleep(_POLL)
    metrics = chain.metrics
    if not metrics.exists():
        raise SubmissionError(
            f"the chain {cluster} left the queue without an end; see {chain.dag}.dagman.out"
        )
    return int(json.loads(metrics.read_text(encoding="utf-8"))["exitcode"]) == 0


def _describe(chain: ChainPaths, paths: CampaignPaths) -> str:
    """Say in a line how the newest run stands."""
    timestamp = chain.folder.name
    for step in reversed(Step):
        run = RunPaths(paths.step(step) / timestamp)
        if run.record.exists():
            return f"{step}: {_count_jobs(read_jobs(run))}"
    return "waiting"


def _count_jobs(jobs: Sequence[Job]) -> str:
    """Count a run's jobs by state."""
    counts = Counter(job.state for job in jobs)
    words = [f"{counts[state]} {state}" for state in _TOLD if counts[state]]
    return f"{counts[JobState.DONE]}/{len(jobs)} jobs done" + (f", {', '.join(words)}" if words else "")
