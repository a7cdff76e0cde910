"""How `Campaign` submits, resumes, cancels and waits."""

__all__ = ["CampaignSubmission"]

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .campaign_handle import CampaignHandle, StepName, selected_steps

if TYPE_CHECKING:
    from .doctor import DoctorPlan
    from .monitor.campaign_summary import CampaignSummary
    from .submit.cancel import CancelPlan
    from .submit.executors import Submission
    from .submit.resume import ResumePlan
    from .submit.submission import SubmissionPlan


class CampaignSubmission(CampaignHandle):
    """Submitting, resuming, cancelling, waiting."""

    def plan_submission(
        self,
        step: StepName | None = None,
        *,
        templates: str | None = None,
        continue_apdb: bool = False,
        nights: Sequence[int] | int | str | None = None,
        skip_late: bool = False,
        foreground: bool = False,
        check: bool = True,
    ) -> "SubmissionPlan":
        """Decide what submitting does; ``execute()`` of the returned plan does just that.

        Parameters
        ----------
        step
            One step only; both by default.
        templates
            A collection with templates, instead of what the campaign's own first step makes.
        continue_apdb
            Whether to go on filling an APDB that holds rows; a plan in which nothing is new has no runs.
        nights
            The nights to go on with, as YYYYMMDD, ranges of such, or ``20260905..`` for all from that one on:
            their difference imaging on the templates that are there, into the same APDB.
        skip_late
            Whether images of these that come too late for the time order are left out, instead of being refused.
        foreground
            Whether to run one run after the other from here, until all have ended.
        check
            Whether to make a preflight.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why the submission would be refused is in the plan's ``obstacles``.
        """
        from .bps import NightSelection
        from .submit.submission import plan_submission

        return plan_submission(
            self._workspace,
            steps=selected_steps(step if nights is None else "diffim"),
            templates=templates,
            fills_further=continue_apdb or nights is not None,
            nights=None if nights is None else NightSelection.read(nights),
            skip_late=skip_late,
            foreground=foreground,
            check=check,
        )

    def submit(
        self,
        step: StepName | None = None,
        *,
        templates: str | None = None,
        continue_apdb: bool = False,
        nights: Sequence[int] | int | str | None = None,
        skip_late: bool = False,
        foreground: bool = False,
        check: bool = True,
        wait: bool = False,
    ) -> "Submission":
        """Submit both steps, or one.

        Parameters
        ----------
        step, templates, continue_apdb, nights, skip_late, foreground, check
            As for `plan_submission`.
        wait
            Whether to wait until nothing of the campaign is active any more, and nobody else submits it.

        Raises
        ------
        BusyError
            If something is active, or somebody else is submitting, and this is not to wait.
        PreconditionError
            If something that must hold does not, such as a clean preflight.
        ApcampaignError
            If a run cannot be prepared, or the WMS does not take it.
        """
        from .submit.submission.patience import submit_when_idle

        def plan() -> "SubmissionPlan":
            return self.plan_submission(
                step,
                templates=templates,
                continue_apdb=continue_apdb,
                nights=nights,
                skip_late=skip_late,
                foreground=foreground,
                check=check,
            )

        return submit_when_idle(plan, self.wait_until_ended) if wait else plan().execute()

    def plan_resume(
        self,
        step: StepName | None = None,
        *,
        set: Mapping[str, Any] | Iterable[str] = (),
        new_graph: bool = False,
        skip_failed: bool = False,
    ) -> "ResumePlan":
        """Decide how the campaign goes on after a failure; ``execute()`` of the returned plan does just that.

        Parameters
        ----------
        step
            Continue this step only.
        set
            BPS settings to change, as a mapping from ``STEP.KEY`` to a value or as ``STEP.KEY=VALUE``.
        new_graph
            Whether to build new graphs although no setting has changed.
        skip_failed
            Whether later visits are associated without waiting for earlier overlapping ones that failed.

        Raises
        ------
        ApcampaignError
            If it cannot be found out. Why it would be refused is in the plan's ``obstacles``.
        """
        from .bps import Step
        from .submit.resume import ResumeRequest, plan_resume

        changes = [f"{key}={value}" for key, value in set.items()] if isinstance(set, Mapping) else list(set)
        request = ResumeRequest(
            step=None if step is None else Step(step),
            changes=changes,
            new_graph=new_graph,
            skip_failed=skip_failed,
        )
        return plan_resume(self._workspace, request)

    def examine(self) -> "DoctorPlan":
        """Find the states that the campaign does not get out of by itself; ``execute()`` of the plan fixes them.

        Raises
        ------
        ApcampaignError
            If the folder of its runs cannot be read.
        """
        from .doctor import plan_doctor

        return plan_doctor(self._workspace)

    def plan_cancel(self) -> "CancelPlan":
        """Find what is active; ``execute()`` of the returned plan cancels it."""
        from .submit.cancel import plan_cancel

        return plan_cancel(self._workspace)

    def cancel(self) -> None:
        """Cancel the active runs, and return when nothing of them is left in the queue.

        Raises
        ------
        PreconditionError
            If nothing is active.
        SchedulerError
            If HTCondor does not answer.
        """
        self.plan_cancel().execute()

    def wait(self) -> "CampaignSummary":
        """Wait until what was submitted last has ended, and summarise the campaign.

        Raises
        ------
        ApcampaignError
            If the WMS does not answer, or the results cannot be read.
        """
        from .monitor.summary import summarise

        self.wait_until_ended()
        return summarise(self._workspace)

    def wait_until_ended(self) -> None:
        """Wait until what was submitted last has ended, and log how it stands; errors as `wait`."""
        from .submit.executors import executors_of

        for executor in executors_of(self.ledger()):
            executor.wait(self._workspace)
