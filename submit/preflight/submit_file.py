"""Preflight of any submit file, also of one that apcampaign did not write."""

__all__ = ["check_file"]

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...bps import APDB_CONFIG, GRAPH_OPTIONS, read_config_overrides, read_option
from ...bps.lint import Finding, Severity
from ...bps.lint.includes import expand, read_with_includes
from ...bps.lint.tree import plain
from .apdb import check_apdb_config
from .command_options import check_command_options
from .environment import check_environment, check_versions
from .repository_checks import check_repository, run_check, worst_first
from .run_spec import RunSpec, make_finding

_INSTRUMENT = re.compile(r"\binstrument\s*=\s*'([^']+)'")
#: Without these a repository cannot be asked.
_NEEDED = ("butlerConfig", "inCollection", "pipelineYaml")


def check_file(path: Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Check anybody's submit file against the repository and the pipeline that it names. Changes nothing.

    Parameters
    ----------
    path
        The file.
    environment
        The submitter's variables; those of this process by default.
    """
    environment = os.environ if environment is None else environment
    root, _, _ = read_with_includes(path, environment)
    config = plain(root)
    payload = config.get("payload")
    settings = {**config, **(payload if isinstance(payload, dict) else {})}
    texts = {key: _text(settings.get(key), environment) for key in settings}
    if missing := [key for key in _NEEDED if not texts.get(key) or "{" in texts[key]]:
        return [replace(_incomplete(missing), file=str(path))]
    spec = RunSpec(
        name=path.name,
        butler=texts["butlerConfig"],
        inputs=tuple(name.strip(" '") for name in texts["inCollection"].split(",")),
        output=texts.get("output", ""),
        output_run=texts.get("outputRun", ""),
        query=texts.get("dataQuery", ""),
        pipeline=texts["pipelineYaml"],
        overrides=tuple(read_config_overrides(texts.get(GRAPH_OPTIONS, ""))),
        skip_existing=_skipped(texts.get(GRAPH_OPTIONS, "")),
        config=config,
    )
    findings = [*check_environment([spec], environment), *check_versions([spec])]
    findings += run_check(check_command_options, spec)
    findings += check_repository([spec]).findings
    for label, field, value in spec.overrides:
        if (label, field) == APDB_CONFIG and "{" not in value:
            # What others have associated may be there: whose it is, the file does not say.
            named = _INSTRUMENT.search(spec.query)
            findings += check_apdb_config(value, instrument=named and named[1], filled=True)
    return [replace(finding, file=str(path)) for finding in worst_first(findings)]


def _skipped(options: str) -> tuple[str, ...]:
    """Find the collections whose quanta are not run again; BPS's variables are not known."""
    names = (
        name.strip() for value in read_option(options, "--skip-existing-in") for name in value.split(",")
    )
    return tuple(name for name in names if name and "{" not in name)


def _text(value: Any, environment: Mapping[str, str]) -> str:
    return "" if value is None else expand(str(value), environment)


def _incomplete(missing: list[str]) -> Finding:
    return make_finding(
        Severity.INFO,
        "incomplete",
        f"the repository is not asked: the file has no plain {', '.join(missing)}",
        "what it would process is not known",
        "check the file that is finally submitted",
    )
