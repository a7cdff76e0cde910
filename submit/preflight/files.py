"""The preflight of anybody's submit file."""

__all__ = ["check_file"]

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...bps.lint import Finding, Severity
from ...bps.lint.includes import expand, read_with_includes
from ...bps.lint.tree import plain
from .data import check_data, worst_first
from .subject import Subject, problem
from .surroundings import check_environment, check_versions


def check_file(path: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check anybody's submit file against the repository and the pipeline that it names. Changes nothing.

    Parameters
    ----------
    path
        The file.
    environment
        The variables of whoever submits.
    """
    root, _, _ = read_with_includes(path, environment)
    config = plain(root)
    payload = config.get("payload") or {}
    settings = {**config, **(payload if isinstance(payload, dict) else {})}

    def text(key: str, default: str = "") -> str:
        value = settings.get(key, default)
        return expand(str(value), environment) if value is not None else ""

    needed = ("butlerConfig", "inCollection", "pipelineYaml")
    if missing := [key for key in needed if not text(key) or "{" in text(key)]:
        return [
            replace(
                problem(
                    Severity.INFO,
                    "incomplete",
                    f"the repository is not asked: the file has no plain {', '.join(missing)}",
                    "what it would process is not known",
                    "check the file that is submitted in the end",
                ),
                file=str(path),
            )
        ]
    subject = Subject(
        name=path.name,
        butler=text("butlerConfig"),
        inputs=tuple(word.strip(" '") for word in text("inCollection").split(",")),
        output=text("output"),
        output_run=text("outputRun"),
        query=text("dataQuery"),
        pipeline=text("pipelineYaml"),
        parameters=_parameters(text("extraQgraphOptions")),
        config=config,
    )
    findings = [*check_environment([subject], environment), *check_versions([subject])]
    findings += check_data([subject])[2]
    return [replace(finding, file=str(path)) for finding in worst_first(findings)]


def _parameters(options: str) -> dict[str, str]:
    """Find the parameters of the pipeline in options such as ``-c parameters:name=value``."""
    try:
        words = shlex.split(options)
    except ValueError:
        return {}
    pairs = [word.removeprefix("parameters:") for word in words if word.startswith("parameters:")]
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
