"""What of the steps of a campaign is not done."""

__all__ = ["Remaining", "describe_remaining", "read_remaining"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...bps import Plan, Step, plan_campaign
from ...common.butler import open_butler
from ...ledger import Ledger, RunRecord, Workspace, find_continued
from ...monitor.outcomes import (
    QuantaCount,
    add_counts,
    check_templates,
    count_quanta_by_run,
    find_left_quanta,
    read_unregistered,
)
from .repair import find_unregistered


@dataclass(frozen=True)
class Remaining:
    """What of a step is not done.

    Parameters
    ----------
    step
        The step.
    begun
        Whether it has runs at all.
    absent
        The names of its parts that have none, or were to be made anew and have not been.
    counts
        Outcomes of the quanta of its current runs by task label.
    undone
        The names of its parts that have quanta which are not done, whichever of its runs was to do them.
    tolerated
        Whether what is missing are templates that may be missing, and difference imaging has run without them.
    """

    step: Step
    begun: bool
    absent: tuple[str, ...] = ()
    counts: Mapping[str, QuantaCount] = field(default_factory=dict)
    undone: tuple[str, ...] = ()
    tolerated: bool = False

    @property
    def any(self) -> bool:
        """Whether there is something to run."""
        return not self.begun or bool(self.absent) or (bool(self._bad) and not self.tolerated)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its parts of which there is something to run."""
        return (*self.absent, *self.undone) if self.any else ()

    @property
    def _bad(self) -> dict[str, QuantaCount]:
        return {label: count for label, count in self.counts.items() if not count.good}

    def describe(self) -> list[str]:
        """Say it in lines; none if all is done."""
        if not self.begun:
            return [f"{self.step}: not begun"]
        lines = [f"{self.step}: not begun: {', '.join(self.absent)}"] if self.absent else []
        if not (bad := self._bad):
            return lines
        failed, blocked, unknown = (
            sum(getattr(count, outcome) for count in bad.values())
            for outcome in ("failed", "blocked", "unknown")
        )
        expected = sum(count.expected for count in self.counts.values())
        by_label = ", ".join(
            f"{c.expected - c.successful} of {c.expected} {label}" for label, c in bad.items()
        )
        lines += [
            f"{self.step}: {failed + blocked + unknown} of {expected} quanta to rerun: {failed} failed, {blocked} "
            f"blocked by them, {unknown} never recorded: {by_label}"
        ]
        if self.tolerated:
            lines.append(
                f"{self.step}: the missing ones are within allowMissingTemplates and difference imaging has "
                f"already run without them, so they are not rebuilt (`apcampaign resume --step {self.step}` does)"
            )
        return lines


def describe_remaining(remaining: Iterable[Remaining]) -> tuple[str, ...]:
    """Say in lines what of some steps is not done; the same lines mean that nothing has changed."""
    return tuple(line for each in remaining for line in each.describe())


def read_remaining(
    workspace: Workspace, ledger: Ledger, step: Step, plan: Plan | None, *, tolerate: bool
) -> Remaining:
    """Count what of a step is not done, whether or not the repository knows of it yet. Changes nothing.

    Parameters
    ----------
    workspace, ledger
        The campaign as it was submitted, and all that it has submitted.
    step
        The step.
    plan
        What was submitted last, if its steps were divided into parts.
    tolerate
        Whether templates that may be missing count as done once difference imaging has run without them.

    Raises
    ------
    ApcampaignError
        If records or repository cannot be asked.
    """
    runs = ledger.current(step)
    # Of a step that was to be divided anew, the parts of before are not those that were asked for.
    wanted = {run.division for run in plan.runs_of(step)} if plan is not None else set()
    divided_anew = bool(wanted) and wanted != {run.division for run in runs}
    if not runs or divided_anew:
        return Remaining(step, begun=False)
    unregistered = find_unregistered(ledger, runs)
    counts: dict[str, Mapping[str, QuantaCount]] = {
        **count_quanta_by_run(run for run in runs if run not in unregistered),
        **{run.output_run: read_unregistered(run).counts for run in unregistered},
    }
    found = Remaining(
        step,
        begun=True,
        absent=ledger.absent_parts(step),
        counts=add_counts(counts[run.output_run] for run in runs),
    )
    if not found.any:
        return found
    found = replace(found, tolerated=tolerate and _may_be_missing(workspace, ledger, step))
    if plan is None:
        return found
    undone = {run.name for run in runs if any(not count.good for count in counts[run.output_run].values())}
    return replace(found, undone=tuple(sorted(undone | _find_left_parts(ledger, runs))))


def _may_be_missing(workspace: Workspace, ledger: Ledger, step: Step) -> bool:
    """Tell whether templates that are missing may be, and difference imaging has run without them."""
    allowed = workspace.campaign.allow_missing_templates
    if step is not Step.TEMPLATES or not allowed or not ledger.current(Step.DIFFIM):
        return False
    plan = plan_campaign(workspace.campaign, steps=[Step.DIFFIM])
    return all(check_templates(workspace.campaign, run).within(allowed) for run in plan)


def _find_left_parts(ledger: Ledger, runs: Sequence[RunRecord]) -> set[str]:
    """Name the parts of which quanta are not done that earlier runs of them had, and these do not have."""
    first = runs[0]
    continued = [run for run in find_continued(ledger, first.step) if run.division == first.division]
    names = {run.output_run: run.name for run in continued}
    with open_butler(first.butler, "what earlier runs have left undone cannot be found") as butler:
        return {names[each.output_run] for each in find_left_quanta(butler, continued, runs)}
