"""Texts of the notifications that are sent when a campaign has ended."""

__all__ = ["Notification", "completion_message", "failure_message"]

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bps import NotifyEvent, Step
from ...common.secrets import redact
from ...common.text import count

if TYPE_CHECKING:
    from ..campaign_summary import CampaignSummary

_MOST_LABELS = 8


@dataclass(frozen=True, kw_only=True)
class Notification:
    """A notification. Passwords in URLs are taken out of its text.

    Parameters
    ----------
    event
        What it is about.
    campaign
        The name of the campaign.
    good
        Whether all is well.
    title
        The notification in a line.
    lines
        The details.
    """

    event: NotifyEvent
    campaign: str
    good: bool
    title: str
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", redact(self.title))
        object.__setattr__(self, "lines", tuple(redact(line) for line in self.lines))

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((self.title, *self.lines))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "event": str(self.event),
            "campaign": self.campaign,
            "good": self.good,
            "title": self.title,
            "lines": list(self.lines),
        }


def completion_message(
    summary: "CampaignSummary", report: Path | None = None, *, steps: Collection[Step] = tuple(Step)
) -> Notification:
    """Tell that a campaign, or what was submitted of it, has ended.

    Parameters
    ----------
    summary
        Its results.
    report
        Its report, if there is one.
    steps
        The steps that were submitted.
    """
    good = summary.good_for(steps)
    lines = []
    for step in summary.steps:
        quanta = step.quanta
        done = sum(each.successful for each in quanta.values())
        expected = sum(each.expected for each in quanta.values())
        lines.append(
            f"{step.step}: {done} of {count(expected, 'quantum')} done, {step.products} {step.product}"
        )
        bad = {label: each.expected - each.successful for label, each in quanta.items() if not each.good}
        lines += [f"  {label}: {number} not done" for label, number in list(bad.items())[:_MOST_LABELS]]
    if summary.apdb_rows:
        lines.append(
            "APDB: " + ", ".join(f"{table} {rows}" for table, rows in summary.apdb_described.items())
        )
    if summary.verification:
        lines.append(f"verification of the APDB: {'good' if summary.verification.good else 'NOT good'}")
    if summary.left:
        lines.append(summary.left.describe())
    if report:
        lines.append(f"report: {report}")
    if not good:
        lines.append("see why with `apcampaign failures`; continue with `apcampaign resume`")
    which = "" if set(steps) == set(Step) else f" ({', '.join(steps)})"
    return Notification(
        event=NotifyEvent.END,
        campaign=summary.campaign,
        good=good,
        title=f"campaign {summary.campaign}{which}: {'complete' if good else 'NOT complete'}",
        lines=tuple(lines),
    )


def failure_message(campaign: str, error: Exception) -> Notification:
    """Tell that a campaign has ended without a summary."""
    return Notification(
        event=NotifyEvent.END,
        campaign=campaign,
        good=False,
        title=f"campaign {campaign} has ended, but its results could not be read",
        lines=(f"{type(error).__name__}: {error}", "see `apcampaign status` and `apcampaign failures`"),
    )
