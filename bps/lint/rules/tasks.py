"""Rules for the sections ``pipetask``, ``cluster`` and ``ordering``: labels and dimensions in them."""

__all__ = ["check_tasks"]

import difflib
from collections.abc import Iterator

from ...plugin import find_missing_scripts
from ..findings import Finding, Severity
from ..submit_file import SubmitFile
from ..tree import Item, Section
from ..vocabulary import close_matches

_CLUSTERING = "dimension_clustering"
_DEFAULT_CLUSTERING = "single_quantum_clustering"
_SPECIAL = ("pipetaskInit", "finalJob", "buildQuantumGraph", "preparePayloadWorkflow", "customJob")


def check_tasks(config: SubmitFile) -> Iterator[Finding]:
    """Compare the sections ``pipetask``, ``cluster`` and ``ordering`` with each other and with the pipeline."""
    clusters = config.root.section("cluster")
    where: dict[str, Item] = {}
    algorithm = config.text("clusterAlgorithm")
    ours = algorithm.endswith((_DEFAULT_CLUSTERING, _CLUSTERING))  # another one has other keys
    for cluster in clusters if ours else ():
        if isinstance(cluster.value, Section):
            yield from _check_cluster(config, cluster, cluster.value, where)
    if clusters.items and algorithm.endswith(_DEFAULT_CLUSTERING) and where:
        yield next(iter(clusters)).finding(
            Severity.WARNING if config.is_submission else Severity.INFO,
            "cluster-unused",
            f"'clusterAlgorithm' is {algorithm.rpartition('.')[2]}, which makes one job of every quantum",
            "the section 'cluster' never applies",
            "write clusterAlgorithm: lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering",
        )
    yield from _check_ordering(config, where if algorithm.endswith(_CLUSTERING) else {})
    for item in config.root.section("pipetask"):
        if item.key not in _SPECIAL:
            yield from _check_label(config, item, item.key)


def labels_of(item: Item | None) -> list[str]:
    """Split a list of labels as BPS does."""
    if item is None or not isinstance(item.value, str):
        return []
    return [label.strip() for label in item.value.split(",") if label.strip()]


def _check_cluster(
    config: SubmitFile, cluster: Item, settings: Section, where: dict[str, Item]
) -> Iterator[Finding]:
    tasks = settings.find("pipetasks")
    if tasks is None:
        # Another file may name its tasks; this one then only adds settings.
        if config.whole and config.is_submission:
            yield cluster.finding(
                Severity.ERROR,
                "cluster",
                f"cluster {cluster.key!r} names no 'pipetasks'",
                "BPS ends with a traceback after the graph is built",
                "write pipetasks: with the labels of its tasks",
            )
        return
    if isinstance(tasks.value, list):
        yield tasks.finding(
            Severity.ERROR,
            "cluster",
            "'pipetasks' is a YAML list; expected one text with the labels separated by commas",
            "BPS ends with a traceback after the graph is built",
            f"write pipetasks: {','.join(map(str, tasks.value))}",
        )
        return
    for label in labels_of(tasks):
        yield from _check_label(config, tasks, label)
        if label in where:
            other = where[label].path[-2]
            same = other == cluster.key
            yield tasks.finding(
                Severity.ERROR,
                "cluster",
                f"{label!r} is in cluster {cluster.key!r} " + ("twice" if same else f"and in {other!r}"),
                "BPS aborts after the graph is built: a task may be in only one cluster",
                "name it once",
            )
        where[label] = tasks
    yield from _check_dimensions(config, settings)


def _check_dimensions(config: SubmitFile, settings: Section) -> Iterator[Finding]:
    """Check the dimensions of clusters and ordered groups."""
    known = config.vocabulary.dimensions
    if not known:
        return
    for key in ("dimensions", "partitionDimensions", "equalDimensions"):
        item = settings.find(key)
        for entry in labels_of(item):
            pair = entry.split(":") if key == "equalDimensions" else [entry]
            if key == "equalDimensions" and len(pair) != 2 and item is not None:
                yield item.finding(
                    Severity.ERROR,
                    "dimension",
                    f"{entry!r} in 'equalDimensions' is not a pair",
                    "BPS ends with a traceback after the graph is built",
                    "write pairs such as visit:exposure",
                )
                continue
            for name in pair:
                if name.strip() in known or item is None:
                    continue
                near = close_matches(name, known)
                yield item.finding(
                    Severity.ERROR,
                    "dimension",
                    f"{name!r} in {key!r} is not a dimension",
                    "BPS aborts after the graph is built",
                    f"write {near[0]!r}"
                    if near
                    else "name a dimension such as visit, detector, tract or patch",
                )
    method = settings.find("findDependencyMethod")
    if method is not None and method.value not in ("source", "sink"):
        yield method.finding(
            Severity.ERROR,
            "dimension",
            f"'findDependencyMethod' is {method.value!r}",
            "BPS aborts after the graph is built",
            "write source or sink",
        )


def _check_ordering(config: SubmitFile, clustered: dict[str, Item]) -> Iterator[Finding]:
    clusters = config.root.section("cluster").items
    seen: dict[str, str] = {}
    for group in config.root.section("ordering"):
        if not isinstance(group.value, Section):
            continue
        for key in ("labels", "dimensions"):
            if key not in group.value and config.is_submission:
                yield group.finding(
                    Severity.ERROR,
                    "ordering",
                    f"the group {group.key!r} has no {key!r}",
                    "BPS ends with a KeyError after the graph is built",
                    f"write {key}:",
                )
        item = group.value.find("labels")
        for label in labels_of(item):
            if item is None:
                continue
            if label in seen:
                yield item.finding(
                    Severity.ERROR,
                    "ordering",
                    f"{label!r} is in the groups {seen[label]!r} and {group.key!r}",
                    "BPS aborts after the graph is built",
                    "name it in one group",
                )
            seen[label] = group.key
            if label in clusters:
                continue
            if label in clustered:
                cluster = clustered[label].path[-2]
                yield item.finding(
                    Severity.ERROR,
                    "ordering",
                    f"{label!r} is to run in order, but is in the cluster {cluster!r}",
                    "BPS orders jobs by label, here that of the cluster: there is a warning and no order",
                    f"take {label!r} out of the cluster, or order the cluster: labels: {cluster}",
                )
            else:
                yield from _check_label(config, item, label)
        choice = group.value.find("implementation")
        if choice is not None and choice.value not in ("group", "noop"):
            yield choice.finding(
                Severity.ERROR,
                "ordering",
                f"'implementation' is {choice.value!r}",
                "BPS aborts after the graph is built",
                "write noop or group",
            )
        if (choice is None or choice.value == "group") and (missing := find_missing_scripts()):
            yield group.finding(
                Severity.WARNING,
                "group-scripts",
                f"the installed HTCondor plugin lacks {', '.join(missing)}, which {group.key!r} needs",
                "lsst_distrib has them, its wheel on PyPI does not: with that, the run stops after the first "
                "group",
                "submit it with lsst_distrib, or write implementation: noop, which stops at the first failure",
            )
        yield from _check_dimensions(config, group.value)


def _check_label(config: SubmitFile, item: Item, label: str) -> Iterator[Finding]:
    """Compare a label with the pipeline, in this file only: an included file may name more tasks."""
    labels, section = config.labels, item.path[0]
    if section == "pipetask" and label in config.root.section("cluster").items:
        if labels is None or label not in labels.tasks:
            yield item.finding(
                Severity.WARNING,
                "no-label",
                f"{label!r} is a cluster, and no task",
                "its settings in 'pipetask' never apply, and BPS does not report it",
                f"write them under cluster.{label}",
            )
        return
    if labels is None or label in labels.tasks or item.place.file != str(config.file):
        return
    near = difflib.get_close_matches(label, labels.tasks, n=3, cutoff=0.6)
    yield item.finding(
        Severity.WARNING,
        "no-label",
        f"the pipeline {labels.file.name} has no task {label!r}",
        f"its settings in {section!r} never apply, and BPS does not report it",
        f"write {' or '.join(map(repr, near))}" if near else f"see the labels in {labels.file}, or remove it",
    )
