"""Remedies for failures: what to do next about each group."""

__all__ = ["advise"]

import math
from collections.abc import Mapping, Sequence

from .causes import FailureKind
from .model import Group

_STEPS = 512  # MiB to which a request is rounded up
_SHOWN = 3
#: The dimensions by which a data query can exclude a quantum, and how it calls them.
_DIMENSIONS = {
    "tract": "tract",
    "patch": "patch",
    "visit": "visit",
    "exposure": "visit",
    "detector": "detector",
}
#: Without one of these a term would exclude far more than what failed.
_NARROW = {"patch", "visit"}
_EXCLUDABLE = {FailureKind.EXCEPTION, FailureKind.MISSING_INPUT, FailureKind.SIGNAL}


def advise(group: Group) -> tuple[str, ...]:
    """Find what to do next about a group of failures, one sentence for each way."""
    if group.step is None:
        if group.cause.kind is FailureKind.SIGNAL:
            return (
                "go on with `apcampaign resume`; where the memory of the submit host runs out, let batch jobs "
                "build the graphs (`prepareMemory` of the campaign file)",
            )
        return ("fix the error above, then run `apcampaign resume`",)
    remedies = [_advise_on_cause(group)]
    if group.cause.kind in _EXCLUDABLE and (terms := _exclude(group.data_ids)):
        remedies.append(f"or exclude the data: add to `where` of the {group.step} step: {terms}")
    if group.held:
        ids = " ".join(map(str, group.held[:_SHOWN])) + (" …" if len(group.held) > _SHOWN else "")
        remedies.append(
            f"once that is fixed, release the held jobs with `condor_release {ids}`; `apcampaign cancel` removes "
            "all jobs of the campaign"
        )
    return tuple(remedies)


def _advise_on_cause(group: Group) -> str:
    match group.cause.kind:
        case FailureKind.OUT_OF_MEMORY:
            task = group.cause.task
            section = f"pipetask.{task}" if task else f"cluster.{group.label}"
            wanted = max(2 * (group.memory_request or 0), 1.5 * (group.memory or 0), _STEPS)
            request = _STEPS * math.ceil(wanted / _STEPS)
            return f"request more memory: `apcampaign resume --set {group.step}.{section}.requestMemory={request}`"
        case FailureKind.WALLTIME:
            return (
                "give its jobs more time (in the site's settings under site.<name>.profile.condor, or with "
                f"--set {group.step}.…), or make them smaller; then run `apcampaign resume --new-graph`"
            )
        case FailureKind.MISSING_EXECUTABLE:
            return (
                "make the software that was set up at the submission available on those hosts, on a file system "
                "that they share (and its variables: passEnvironment of the site), then run `apcampaign resume`"
            )
        case FailureKind.MISSING_INPUT:
            return (
                "find out whether the job that makes this input failed, or the input was deleted; then run "
                "`apcampaign resume`"
            )
        case FailureKind.ALREADY_WRITTEN:
            return (
                "an attempt before has written it to the APDB and was killed, or failed, after that: "
                "`apcampaign resume` rolls it back and associates it again; `apcampaign apdb verify` names it"
            )
        case FailureKind.EXCEPTION:
            return "fix the software or its configuration, then run `apcampaign resume --new-graph`"
        case FailureKind.REMOVED | FailureKind.EVICTED:
            return "run them again with `apcampaign resume`"
        case FailureKind.SUBMISSION:
            return "see the DAGMan log in the run's submit directory, then run `apcampaign resume`"
        case _:
            if group.log is None:
                return "run them again with `apcampaign resume`, and see the logs of that"
            return "see the log, then run `apcampaign resume`"


def _exclude(data_ids: Sequence[Mapping[str, str | int]]) -> str:
    """Write the terms of a data query that exclude what failed."""
    terms: dict[str, None] = {}
    for data_id in data_ids:
        values = {name: data_id[key] for key, name in _DIMENSIONS.items() if key in data_id}
        if _NARROW & values.keys():
            terms[f"NOT ({' AND '.join(f'{key} = {value}' for key, value in values.items())})"] = None
    shown = " AND ".join(list(terms)[:_SHOWN])
    return shown + (f" AND … ({len(terms) - _SHOWN} more)" if len(terms) > _SHOWN else "")
