"""After a failure: what is done stays done, what was half done is taken back, the rest runs again."""

__all__ = ["cancel", "resume", "undone_quanta", "why_anew"]

import time
from collections.abc import Collection, Iterable

from ..bps import Campaign, Plan, Step, load_campaign, load_site, plan_campaign
from ..bps.loading import change_campaign
from ..common.errors import SubmissionError
from .chain import resubmit_chain, submit_chain, write_chain
from .gate import check_templates
from .ledger import (
    ChainRecord,
    RunRecord,
    installed_versions,
    list_chains,
    list_runs,
    read_chain_record,
    write_chain_record,
)
from .lock import submission_lock
from .paths import CampaignPaths, ChainPaths
from .quanta import count_quanta
from .queue import explain_held, family_of, is_queued, open_queue
from .repair import has_output, publish, repair_apdb
from .stages import prepare_run, uses_htcondor
from .steps import Say, plan_diffim, refuse_if_going_on, tell_jobs

#: Versions in a run's page that have no part in what its jobs do.
_OURS = ("apcampaign", "git")
_POLL = 1.0  # seconds
_CANCEL_DEADLINE = 180.0  # seconds; a job may take its time to end


def resume(
    paths: CampaignPaths,
    timestamp: str,
    *,
    changes: Collection[str] = (),
    new_graph: bool = False,
    past_failures: bool = False,
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
    past_failures
        Whether later visits shall be associated without waiting for earlier ones of the same sky that failed;
        those are tried again after them. Takes new graphs.
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
        if is_queued(record.cluster):
            held = explain_held(record.cluster)
            mend = "; change their settings with `apcampaign cancel`, then `apcampaign resume --set …`"
            raise SubmissionError(
                f"the chain {chain.folder} is still going on as {record.cluster}{held and held + mend}; nothing "
                "to resume"
            )
        for step in Step:
            refuse_if_going_on(paths, step)
        campaign = load_campaign(chain.campaign, environment={})
        undone = {step: undone_quanta(campaign, paths, step, say) for step in Step}
        if not any(undone.values()):
            raise SubmissionError(f"all quanta of campaign {paths.campaign} are done; nothing to resume")
        repair_apdb(paths, say)
        newest = [runs[-1] for step in Step if (runs := list_runs(paths, step))]
        why = why_anew(newest, changes, new_graph or past_failures) or (
            "" if chain.has_rescue() else "there is no rescue DAG"
        )
        if not why:
            cluster = resubmit_chain(chain)
            write_chain_record(chain, record.model_copy(update={"cluster": cluster}))
            say(f"resubmitted the chain {chain.dag} as {cluster}: HTCondor goes on where it ended")
            return cluster
        say(f"{why}: building new graphs, which leave out what is done")
        campaign = change_campaign(campaign, changes)
        return _begin_anew(campaign, paths, timestamp, undone, say, past_failures=past_failures)


def why_anew(records: Iterable[RunRecord], changes: Collection[str], new_graph: bool) -> str:
    """Say why runs cannot go on with the graphs they have; nothing if they can."""
    if changes:
        return "settings have changed"
    if new_graph:
        return "as asked for"
    now = installed_versions()
    for record in records:
        differences = [
            f"{name} {version} → {now.get(name, 'gone')}"
            for name, version in record.versions.items()
            if name not in _OURS and now.get(name) != version
        ]
        if differences:
            return f"software has changed ({', '.join(differences)})"
    return ""


def _begin_anew(
    campaign: Campaign,
    paths: CampaignPaths,
    timestamp: str,
    undone: dict[Step, bool],
    say: Say,
    *,
    past_failures: bool,
) -> str:
    """Submit a new chain of what is not done, with new graphs that leave out what is."""
    again = [step for step in Step if has_output(paths, step)]
    steps = [step for step in Step if undone[step] or step is Step.DIFFIM]
    plan: Plan = plan_campaign(campaign, timestamp=timestamp, steps=steps, again=again)
    for run in plan.runs:
        if run.step is Step.TEMPLATES:
            say(f"preparing {run.output_run}")
            prepared, _ = prepare_run(campaign, run, load_site(campaign.site), paths.run(run))
            tell_jobs(prepared.jobs, prepared.quanta, say)
    chain: ChainPaths = write_chain(campaign, plan, paths, past_failures=past_failures)
    cluster = submit_chain(chain, campaign)
    write_chain_record(chain, ChainRecord(campaign=campaign.name, timestamp=timestamp, cluster=cluster))
    say(f"submitted the new chain {chain.dag} as {cluster}")
    return cluster


def cancel(paths: CampaignPaths, say: Say = print) -> None:
    """End a campaign's newest chain and runs, and see that nothing of them is left in the queue.

    Raises
    ------
    SubmissionError
        If nothing is going on, something is left after three minutes, or the workload manager has no queue.
    """
    clusters = [read_chain_record(chain).cluster for chain in list_chains(paths)]
    runs = [run for step in Step for run in list_runs(paths, step)]
    clusters += [run.wms_id.partition(".")[0] for run in runs if run.wms_id and uses_htcondor(run)]
    if runs and not clusters and not any(map(uses_htcondor, runs)):
        raise SubmissionError(
            f"the runs of campaign {paths.campaign} are not in a queue: {runs[-1].wms_service} runs the jobs in "
            "the process that submitted them; end that (Ctrl-C), and go on with `apcampaign resume`"
        )
    going_on = [cluster for cluster in clusters if is_queued(cluster)]
    if not going_on:
        raise SubmissionError(f"nothing of campaign {paths.campaign} is in the queue")
    with open_queue() as queue:
        import htcondor2

        family = family_of(queue, going_on)
        for cluster in going_on:
            say(f"removing {cluster}")
            queue.act(htcondor2.JobAction.Remove, f"ClusterId == {int(cluster)}", reason="apcampaign cancel")
        deadline = time.monotonic() + _CANCEL_DEADLINE
        while left := family_of(queue, family):
            family |= left
            if time.monotonic() > deadline:
                ids = ", ".join(sorted(left))
                raise SubmissionError(f"these jobs are still in the queue: {ids}; see `condor_q -hold {ids}`")
            time.sleep(_POLL)
    say("nothing is left in the queue")


def undone_quanta(campaign: Campaign, paths: CampaignPaths, step: Step, say: Say) -> bool:
    """Tell whether a step has quanta to do, and say which and why; the repository is told what is done.

    Templates that may be missing are not to do once difference images have been made without them.
    """
    runs = list_runs(paths, step)
    if not runs:
        say(f"{step}: not begun")
        return True
    publish(paths, step, say)
    counts = count_quanta(runs[-1])
    bad = {label: count for label, count in counts.items() if not count.good}
    if bad:
        failed, blocked, unknown = (
            sum(getattr(count, outcome) for count in bad.values())
            for outcome in ("failed", "blocked", "unknown")
        )
        say(
            f"{step}: {failed + blocked + unknown} of {sum(count.expected for count in counts.values())} quanta "
            f"to run again: {failed} failed, {blocked} waited for those, {unknown} left no trace: "
            + ", ".join(f"{c.expected - c.successful} of {c.expected} {label}" for label, c in bad.items())
        )
    if bad and step is Step.TEMPLATES and _may_be_missing(campaign, paths):
        say(
            "templates: what is missing is within what may be, and difference images were made without it, so it "
            "is not made now; `apcampaign resume --step templates` would"
        )
        return False
    return bool(bad)


def _may_be_missing(campaign: Campaign, paths: CampaignPaths) -> bool:
    allowed = campaign.allow_missing_templates
    if not allowed or not list_runs(paths, Step.DIFFIM):
        return False
    return check_templates(campaign, plan_diffim(campaign, "")).missing_percent <= allowed
