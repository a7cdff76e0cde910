"""Preview of a submission (``--dry-run``): its runs, BPS configs and jobs."""

__all__ = ["show_plan"]

from collections import Counter
from typing import TYPE_CHECKING

from ..options.campaign import echo_json, say

if TYPE_CHECKING:
    from ...submit.submission import SubmissionPlan


def show_plan(plan: "SubmissionPlan", *, as_json: bool) -> None:
    """Show what a submission would do: its runs with their BPS configs and, where that is possible, jobs."""
    from ...submit.submission.preview import preview_submission

    previews = list(preview_submission(plan))
    if as_json:
        echo_json({**plan.as_dict(), "previews": [preview.as_dict() for preview in previews]})
        return
    alike: Counter[str] = Counter()
    for preview in previews:
        run = preview.run
        alike[f"{run.step}-{run.stage}"] += 1
        if run.part and alike[f"{run.step}-{run.stage}"] > 1:
            continue  # the same but for its data query
        say(f"{preview.run.name} would be submitted from {preview.folder}:\n\n{preview.config}")
        if preview.jobs:
            by_label = ", ".join(f"{count} {label}" for label, count in preview.jobs.items())
            total = f"{sum(preview.quanta.values())} quanta in {sum(preview.jobs.values())} jobs"
            say(f"{preview.run.name}: {total}: {by_label}")
        elif preview.empty:
            say(f"{preview.run.name}: nothing is to be done")
        else:
            say(f"{preview.run.name}: its jobs cannot be counted yet")
    for stage, number in alike.items():
        if number > 1:
            say(f"{stage}: {number - 1} more like the first, with other visits or patches (--json shows all)")
    say("\n".join(plan.describe()))
