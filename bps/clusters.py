"""Which tasks the clusters of a BPS config hold, and by which dimensions: as pipeline and campaign have them."""

__all__ = ["by_group", "join_added_tasks", "leave_out_absent_tasks"]

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .lint.labels import PipelineLabels

#: What ApPipeWithFakes and ApPipeWithPreconvolution have besides, by the cluster that it joins. All that follows
#: calibration reads the image with the injected sources, also what is in the cluster of calibration.
_ADDED_TASKS = {"singleFrame": ("injectVisit",), "diffim": ("injectTemplate", "subtractImagesScore")}


def by_group(clusters: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Let clusters that a campaign wants by visit be by group where their tasks have a group and no visit yet.

    With the clustering of `apcampaign submit` a group belongs to its visit; BPS's own would refuse the tasks.
    """
    changed = dict(clusters)
    for name, section in clusters.items():
        has_group = "group" in ours.get(name, {}).get("dimensions", "")
        if has_group and "equalDimensions" not in section:
            dimensions = re.sub(r"\bvisit\b", "group", str(section.get("dimensions", "")))
            changed[name] = {**section, "dimensions": dimensions}
    return changed


def join_added_tasks(
    clusters: dict[str, Any], labels: PipelineLabels, theirs: Iterable[Mapping[str, Any]]
) -> None:
    """Let the tasks that a pipeline has between those of a cluster join it, if none of the user's has them."""
    sections = [section for layer in theirs for section in (layer.get("cluster") or {}).values()]
    placed = {
        task.strip()
        for section in sections
        if isinstance(section, Mapping)
        for task in str(section.get("pipetasks", "")).split(",")
    }
    for name, tasks in _ADDED_TASKS.items():
        added = [task for task in tasks if task in labels.tasks and task not in placed]
        clusters[name]["pipetasks"] = ",".join([clusters[name]["pipetasks"], *added])


def leave_out_absent_tasks(step_data: dict[str, Any], labels: PipelineLabels) -> list[str]:
    """Name only tasks that the pipeline has: releases differ in some, and a campaign may leave out others.

    Returns the names of the clusters of which nothing is left.
    """
    clusters = step_data["cluster"]
    for task in [task for task in step_data["pipetask"] if task not in labels.tasks]:
        del step_data["pipetask"][task]
    for cluster in clusters.values():
        present = [task for task in cluster["pipetasks"].split(",") if task in labels.tasks]
        cluster["pipetasks"] = ",".join(present)
    return [name for name, cluster in clusters.items() if not cluster["pipetasks"]]
