"""Before a step goes on: what its runs have done is made known, and what they have half done is taken back."""

__all__ = ["has_output", "publish", "repair_apdb"]

import subprocess
from collections.abc import Callable

from ..apdb import find_apdb, plan_rollback, roll_back, verify_apdb
from ..bps import Step
from ..common.errors import ForeignApdbError, SubmissionError
from .associated import read_associations
from .ledger import RunRecord, list_runs
from .monitor import JobState, read_jobs
from .paths import CampaignPaths, RunPaths
from .quanta import count_quanta
from .surroundings import environment_for_batch

Say = Callable[[str], None]

#: The label of the job that tells the repository what a run has made.
FINAL = "finalJob"


def repair_apdb(paths: CampaignPaths, say: Say = print) -> None:
    """Take back what was written to the APDB by a campaign's associations that did not end well.

    Such an association can then run again; one that has written and is not taken back cannot. What is in the
    APDB from elsewhere stays. The repository must know what was done: `publish` first.

    Raises
    ------
    SubmissionError
        If the runs' outputs cannot be read.
    ApdbError
        If the APDB cannot be read, or later associations have built on one of these.
    """
    runs = list_runs(paths, Step.DIFFIM)
    if not runs or (apdb_config := runs[-1].apdb_config) is None:
        return
    try:
        find_apdb(apdb_config)
    except ForeignApdbError as reason:
        say(
            f"{reason}: associations that were ended after their write are not taken back, and will fail again "
            "(«this image cannot be retried»)"
        )
        return
    associations = read_associations([run for run in runs if run.apdb_config == apdb_config])
    unrecorded = verify_apdb(apdb_config, associations.finished, order=None).unrecorded
    if found := [key for key in unrecorded if key in associations.begun]:
        for visit, detector in found:
            say(
                f"visit {visit}, detector {detector} is in the APDB, but its association did not end well: "
                "taking it back"
            )
        roll_back(plan_rollback(apdb_config, found))


def publish(paths: CampaignPaths, step: Step, say: Say = print) -> None:
    """See that the repository knows what a step's newest run, which has ended, has made.

    It is the run's final job that tells it, and a run that was cancelled had none.
    """
    runs = list_runs(paths, step)
    if not runs or not _is_untold(paths, runs[-1]):
        return
    newest: RunRecord = runs[-1]
    say(f"{step}: telling the repository what {newest.output_run} has made")
    words = ["butler", "aggregate-graph", newest.graph, newest.butler, "--register-dataset-types"]
    done = subprocess.run(
        [*words, "--update-output-chain"],
        env=environment_for_batch(),
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise SubmissionError(f"`{' '.join(words)}` failed: {said}")


def has_output(paths: CampaignPaths, step: Step) -> bool:
    """Tell whether a step has an output collection, so that a new graph can leave out what is in it."""
    from lsst.daf.butler import Butler

    runs = list_runs(paths, step)
    if not runs:
        return False
    with Butler.from_config(runs[-1].butler) as butler:
        return runs[-1].output in set(butler.collections.query("*"))


def _is_untold(paths: CampaignPaths, record: RunRecord) -> bool:
    """Tell whether jobs of a run have ended since its final job has, if that did."""
    if all(count.good for count in count_quanta(record).values()):
        return False
    jobs = read_jobs(RunPaths(paths.step(record.step) / record.timestamp))
    told = [job.state is JobState.DONE for job in jobs if job.label == FINAL]
    return not any(told) and any(job.state is JobState.DONE for job in jobs)
