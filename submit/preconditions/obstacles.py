"""Preconditions of a submission: each function returns the obstacle that there is at this moment, if any.

A plan with an obstacle is refused. The preflight in contrast looks for mistakes in a campaign and only lists
them; that it found no errors is one of the preconditions. The order of associations is guarded by
`apcampaign.ordering.guards`.
"""

__all__ = [
    "check_idle",
    "check_injected_alike",
    "check_preflight",
    "check_templates_runs",
    "describe_failed_templates",
    "look_at_reuse",
    "look_at_templates",
]

from collections.abc import Iterable, Iterator

from ...bps import Plan, PlannedRun, Step
from ...bps.lint import Severity
from ...common.errors import ApcampaignError, BusyError, PreconditionError
from ...ledger import Ledger, Workspace, is_submitting
from ...monitor import is_active
from ...monitor.outcomes import count_quanta, require_templates
from ...monitor.submitted import read_submitted_campaign
from ..executors import ActiveRun
from ..outputs.repair import Repair
from ..preflight import Preflight, check_plan_reuse

#: Rules whose subject the submission looks at by itself, with what it was told to allow.
_OWN_RULES = ("apdb", "apdb-unchecked", "no-templates")


def check_idle(active: Iterable[ActiveRun], ledger: Ledger) -> PreconditionError | None:
    """Refuse to begin or to continue while something of the campaign is active, or is being removed.

    What is being removed at this moment will have ended; a removal that was interrupted will not by itself.
    """
    if (record := ledger.unfinished_retirement) is not None:
        if any(is_submitting(ledger.paths.step(step)) for step in Step):
            return BusyError(
                f"{record.by} is removing {record.what} of campaign {record.campaign}: {record.progress}",
                remedy="wait until that has ended, and see `apcampaign status`",
            )
        return PreconditionError(record.describe())
    for path in ledger.unread:
        return PreconditionError(
            f"{path} cannot be read: it is not known what was removed of campaign {ledger.paths.campaign}",
            remedy="restore it from a backup, or let `apcampaign doctor --fix` set it aside: what it told of "
            "counts as not done then",
        )
    for each in active:
        return BusyError(
            f"{each.what} has not ended: {each.state}",
            remedy=each.end or "wait for it, or `apcampaign cancel` it",
        )
    return None


def check_injected_alike(workspace: Workspace, ledger: Ledger) -> PreconditionError | None:
    """Refuse to mix injected sources with those of the sky: in the collections and the APDB of one campaign."""
    injects = workspace.campaign.injection is not None
    for run in ledger.runs:
        if run.step is not Step.DIFFIM:
            continue
        try:
            injected = read_submitted_campaign(workspace, run).injection is not None
        except ApcampaignError:
            continue  # a copy that is damaged says nothing of either
        if injected != injects:
            now, before = ("injects", "has not") if injects else ("does not inject", "has")
            return PreconditionError(
                f"campaign {workspace.campaign.name} {now} sources, and its run {run.output_run} {before}",
                remedy="give the one with 'injection' a name of its own, and with it collections and an APDB",
            )
    return None


def check_preflight(preflight: Preflight) -> PreconditionError | None:
    """Refuse a campaign with errors that the preflight has found; it lists them all."""
    errors = [
        finding
        for finding in preflight.findings
        if finding.severity is Severity.ERROR and finding.rule not in _OWN_RULES
    ]
    if not errors:
        return None
    listed = "\n".join(f"  {each.what}; {each.remedy} [{each.rule}]" for each in errors)
    return PreconditionError(
        f"the preflight finds {len(errors)} error{'s' * (len(errors) > 1)}, so nothing is submitted "
        f"(`apcampaign check` tells more, --no-check submits nevertheless):\n{listed}",
        findings=errors,
    )


def check_templates_runs(workspace: Workspace, ledger: Ledger) -> PreconditionError | None:
    """Refuse difference imaging whose own templates step was never run, or has not ended.

    Whether its templates are there is for `look_at_templates` to tell.
    """
    runs = ledger.current(Step.TEMPLATES)
    if not runs:
        return PreconditionError(
            f"campaign {workspace.campaign.name} has no templates run in {workspace.paths.folder}",
            remedy="run `apcampaign submit templates` first, or name a collection that holds templates with "
            "--templates",
        )
    for run in runs:
        if is_active(run):
            return BusyError(
                f"the templates run {run.output_run} has not ended",
                remedy="wait for it with --wait, or watch it with `apcampaign status --watch`",
            )
    return None


def describe_failed_templates(ledger: Ledger) -> Iterable[str]:
    """Say which templates runs have ended with quanta that are not done."""
    for run in ledger.current(Step.TEMPLATES):
        if bad := [label for label, count in count_quanta([run]).items() if not count.good]:
            yield (
                f"the templates run {run.output_run} ended with quanta of {', '.join(bad)} not done; "
                "`apcampaign failures` tells why"
            )


def look_at_templates(workspace: Workspace, run: PlannedRun) -> Iterator[ApcampaignError | str]:
    """See whether the templates of a run are there: an obstacle if too many are missing, or a note."""
    try:
        yield require_templates(workspace.campaign, run).describe()
    except ApcampaignError as error:
        yield error


def look_at_reuse(
    workspace: Workspace, plan: Plan, repair: Repair, *, own: bool = True
) -> Iterator[ApcampaignError | str]:
    """See whether runs would take over what was made with another configuration: an obstacle for each task.

    Parameters
    ----------
    workspace, plan
        The campaign, and the runs.
    repair
        What is put right before, which tells of runs that the repository does not know yet.
    own
        Whether to compare with earlier runs of the same step too.
    """
    prepared = {run.output_run: run.graph for run in repair.unregistered}
    for finding in check_plan_reuse(workspace, plan, prepared=prepared, own=own):
        if finding.severity is Severity.ERROR:
            yield PreconditionError(finding.what, remedy=finding.remedy)
        else:
            yield f"warning: {finding.what}: {finding.why} [{finding.rule}]"
