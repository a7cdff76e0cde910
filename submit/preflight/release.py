"""Release check: the stack that is set up has the tasks of Rubin's pipelines that a campaign needs."""

__all__ = ["check_release"]

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...bps.lint import Finding, Severity
from ...bps.lint.includes import expand
from ...bps.lint.labels import read_labels
from ...pipelines.reference import PipelineFacts, load_table
from .run_spec import RunSpec, make_finding

#: The pipeline of ours to take where another one needs a later release.
_FOR_EARLIER = {"ApTemplate-DC2.yaml": "ApTemplate-DC2-base.yaml"}


def check_release(spec: RunSpec) -> Iterator[Finding]:
    """Report tasks that a run's pipeline takes from one of Rubin's, and that the one set up does not have."""
    file = Path(os.path.expandvars(spec.pipeline.partition("#")[0]))
    table = load_table()
    by_location = {facts.location: facts for facts in table.pipelines.values()}
    newest = table.packages["ap_pipe"].weekly
    for location, included in _read_imports(file):
        facts = by_location.get(location)
        labels = read_labels(Path(expand(location, os.environ)), os.environ) if facts is not None else None
        if facts is None or labels is None:
            continue
        missing = [label for label in included or facts.required if label not in labels.tasks]
        if missing:
            yield _describe(spec, file, facts, missing, newest, needed=bool(included))


def _read_imports(file: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Give the location of each pipeline that a file imports, and the labels that it takes if not all."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    entries = content.get("imports") or () if isinstance(content, Mapping) else ()
    for entry in [entries] if isinstance(entries, str | dict) else entries:
        entry = {"location": entry} if isinstance(entry, str) else entry
        included = entry.get("include") or ()
        yield str(entry.get("location", "")), [included] if isinstance(included, str) else included


def _describe(
    spec: RunSpec, file: Path, facts: PipelineFacts, missing: Sequence[str], newest: str, *, needed: bool
) -> Finding:
    names = ", ".join(map(repr, missing))
    other = _FOR_EARLIER.get(file.name)
    instead = f", or take pipeline: {other}" if needed and other else ""
    return make_finding(
        Severity.ERROR if needed else Severity.WARNING,
        "release",
        f"the release that is set up has no {names} in {facts.location}",
        f"{file.name} needs it: its graph cannot be built"
        if needed
        else "campaigns count on it: what clusters, order and requests say of it does not apply",
        f"set up a release from {facts.since} on (apcampaign knows those up to {newest}){instead}; "
        "`apcampaign check --stack` tells all that is different",
        key=f"{spec.name}: pipeline",
    )
