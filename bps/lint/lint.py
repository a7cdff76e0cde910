"""Linting of one BPS submit file by all rules."""

__all__ = ["lint_file"]

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from ..yaml_mistakes import describe_yaml_error
from .campaign_file import holds_campaign, lint_campaign_file, read_keys
from .findings import Finding, Severity, sort_findings
from .includes import UNSET, read_with_includes
from .labels import PipelineLabels, read_labels
from .other_files import find_other_file, without_our_keys
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
    if holds_campaign(root.items or read_keys(path)):
        return sort_findings(each for each in lint_campaign_file(path) if each.rule not in ignore)
    vocabulary = load_vocabulary()
    if not findings and (other := find_other_file(path, root, vocabulary)):
        return [] if other.rule in ignore else [other]
    root = without_our_keys(root)
    config = SubmitFile(file=path, root=root, whole=whole, vocabulary=vocabulary, environment=environment)
    named = pipeline or config.text("pipelineYaml")
    broken: list[tuple[Path, yaml.YAMLError]] = []
    config = replace(config, labels=_labels(named, environment, broken))
    findings += [_describe_broken(*each) for each in broken]
    if not broken:
        findings += _check_labels_known(config, named, given=bool(pipeline))
    if root.items:
        findings += [finding for check in CHECKS for finding in check(config)]
    return sort_findings(finding for finding in findings if finding.rule not in ignore)


def _labels(
    pipeline: str, environment: Mapping[str, str], mistakes: list[tuple[Path, yaml.YAMLError]]
) -> PipelineLabels | None:
    file = Path(pipeline.partition("#")[0])
    if not pipeline or UNSET.search(pipeline) or not file.is_file():
        return None
    return read_labels(file, environment, mistakes=mistakes)


def _describe_broken(pipeline: Path, error: yaml.YAMLError) -> Finding:
    mistake = describe_yaml_error(error, "")
    return Finding(
        severity=Severity.ERROR,
        rule="yaml",
        what=mistake.what,
        why="building the quantum graph ends with a traceback, and no label was compared with this pipeline",
        remedy="correct the pipeline",
        file=str(pipeline),
        line=mistake.line or None,
        column=mistake.column or None,
    )


def _check_labels_known(config: SubmitFile, pipeline: str, *, given: bool) -> Iterator[Finding]:
    """Say why labels could not be compared with the pipeline."""
    if config.labels is not None or not pipeline:
        return
    name = pipeline.partition("#")[0]
    is_file = Path(name).is_file()
    if given and not is_file:
        yield Finding(
            severity=Severity.ERROR,
            rule="no-pipeline",
            what=f"there is no pipeline file {name}, which --pipeline names",
            why="no label was compared with it",
            remedy="correct the path",
            file=str(config.file),
        )
    elif is_file:
        yield Finding(
            severity=Severity.INFO,
            rule="unchecked",
            what=f"the labels are not compared with those of {name}",
            why="it, or a pipeline that it imports, cannot be read here: $AP_PIPE_DIR and the like may not be set",
            remedy="set up the packages that it imports from, then check again",
            file=str(config.file),
        )
