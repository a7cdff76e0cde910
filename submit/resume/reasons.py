"""Reasons for how a campaign goes on: why with new graphs, and what there is to say about it."""

__all__ = ["describe_edits", "describe_standstill", "why_no_restart", "why_other_software"]

from collections.abc import Mapping

from ...bps import compare_campaigns
from ...ledger import Workspace
from ..outputs.remaining import describe_remaining
from .state import SubmittedUnit

#: Versions in a run record that have no part in what its jobs do.
_OURS = ("apcampaign", "git")


def describe_edits(workspace: Workspace, unit: SubmittedUnit) -> tuple[str, ...]:
    """Say in which settings the campaign file is not what was submitted, since that is what goes on."""
    edited = compare_campaigns(workspace.campaign, unit.workspace.campaign)
    if not edited:
        return ()
    return (
        f"warning: the campaign file and options do not say what was submitted ({', '.join(edited)}); what was "
        "submitted goes on: change BPS settings with `--set`, anything else takes a new `apcampaign submit`",
    )


def describe_standstill(unit: SubmittedUnit) -> tuple[str, ...]:
    """Say that what was resumed last has ended as it began, and which way there is next."""
    if unit.dag is None or not unit.dag[1].remaining:
        return ()
    record = unit.dag[1]
    if record.remaining != describe_remaining(unit.remaining):
        return ()
    said = "warning: this ended just as the resume before it: the same quanta are not done"
    if record.resumed:
        return (
            f"{said}. `apcampaign failures` tells why; where jobs and graph do not fit together, `apcampaign "
            "resume --new-graph` builds new graphs of what is not done",
        )
    return (
        f"{said}, with new graphs too: what `apcampaign failures` tells must be fixed first; later visits go on "
        "without failed associations with `apcampaign resume --skip-failed`",
    )


def why_other_software(versions: Mapping[str, str], unit: SubmittedUnit) -> str:
    """Say with which other software the runs of a unit were prepared than is installed now; empty if with none."""
    for run in unit.runs:
        differences = [
            f"{name} {version} → {versions.get(name, 'gone')}"
            for name, version in run.versions.items()
            if name not in _OURS and versions.get(name) != version
        ]
        if differences:
            return f"software has changed ({', '.join(differences)})"
    return ""


def why_no_restart(unit: SubmittedUnit) -> str:
    """Say why DAGMan cannot go on with a unit where it ended; empty if it can."""
    if unit.dag is None:
        services = {run.wms_service for run in unit.runs} or {unit.workspace.site.wms_service}
        names = sorted(service.rpartition(".")[2] for service in services)
        return f"{' and '.join(names)} cannot continue a run that is in no campaign DAG"
    _, record = unit.dag
    if not record.runs:
        return "an older version of apcampaign submitted the campaign DAG"
    if unit.dag[0].has_passed:
        return "others went on after parts that failed, which count as done"
    if unit.has_passed:
        return "later visits went past failed associations, whose jobs count as done"
    if not unit.can_go_on:
        return "there is no rescue DAG"
    if unit.broken:
        return unit.broken
    if unit.undone_before:
        return f"not done, and of earlier submissions: {', '.join(unit.undone_before)}"
    if set(record.steps) != {each.step for each in unit.remaining}:
        return "not all steps of the campaign DAG go on"
    return ""
