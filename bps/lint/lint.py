"""Linting a submit file."""

__all__ = ["lint_file"]

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from .findings import Finding, sort_findings
from .includes import UNSET, read_with_includes
from .labels import PipelineLabels, read_labels
from .rules import CHECKS
from .view import View
from .vocabulary import load_vocabulary


def lint_file(
    path: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    pipeline: str | None = None,
    ignore: Collection[str] = (),
) -> list[Finding]:
    """Find the mistakes of a BPS submit file, without a repository.

    Parameters
    ----------
    path
        The file; one to submit, or one for others to include.
    environment
        The variables of whoever submits.
    pipeline
        The pipeline whose labels the file must use; the one that it names by default.
    ignore
        Rules that are switched off.

    Returns
    -------
    findings
        In the order of the lines.

    Raises
    ------
    CampaignError
        If BPS, whose words are needed, is not installed.
    """
    vocabulary = load_vocabulary()
    root, findings, whole = read_with_includes(path, environment)
    view = View(
        file=path, root=root, whole=whole, vocabulary=vocabulary, environment=environment, labels=None
    )
    labels = _labels(pipeline or view.text("pipelineYaml"), environment)
    view = View(
        file=path, root=root, whole=whole, vocabulary=vocabulary, environment=environment, labels=labels
    )
    if root.items:
        findings += [finding for check in CHECKS for finding in check(view)]
    return sort_findings(finding for finding in findings if finding.rule not in ignore)


def _labels(pipeline: str, environment: Mapping[str, str]) -> PipelineLabels | None:
    file = Path(pipeline.partition("#")[0])
    if not pipeline or UNSET.search(pipeline) or not file.is_file():
        return None
    return read_labels(file, environment)
