"""Failures of a campaign for its report: a row for each root cause, without secrets."""

__all__ = ["list_failures"]

from ..common.secrets import redact
from ..monitor import CampaignStatus, find_failures
from .model import FailureRow


def list_failures(status: CampaignStatus | None) -> tuple[FailureRow, ...]:
    """List what has failed, and what was retried, by root cause."""
    if status is None:
        return ()
    found = find_failures(status.jobs, nodes=status.nodes)
    return tuple(
        FailureRow(
            step=group.place,
            label=group.label,
            state=" and ".join(map(str, group.jobs)) if kind == "failed" else "retried",
            cause=redact(group.cause.message),
            jobs=group.count,
            pruned=sum(group.pruned.values()),
            hosts=tuple(group.hosts),
            example=group.example,
            log=str(group.log or ""),
            lines=tuple(redact(line) for line in (*group.cause.lines, *group.describe_gaps())),
            remedies=tuple(redact(line) for line in group.remedies),
        )
        for kind, groups in (("failed", found.groups), ("retried", found.retried))
        for group in groups
    )
