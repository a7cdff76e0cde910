"""What somebody is told of a campaign, in words: that it has ended, or that it is in trouble."""

__all__ = ["Notice", "TroubleWatch", "tell_end", "tell_failure"]

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bps import Occasion
from ..common.secrets import redact
from .monitor import Job, JobState
from .summary import Summary

_MOST_LABELS = 8


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice. Passwords in URLs are taken out of its words.

    Parameters
    ----------
    occasion
        Of what it tells.
    campaign
        Of which campaign.
    good
        Whether all is well.
    title
        The notice in a line.
    lines
        What there is to say beside that.
    """

    occasion: Occasion
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
        """Give it as plain values, for JSON."""
        return {
            "occasion": str(self.occasion),
            "campaign": self.campaign,
            "good": self.good,
            "title": self.title,
            "lines": list(self.lines),
        }


def tell_end(summary: Summary, report: Path | None = None) -> Notice:
    """Tell that a campaign has ended.

    Parameters
    ----------
    summary
        What came of it.
    report
        Its report, if there is one.
    """
    lines = []
    for step in summary.steps:
        done = sum(count.successful for count in step.quanta.values())
        expected = sum(count.expected for count in step.quanta.values())
        lines.append(f"{step.step}: {done} of {expected} quanta done, {step.products} {step.product}")
        bad = {
            label: count.expected - count.successful for label, count in step.quanta.items() if not count.good
        }
        lines += [f"  {label}: {number} not done" for label, number in list(bad.items())[:_MOST_LABELS]]
    if summary.apdb_rows:
        lines.append("APDB: " + ", ".join(f"{rows} {table}" for table, rows in summary.apdb_rows.items()))
    if summary.verification:
        lines.append(f"verification of the APDB: {'good' if summary.verification.good else 'NOT good'}")
    if report:
        lines.append(f"report: {report}")
    if not summary.good:
        lines.append("why: `apcampaign failures`; to go on: `apcampaign resume`")
    state = "complete" if summary.good else "NOT complete"
    return Notice(
        occasion=Occasion.END,
        campaign=summary.campaign,
        good=summary.good,
        title=f"campaign {summary.campaign}: {state}",
        lines=tuple(lines),
    )


def tell_failure(campaign: str, error: Exception) -> Notice:
    """Tell that a campaign has ended so that not even its summary can be made."""
    return Notice(
        occasion=Occasion.END,
        campaign=campaign,
        good=False,
        title=f"campaign {campaign}: ended, and what came of it cannot be read",
        lines=(f"{type(error).__name__}: {error}", "see `apcampaign status` and `apcampaign failures`"),
    )


class TroubleWatch:
    """Looks at the jobs of a campaign again and again, and tells of trouble once, and again when it has doubled.

    Parameters
    ----------
    campaign
        The campaign's name.
    """

    def __init__(self, campaign: str):
        self._campaign = campaign
        self._told = 0

    def look(self, jobs: Iterable[Job]) -> Notice | None:
        """Look at the jobs as they are now; give a notice if there is something to tell."""
        bad = [job for job in jobs if job.state in (JobState.FAILED, JobState.HELD)]
        if not bad or len(bad) < 2 * self._told:
            return None
        self._told = len(bad)
        states = Counter(job.state for job in bad)
        words = [f"{count} {state}" for state, count in states.items()]
        groups = Counter((job.label, job.state, job.hold_reason or "") for job in bad)
        lines = [
            f"{count} {label} {state}" + (f": {reason}" if reason else "")
            for (label, state, reason), count in groups.most_common(_MOST_LABELS)
        ]
        return Notice(
            occasion=Occasion.TROUBLE,
            campaign=self._campaign,
            good=False,
            title=f"campaign {self._campaign}: jobs in trouble: {', '.join(words)}",
            lines=(*lines, "why: `apcampaign failures`"),
        )
