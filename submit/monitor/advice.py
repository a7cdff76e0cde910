"""What to do about what went wrong."""

__all__ = ["advise"]

import math
from collections.abc import Mapping, Sequence

from ...bps import Step
from .causes import Cause, Kind

_STEPS = 512  # MiB to which a request is rounded up
_SHOWN = 3
#: The dimensions that a data query can leave out a quantum by, and how it calls them.
_DIMENSIONS = {
    "tract": "tract",
    "patch": "patch",
    "visit": "visit",
    "exposure": "visit",
    "detector": "detector",
}


def advise(
    step: Step | None,
    label: str,
    cause: Cause,
    *,
    held: Sequence[int],
    memory: float | None,
    memory_request: float | None,
    data_ids: Sequence[Mapping[str, str | int]],
) -> tuple[str, ...]:
    """Say what to do next.

    Parameters
    ----------
    step, label, cause
        What went wrong.
    held
        The ids of jobs that are held.
    memory, memory_request
        The most that one of the jobs used and had asked for, in MiB.
    data_ids
        Of what failed.
    """
    if step is None:
        return ("mend what it says; then `apcampaign resume`",)
    lines: list[str] = []
    match cause.kind:
        case Kind.OUT_OF_MEMORY:
            section = f"pipetask.{cause.task}" if cause.task else f"cluster.{label}"
            wanted = max(2 * (memory_request or 0), 1.5 * (memory or 0), _STEPS)
            request = _STEPS * math.ceil(wanted / _STEPS)
            lines.append(
                f"ask for more memory: `apcampaign resume --set {step}.{section}.requestMemory={request}`"
            )
        case Kind.WALLTIME:
            lines.append(
                "give its jobs more time (the site's settings under site.<name>.profile.condor, or its own "
                f"--set {step}.…), or make them smaller; then `apcampaign resume --new-graph`"
            )
        case Kind.MISSING_EXECUTABLE:
            lines.append(
                "see that the jobs' software is there on those hosts (campaign: lsstVersion, setupEnv; "
                "site: passEnvironment); then `apcampaign resume`"
            )
        case Kind.MISSING_INPUT:
            lines.append(
                "see whether what made that input failed or was cleaned up; then `apcampaign resume`"
            )
        case Kind.EXCEPTION:
            lines.append("mend the software or its configuration, then `apcampaign resume --new-graph`")
        case Kind.REMOVED | Kind.EVICTED:
            lines.append("run them again: `apcampaign resume`")
        case Kind.SUBMISSION:
            lines.append("see the DAGMan log in the run's submit directory; then `apcampaign resume`")
        case _:
            lines.append("see the log; then `apcampaign resume`")
    if cause.kind in (Kind.EXCEPTION, Kind.MISSING_INPUT, Kind.SIGNAL) and (terms := _exclude(data_ids)):
        lines.append(f"or go on without: add to `where` of the {step} step: {terms}")
    if held:
        ids = " ".join(str(cluster) for cluster in held[:_SHOWN]) + (" …" if len(held) > _SHOWN else "")
        lines.append(
            f"once that is mended, held jobs go on with `condor_release {ids}`; `apcampaign cancel` ends all"
        )
    return tuple(lines)


def _exclude(data_ids: Sequence[Mapping[str, str | int]]) -> str:
    """Write the terms of a data query that leave out what failed."""
    terms: dict[str, None] = {}
    for data_id in data_ids:
        values = {name: data_id[key] for key, name in _DIMENSIONS.items() if key in data_id}
        if values:
            words = [f"{key} = {value}" for key, value in values.items()]
            terms[f"NOT ({' AND '.join(words)})"] = None
    shown = " AND ".join(list(terms)[:_SHOWN])
    return shown + (f" AND … ({len(terms) - _SHOWN} more)" if len(terms) > _SHOWN else "")
