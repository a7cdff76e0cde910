"""Before a step goes on: what its runs have done is made known, and what they have half done is taken back."""

__all__ = ["publish", "repair_apdb"]

import subprocess
from collections.abc import Callable

from ..apdb import find_apdb, plan_rollback, roll_back, verify_apdb
from ..bps import Step
from ..common.errors import ForeignApdbError, SubmissionError
from .associated import read_associations
from .ledger import RunRecord, list_runs
from .paths import CampaignPaths
from .quanta import count_quanta
from .surroundings import environment_for_batch

Say = Callable[[str], None]


def repair_apdb(paths: CampaignPaths, say: Say = print) -> None:
    """Take back what was written to the APDB by a campaign's associations that did not end well.

    Such an association can then run again; one that has written and is not taken back cannot. What is in the
    APDB from elsewhere stays.

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


def publish(paths: CampaignPaths, step: Step, say: Say = print) -> bool:
    """See that what a step's newest run has made is in the repository; its final job may not have run.

    Returns
    -------
    known
        Whether the step has an output collection, so that what is in it can be left out.
    """
    runs = list_runs(paths, step)
    if not runs:
        return False
    newest: RunRecord = runs[-1]
    known = _list_collections(newest.butler)
    done = _count_done(newest, from_files=True)
    if done and (not {newest.output_run, newest.output} <= known or done > _count_done(newest)):
        say(f"{step}: telling the repository what {newest.output_run} has made")
        words = ["butler", "aggregate-graph", newest.graph, newest.butler, "--register-dataset-types"]
        ended = subprocess.run(
            [*words, "--update-output-chain"],
            env=environment_for_batch(),
            capture_output=True,
            text=True,
            check=False,
            timeout=3600,
        )
        if ended.returncode:
            said = "\n".join(ended.stderr.splitlines()[-5:])
            raise SubmissionError(f"`{' '.join(words)}` failed: {said}")
    return newest.output in _list_collections(newest.butler)


def _list_collections(repository: str) -> set[str]:
    from lsst.daf.butler import Butler

    with Butler.from_config(repository) as butler:
        return set(butler.collections.query("*"))


def _count_done(record: RunRecord, *, from_files: bool = False) -> int:
    return sum(count.successful for count in count_quanta(record, from_files=from_files).values())
