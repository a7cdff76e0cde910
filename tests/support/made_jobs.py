"""Jobs that nobody ran, and runs of which the files were kept (recorded/)."""

__all__ = ["NOW", "make_job", "recorded", "states"]

from collections import Counter
from dataclasses import replace
from pathlib import Path

from apcampaign.bps import Step
from apcampaign.ledger import RunPaths
from apcampaign.monitor import Attempt, AttemptOutcome, Job, JobState

RECORDED = Path(__file__).parent / "recorded"
NOW = 1_800_000_000.0


def recorded(name: str) -> RunPaths:
    (page,) = RECORDED.glob(f"{name}/*/*/run.yaml")
    return RunPaths(page.parent)


def make_job(name: str, state: JobState, *, seconds: float = 100, parents: tuple[str, ...] = ()) -> Job:
    """Make a job that, if it is done, took some seconds until now."""
    label = name.partition("_")[0]
    attempts: tuple[Attempt, ...] = ()
    if state is JobState.DONE:
        attempts = (
            Attempt(
                cluster=1, queued=NOW - seconds, started=NOW - seconds, ended=NOW, outcome=AttemptOutcome.DONE
            ),
        )
    elif state is JobState.HELD:
        attempts = (Attempt(cluster=7, queued=NOW - 9, ended=NOW, outcome=AttemptOutcome.HELD, reason="why"),)
    job = Job(name=name, label=label, step=Step.TEMPLATES, state=state, parents=parents, folder=Path("/"))
    return replace(job, attempts=attempts)


def states(jobs: list[Job]) -> dict[str, int]:
    return dict(Counter(str(job.state) for job in jobs))
