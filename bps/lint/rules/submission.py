"""What a submission as a whole needs."""

__all__ = ["check_submission"]

import re
from collections.abc import Iterator
from pathlib import Path

from ..findings import Finding, Severity
from ..includes import UNSET
from ..tree import Item
from ..view import NEEDED, View

_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
_LISTS = ("inCollection", "output", "outputRun", "butlerConfig", "pipelineYaml")


def check_submission(view: View) -> Iterator[Finding]:
    """Report what is missing, and words that cannot survive the way to the command line."""
    if view.file.suffix not in (".yaml", ".json"):
        yield Finding(
            severity=Severity.ERROR,
            rule="file-name",
            what=f"the name ends in {view.file.suffix or 'nothing'!r}",
            why="BPS reads files in .yaml and .json only",
            mend=f"rename it to {view.file.stem}.yaml",
            file=str(view.file),
        )
    yield from _check_missing(view)
    for key in _LISTS:
        item = view.top(key)
        if item is not None and isinstance(item.value, str) and " " in _outside_quotes(item.value):
            yield item.finding(
                Severity.ERROR,
                "space",
                f"{key!r} holds a space: {item.value!r}",
                "the words after it become arguments of their own: «Got unexpected extra argument»",
                "remove the space" + (" after the comma" if ", " in item.value else ""),
            )
    yield from _check_output(view)
    yield from _check_pipeline(view)


def _outside_quotes(text: str) -> str:
    return "".join(text.strip().split("'")[::2])


def _check_missing(view: View) -> Iterator[Finding]:
    if not view.whole or len(view.missing) != 1:
        return
    (key,) = view.missing
    anchor = view.root.items.get("payload") or next(iter(view.root))
    if key == "dataQuery":
        yield anchor.finding(
            Severity.WARNING,
            "missing-key",
            "there is no 'dataQuery'",
            "without `-d` on the command line the whole repository is processed",
            "say in 'payload.dataQuery' what to process",
        )
    else:
        yield anchor.finding(
            Severity.WARNING,
            "missing-key",
            f"there is no {key!r}",
            f"without `{NEEDED[key]}` on the command line the graph fails: «Got unexpected extra argument»",
            f"write {key}, or give {NEEDED[key]} to `bps submit`",
        )


def _check_output(view: View) -> Iterator[Finding]:
    if not view.is_submission:
        return
    payload = view.root.find("payload") or view.top("butlerConfig")
    output, run = view.top("output"), view.top("outputRun")
    if payload is not None and output is None and run is None and not view.text("payloadName"):
        yield payload.finding(
            Severity.ERROR,
            "missing-key",
            "there is neither 'payloadName' nor 'output'",
            "the outputs go to u/<operator>/<timestamp>, among everything else of yours",
            "write payload.payloadName, or payload.output",
        )
    if run is None or not isinstance(run.value, str):
        return
    if not view.is_open(run.value) and not _TIMESTAMP.search(run.value):
        yield run.finding(
            Severity.WARNING,
            "fixed-run",
            f"'outputRun' is always {run.value!r}",
            "a second submission fails after the graph is built: the run is there already",
            "end it in {timestamp}",
        )


def _check_pipeline(view: View) -> Iterator[Finding]:
    item = view.top("pipelineYaml")
    if item is None or not isinstance(item.value, str):
        return
    text = view.text("pipelineYaml")
    name, _, chosen = text.partition("#")
    if not name or UNSET.search(name) or "{" in name or "://" in name:
        return
    if not Path(name).is_file() and _elsewhere(Path(name)):
        return
    if not Path(name).is_file():
        yield item.finding(
            Severity.ERROR,
            "no-pipeline",
            f"there is no pipeline file {name}",
            "building the quantum graph ends with a traceback",
            _similar_file(Path(name)),
        )
        return
    if not Path(name).is_absolute():
        yield item.finding(
            Severity.INFO,
            "relative-pipeline",
            f"'pipelineYaml' is relative: {name}",
            "it is sought in the folder from which `bps submit` is called",
            "write an absolute path",
        )
    if chosen and view.labels is not None:
        yield from _check_chosen(view, item, chosen)


def _check_chosen(view: View, item: Item, chosen: str) -> Iterator[Finding]:
    assert view.labels is not None  # noqa: S101
    known = [*view.labels.subsets, *view.labels.tasks]
    for word in chosen.split(","):
        if word.strip() not in known and ".." not in word:
            yield item.finding(
                Severity.ERROR,
                "no-subset",
                f"the pipeline has no subset and no task {word.strip()!r}",
                "building the quantum graph ends with a traceback",
                f"name one of {', '.join(sorted(view.labels.subsets)) or ', '.join(sorted(view.labels.tasks))}",
            )


def _elsewhere(path: Path) -> bool:
    """Tell whether a path leads to another machine's disks, about which nothing can be said."""
    return path.is_absolute() and len(path.parts) > 2 and not Path(*path.parts[:2]).exists()


def _similar_file(path: Path) -> str:
    if not path.parent.is_dir():
        return "correct the path"
    same = sorted(str(other) for other in path.parent.glob(f"*/{path.name}"))
    names = same or sorted(str(other) for other in path.parent.glob("*.yaml"))
    return f"name one of {', '.join(names[:8])}" if names else "correct the path"
