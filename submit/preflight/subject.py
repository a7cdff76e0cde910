"""What is checked: one run to be."""

__all__ = ["Subject", "problem"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...bps.lint import Finding, Severity


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One run to be, of a campaign's step or of a submit file.

    Parameters
    ----------
    name
        The step, or the file.
    butler
        The repository.
    inputs
        Collections to search.
    planned
        Those of them that a run before this one makes.
    output, output_run
        Where its outputs go.
    query
        Its data query.
    pipeline
        Its pipeline file, with ``#subset`` if only a part shall run.
    parameters
        Values for parameters of the pipeline.
    config
        The BPS settings.
    renews
        Whether its submission lets an output that is there read the inputs of this run.
    """

    name: str
    butler: str
    inputs: tuple[str, ...]
    planned: frozenset[str] = frozenset()
    output: str
    output_run: str
    query: str
    pipeline: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    renews: bool = False


def problem(
    severity: Severity, rule: str, what: str, why: str, mend: str, *, key: str | None = None
) -> Finding:
    """Report something that is in no file."""
    return Finding(severity=severity, rule=rule, what=what, why=why, mend=mend, key=key)
