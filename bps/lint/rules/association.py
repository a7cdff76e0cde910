"""Association: what writes to the APDB must run in order of time, and only once."""

__all__ = ["check_association"]

from collections.abc import Iterator

from ..findings import Finding, Severity
from ..tree import Item, Section
from ..view import View
from .tasks import labels_of

#: The labels of the task that writes to the APDB, today's and the one before.
WRITERS = ("associateApdb", "diaPipe")


def check_association(view: View) -> Iterator[Finding]:
    """Report the task that writes to the APDB, if it is retried or runs in any order."""
    if len(view.missing) > 1:
        return  # a part of a file: others may say what is missing
    ordered = {
        label
        for group in view.root.section("ordering")
        for label in labels_of(view.root.find(*group.path, "labels"))
    }
    for writer in WRITERS:
        anchor, cluster = _find(view, writer)
        runs = view.labels is not None and writer in _chosen(view)
        if view.labels is not None and not runs:
            continue
        if anchor is None:
            anchor = view.top("pipelineYaml") if runs else None
        if anchor is None:
            continue
        in_cluster = anchor.path[-2] if anchor.key == "pipetasks" else None
        if writer not in ordered and in_cluster not in ordered:
            yield anchor.finding(
                Severity.WARNING,
                "apdb-order",
                f"{writer!r}, which writes to the APDB, runs in any order",
                "an image that is associated before an earlier one of the same sky misses its history",
                "order it in the section 'ordering', with the task that reads it, or let apcampaign submit it",
            )
        retries, source = _retries(view, writer, cluster)
        if retries not in (0, "0"):
            yield (source or anchor).finding(
                Severity.WARNING,
                "apdb-retries",
                f"{writer!r}, which writes to the APDB, is retried up to {retries} times",
                "what it has written it cannot write again: a retry fails, or doubles rows",
                f"write pipetask.{writer}.numberOfRetries: 0 and memoryMultiplier: 1",
            )


def _find(view: View, label: str) -> tuple[Item | None, Section]:
    """Find where a task is named, and the settings of its cluster."""
    for cluster in view.root.section("cluster"):
        if isinstance(cluster.value, Section):
            tasks = cluster.value.find("pipetasks")
            if label in labels_of(tasks):
                return tasks, cluster.value
    return view.root.find("pipetask", label), Section()


def _chosen(view: View) -> set[str]:
    """Name the tasks that run: those of the subset, if one is named."""
    if view.labels is None:
        return set()
    chosen = view.text("pipelineYaml").partition("#")[2]
    if not chosen:
        return set(view.labels.tasks)
    return {task for word in chosen.split(",") for task in view.labels.subsets.get(word, {word})}


def _retries(view: View, label: str, cluster: Section) -> tuple[object, Item | None]:
    """Find how often BPS retries a task's jobs, in the order in which it looks; and where that is said.

    A job takes the largest number of its tasks.
    """
    key = "numberOfRetries"
    payload = view.root.find("payload", key)
    if payload is not None:
        return payload.value, payload
    if (item := cluster.find(key)) is not None:
        return item.value, item
    item = view.root.find("pipetask", label, key) or view.root.find(key)
    return (view.defaults.get(key), None) if item is None else (item.value, item)
