"""Linting of one BPS submit file by all rules."""

__all__ = ["lint_file"]

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from .findings import Finding, sort_findings
from .includes import UNSET, read_with_includes
from .labels import PipelineLabels, read_labels
from .rules import CHECKS
from .submit_file import SubmitFile
from .vocabulary import load_vocabulary


def lint_file(
    path: Path,
    *,
    environment: Mapping[str, str] | None = None,
    pipeline: str | None = None,
    ignore: Collection[str] = (),
) -> list[Finding]:
    """Find the mistakes of a BPS submit file, without a repository.

    Parameters
    ----------
    path
        The file: one to submit, or one that others include.
    environment
        The variables of whoever submits; by default those of this process.
    pipeline
        The pipeline whose labels the file must use; the one that it names by default.
    ignore
        Rules to ignore.

    Returns
    -------
    findings
        In the order of the lines.

    Raises
    ------
    BpsError
        If BPS, whose keys are needed, is not installed.
    """
    environment = os.environ if environment is None else environment
    root, findings, whole = read_with_includes(path, environment)
    config = SubmitFile(
        file=path, root=root, whole=whole, vocabulary=load_vocabulary(), environment=environment
    )
    labels = _labels(pipeline or config.text("pipelineYaml"), environment)
    config = replace(config, labels=labels)
    if root.items:
        findings += [finding for check in CHECKS for finding in check(config)]
    return sort_findings(finding for finding in findings if finding.rule not in ignore)


def _labels(pipeline: str, environment: Mapping[str, str]) -> PipelineLabels | None:
    file = Path(pipeline.partition("#")[0])
    if not pipeline or UNSET.search(pipeline) or not file.is_file():
        return None
    return read_labels(file, environment)
