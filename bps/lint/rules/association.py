"""Rules for the task that writes to the APDB: in time order (``ordering``), never retried."""

__all__ = ["check_association"]

from collections.abc import Iterator

from ...site import Wms, wms_kind
from ..findings import Finding, Severity
from ..submit_file import SubmitFile
from ..tree import Item, Section
from .tasks import labels_of

#: The labels of the task that writes to the APDB: the present one and the previous one.
WRITERS = ("associateApdb", "diaPipe")


def check_association(config: SubmitFile) -> Iterator[Finding]:
    """Report the task that writes to the APDB, if it is retried or runs in arbitrary order."""
    if len(config.missing) > 1:
        return  # a part of a file: another one may hold what is missing
    ordered = {
        label
        for group in config.root.section("ordering")
        for label in labels_of(config.root.find(*group.path, "labels"))
    }
    for writer in WRITERS:
        anchor, cluster = _find(config, writer)
        runs = config.labels is not None and writer in _chosen(config)
        if config.labels is not None and not runs:
            continue
        if anchor is None:
            anchor = config.top("pipelineYaml") if runs else None
        if anchor is None:
            continue
        in_cluster = anchor.path[-2] if anchor.key == "pipetasks" else None
        if writer not in ordered and in_cluster not in ordered:
            yield anchor.finding(
                Severity.WARNING,
                "apdb-order",
                f"{writer!r}, which writes to the APDB, runs in arbitrary order",
                "an image that is associated before an earlier one of the same sky misses its history",
                "let apcampaign submit it"
                + (
                    ": Parsl cannot run BPS's 'ordering'"
                    if wms_kind(config.wms) is Wms.PARSL
                    else ", or order it in the section 'ordering', with the task that reads it"
                ),
            )
        retries, source = _retries(config, writer, cluster)
        own = config.root.find("pipetask", writer, "numberOfRetries")
        shares = in_cluster is not None and own is not None and own.value in (0, "0")
        section = f"cluster.{in_cluster}" if shares else f"pipetask.{writer}"
        if retries not in (0, "0"):
            yield (source or anchor).finding(
                Severity.WARNING,
                "apdb-retries",
                f"{writer!r}, which writes to the APDB, is retried up to {retries} times",
                "what it has written, it cannot write again: a retry fails, or duplicates rows",
                f"write {section}.numberOfRetries: 0 and memoryMultiplier: 1",
            )


def _find(config: SubmitFile, label: str) -> tuple[Item | None, Section]:
    """Find where a task is named, and the settings of its cluster."""
    for cluster in config.root.section("cluster"):
        if isinstance(cluster.value, Section):
            tasks = cluster.value.find("pipetasks")
            if label in labels_of(tasks):
                return tasks, cluster.value
    return config.root.find("pipetask", label), Section()


def _chosen(config: SubmitFile) -> set[str]:
    """List the tasks that run: those of the subset, if one is named."""
    if config.labels is None:
        return set()
    chosen = config.text("pipelineYaml").partition("#")[2]
    if not chosen:
        return set(config.labels.tasks)
    return {task for name in chosen.split(",") for task in config.labels.subsets.get(name, {name})}


def _retries(config: SubmitFile, label: str, cluster: Section) -> tuple[object, Item | None]:
    """Find how often BPS retries a task's jobs, in the order in which it looks, and the key that says so.

    A job takes the largest number of its tasks.
    """
    key = "numberOfRetries"
    payload = config.root.find("payload", key)
    if payload is not None:
        return payload.value, payload
    if (item := cluster.find(key)) is not None:
        return item.value, item
    default = config.root.find(key)
    found: list[tuple[object, Item | None]] = []
    for each in dict.fromkeys((label, *labels_of(cluster.find("pipetasks")))):
        item = config.root.find("pipetask", each, key) or default
        found.append((config.defaults.get(key), None) if item is None else (item.value, item))
    return next((each for each in found if each[0] not in (0, "0")), found[0])
