"""After a failure: what is done stays done, what was half done is taken back, the rest runs again."""

__all__ = ["cancel", "repair_apdb", "resume"]

import subprocess
import time
from collections.abc import Collection
from typing import Any

from ..apdb import plan_rollback, roll_back, verify_apdb
from ..bps import Campaign, Plan, Step, load_campaign, load_site, plan_campaign
from ..bps.loading import change_campaign
from ..common.errors import SubmissionError
from .associated import read_finished
from .chain import resubmit_chain, submit_chain, write_chain
from .ledger import ChainRecord, RunRecord, list_chains, list_runs, read_chain_record, write_chain_record
from .lock import submission_lock
from .paths import CampaignPaths, ChainPaths
from .quanta import count_quanta
from .stages import prepare_run
from .steps import Say, refuse_if_going_on, tell_jobs
from .surroundings import batch_environment, environment_for_batch

_POLL = 1.0  # seconds
_CANCEL_DEADLINE = 180.0  # seconds; a job may take its time to end


def resume(
    paths: CampaignPaths,
    timestamp: str,
    *,
    changes: Collection[str] = (),
    new_graph: bool = False,
    say: Say = print,
) -> str:
    """Continue a campaign's newest chain from what is done.

    Parameters
    ----------
    paths
        The campaign's files; the campaign is the one that the chain was submitted with.
    timestamp
        When this was asked for.
    changes
        BPS settings to change, as `apcampaign.bps.loading.change_campaign` takes them.
    new_graph
        Whether to build new graphs, which leave out what is done, although no setting has changed. If
        nothing has, HTCondor's rescue DAG goes on with the old ones.
    say
        Takes what there is to tell: what will run again, and why.

    Returns
    -------
    cluster
        The id of the chain's DAGMan job.

    Raises
    ------
    SubmissionError
        If there is nothing to resume, or it is still going on.
    ApdbError
        If the APDB cannot be repaired.
    """
    chains = list_chains(paths)
    if not chains:
        raise SubmissionError(
            f"campaign {paths.campaign} has no chain to resume in {paths.chains}; submit one first"
        )
    chain = chains[-1]
    record = read_chain_record(chain)
    with submission_lock(paths.step(Step.TEMPLATES)), submission_lock(paths.step(Step.DIFFIM)):
        if _queued(record.cluster):
            raise SubmissionError(
                f"the chain {chain.folder} is still going on as {record.cluster}; nothing to resume"
            )
        for step in Step:
            refuse_if_going_on(paths, step)
        undone = {step: _undone(paths, step, say) for step in Step}
        if not any(undone.values()):
            raise SubmissionError(f"all quanta of campaign {paths.campaign} are done; nothing to resume")
        repair_apdb(paths, say)
        if not (changes or new_graph):
            cluster = resubmit_chain(chain)
            write_chain_record(chain, record.model_copy(update={"cluster": cluster}))
            say(f"resubmitted the chain {chain.dag} as {cluster}: HTCondor goes on where it ended")
            return cluster
        campaign = change_campaign(load_campaign(chain.campaign, environment={}), changes)
        return _begin_anew(campaign, paths, timestamp, undone, say)


def _begin_anew(
    campaign: Campaign,
    paths: CampaignPaths,
    timestamp: str,
    undone: dict[Step, bool],
    say: Say,
) -> str:
    """Submit a new chain of what is not done, with new graphs that leave out what is."""
    again = [step for step in Step if _publish(paths, step, say)]
    steps = [step for step in Step if undone[step] or step is Step.DIFFIM]
    plan: Plan = plan_campaign(campaign, timestamp=timestamp, steps=steps, again=again)
    for run in plan.runs:
        if run.step is Step.TEMPLATES:
            say(f"preparing {run.output_run}")
            prepared, _ = prepare_run(campaign, run, load_site(campaign.site), paths.run(run))
            tell_jobs(prepared.jobs, prepared.quanta, say)
    chain: ChainPaths = write_chain(campaign, plan, paths)
    cluster = submit_chain(chain, campaign)
    write_chain_record(chain, ChainRecord(campaign=campaign.name, timestamp=timestamp, cluster=cluster))
    say(f"submitted the new chain {chain.dag} as {cluster}")
    return cluster


def repair_apdb(paths: CampaignPaths, say: Say = print) -> None:
    """Take back what was written to the APDB by associations that did not end well.

    Such an association can then run again; one that has written and is not taken back cannot.

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
    same = [record for record in runs if record.apdb_config == apdb_config]
    found = verify_apdb(apdb_config, read_finished(same), order=None).unrecorded
    for visit, detector in found:
        say(
            f"visit {visit}, detector {detector} is in the APDB, but its association did not end well: "
            "taking it back"
        )
    if found:
        roll_back(plan_rollback(apdb_config, found))


def cancel(paths: CampaignPaths, say: Say = print) -> None:
    """End a campaign's newest chain and runs, and see that nothing of them is left in the queue.

    Raises
    ------
    SubmissionError
        If nothing is going on, or something is left after three minutes.
    """
    import htcondor2

    clusters = [read_chain_record(chain).cluster for chain in list_chains(paths)]
    runs = [run for step in Step for run in list_runs(paths, step)]
    clusters += [
        run.wms_id.partition(".")[0] for run in runs if run.wms_id and ".htcondor." in run.wms_service
    ]
    with batch_environment():
        schedd = htcondor2.Schedd()
        going_on = [cluster for cluster in clusters if _queued(cluster)]
        if not going_on:
            raise SubmissionError(f"nothing of campaign {paths.campaign} is in the queue")
        family = _family(schedd, going_on)
        for cluster in going_on:
            say(f"removing {cluster}")
            schedd.act(htcondor2.JobAction.Remove, f"ClusterId == {int(cluster)}", reason="apcampaign cancel")
        deadline = time.monotonic() + _CANCEL_DEADLINE
        while left := _family(schedd, family):
            family |= left
            if time.monotonic() > deadline:
                ids = ", ".join(sorted(left))
                raise SubmissionError(f"these jobs are still in the queue: {ids}; see `condor_q -hold {ids}`")
            time.sleep(_POLL)
    say("nothing is left in the queue")


def _queued(cluster: str) -> bool:
    import htcondor2

    with batch_environment():
        found = htcondor2.Schedd().query(f"ClusterId == {int(cluster)}", projection=["ClusterId"])
    return bool(found)


def _family(schedd: Any, clusters: Any) -> set[str]:
    """Find what is in the queue of some DAGMan jobs: themselves and all below them."""
    family: set[str] = set()
    front = set(clusters)
    ads = schedd.query("True", projection=["ClusterId", "DAGManJobId"])
    parent_of = {str(ad["ClusterId"]): str(ad.get("DAGManJobId", "")) for ad in ads}
    while front:
        family |= front & set(parent_of)
        front = {child for child, parent in parent_of.items() if parent in front and child not in family}
    return family


def _undone(paths: CampaignPaths, step: Step, say: Say) -> bool:
    """Tell whether a step has quanta to do, and say which and why."""
    runs = list_runs(paths, step)
    if not runs:
        say(f"{step}: not begun")
        return True
    counts = count_quanta(runs[-1], from_files=True)
    bad = {label: count for label, count in counts.items() if not count.good}
    for label, count in bad.items():
        say(
            f"{step}: {count.expected - count.successful} of {count.expected} {label} to run again: "
            f"{count.failed} failed, {count.blocked} waited for those, {count.unknown} had not run"
        )
    return bool(bad)


def _publish(paths: CampaignPaths, step: Step, say: Say) -> bool:
    """See that what a step's newest run has made is in the repository; its final job may not have run.

    Returns
    -------
    known
        Whether the repository knows outputs of the step.
    """
    from lsst.daf.butler import Butler

    runs = list_runs(paths, step)
    if not runs:
        return False
    newest: RunRecord = runs[-1]
    with Butler.from_config(newest.butler) as butler:
        known = set(butler.collections.query("*"))
    if newest.output_run not in known:
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
    return True
