"""Continuing a single run, as `recovery` continues a chain: with what it has, or with a new graph."""

__all__ = ["resume_newest", "resume_run"]

from collections.abc import Collection

from ..bps import Step, load_campaign, load_site, plan_campaign
from ..bps.loading import change_campaign
from ..common.errors import SubmissionError
from .ledger import RunRecord, list_chains, list_runs, write_run
from .lock import submission_lock
from .overtaken import pass_failures
from .paths import CampaignPaths, RunPaths
from .recovery import resume, undone_quanta, why_anew
from .repair import has_output, repair_apdb
from .stages import prepare_run, submit_run, uses_htcondor
from .steps import Say, pass_gate, refuse_if_going_on, tell_jobs
from .surroundings import batch_environment


def resume_newest(
    paths: CampaignPaths,
    timestamp: str,
    *,
    step: Step | None = None,
    changes: Collection[str] = (),
    new_graph: bool = False,
    past_failures: bool = False,
    say: Say = print,
) -> str | None:
    """Continue what was submitted last: a chain, or the run of a step that was submitted by itself.

    Parameters
    ----------
    paths
        The campaign's files.
    timestamp
        When this was asked for.
    step
        Continue the newest run of this step, whatever was submitted last.
    changes, new_graph, past_failures, say
        As for `apcampaign.submit.recovery.resume`.

    Returns
    -------
    id
        That of the workload manager, if it gives one.

    Raises
    ------
    SubmissionError
        If there is nothing to resume, or it is still going on.
    ApdbError
        If the APDB cannot be repaired.
    """
    chains = {chain.folder.name for chain in list_chains(paths)}
    by_itself = [run for each in Step for run in list_runs(paths, each) if run.timestamp not in chains]
    newest = max(by_itself, key=lambda run: run.timestamp, default=None)
    if step is None and (newest is None or newest.timestamp < max(chains, default="")):
        return resume(
            paths, timestamp, changes=changes, new_graph=new_graph, past_failures=past_failures, say=say
        )
    # The step that was submitted last; if that is done, the other one.
    steps = [step] if step else sorted(Step, key=lambda each: newest is None or each is not newest.step)
    for each in steps:
        if runs := list_runs(paths, each):
            refuse_if_going_on(paths, each)
            campaign = load_campaign(RunPaths(paths.step(each) / runs[-1].timestamp).campaign, environment={})
            if step:
                campaign = campaign.model_copy(update={"allow_missing_templates": 0.0})
            if undone_quanta(campaign, paths, each, say):
                return resume_run(
                    paths,
                    each,
                    timestamp,
                    changes=changes,
                    new_graph=new_graph,
                    past_failures=past_failures,
                    say=say,
                )
    raise SubmissionError(
        f"all quanta of campaign {paths.campaign} that were submitted are done; nothing to resume"
    )


def resume_run(
    paths: CampaignPaths,
    step: Step,
    timestamp: str,
    *,
    changes: Collection[str] = (),
    new_graph: bool = False,
    past_failures: bool = False,
    say: Say = print,
) -> str | None:
    """Continue the newest run of a step, which has ended; parameters and errors as `resume_newest`."""
    with submission_lock(paths.step(step)):
        refuse_if_going_on(paths, step)
        record = list_runs(paths, step)[-1]
        if step is Step.DIFFIM:
            repair_apdb(paths, say)
        why = why_anew([record], changes, new_graph or past_failures)
        if not why and not uses_htcondor(record):
            why = f"{record.wms_service.rpartition('.')[2]} cannot go on with a run that has ended"
        if not why:
            wms_id, why = _restart(record)
            if wms_id:
                write_run(
                    RunPaths(paths.step(step) / record.timestamp),
                    record.model_copy(update={"wms_id": wms_id}),
                )
                say(f"resubmitted {record.output_run} as {wms_id}: HTCondor goes on where it ended")
                return wms_id
        say(f"{why}: building a new graph, which leaves out what is done")
        return _run_anew(paths, record, timestamp, changes, say, past_failures=past_failures).wms_id


def _restart(record: RunRecord) -> tuple[str | None, str]:
    """Let BPS restart a run: its new id, or why that cannot be."""
    from lsst.ctrl.bps.restart import restart

    with batch_environment():
        try:
            wms_id, _, message = restart(record.wms_service, record.submit_dir)
        except Exception as error:
            # Whatever it is, a new graph does not need what was there.
            wms_id, message = None, f"{type(error).__name__}: {error}"
    return wms_id, f"HTCondor cannot go on with the run ({message.strip().rstrip('.')})"


def _run_anew(
    paths: CampaignPaths,
    record: RunRecord,
    timestamp: str,
    changes: Collection[str],
    say: Say,
    *,
    past_failures: bool,
) -> RunRecord:
    """Submit a new run of what an earlier one has not done."""
    frozen = RunPaths(paths.step(record.step) / record.timestamp).campaign
    campaign = change_campaign(load_campaign(frozen, environment={}), changes)
    again = [record.step] if has_output(paths, record.step) else []
    diffim = record.step is Step.DIFFIM
    plan = plan_campaign(
        campaign,
        timestamp=timestamp,
        steps=[record.step],
        templates=record.inputs[0] if diffim else None,
        again=again,
    )
    run = plan.runs[0]
    if diffim:
        pass_gate(campaign, run, say)
    say(f"preparing {run.output_run}")
    folder = paths.run(run)
    new, prepared = prepare_run(
        campaign,
        run,
        load_site(campaign.site),
        folder,
        apdb_config=record.apdb_config,
        late=pass_failures(campaign, paths, say) if diffim and past_failures else None,
    )
    tell_jobs(new.jobs, new.quanta, say)
    new = submit_run(folder, new, prepared)
    say(f"submitted {new.output_run}" + (f" as {new.wms_id}" if new.wms_id else ""))
    return new
