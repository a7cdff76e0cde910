"""Rules for what a submission needs: collections, ``output…``, ``butlerConfig``, ``pipelineYaml``.

None may be missing or hold a space, since they become arguments of ``pipetask``; the pipeline file must exist,
where that can be seen, and ``outputRun`` must differ between submissions.
"""

__all__ = ["check_submission"]

import re
from collections.abc import Iterator
from pathlib import Path

from ..findings import Finding, Severity
from ..includes import UNSET
from ..submit_file import NEEDED, SubmitFile
from ..tree import Item

_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
_LISTS = ("inCollection", "output", "outputRun", "butlerConfig", "pipelineYaml")


def check_submission(config: SubmitFile) -> Iterator[Finding]:
    """Report what is missing, and values that cannot be passed on a command line."""
    if config.file.suffix not in (".yaml", ".json"):
        yield Finding(
            severity=Severity.ERROR,
            rule="file-name",
            what=f"the name ends in {config.file.suffix or 'nothing'!r}",
            why="BPS reads only .yaml and .json files",
            remedy=f"rename it to {config.file.stem}.yaml",
            file=str(config.file),
        )
    yield from _check_missing(config)
    for key in _LISTS:
        item = config.top(key)
        if item is not None and isinstance(item.value, str) and " " in _outside_quotes(item.value):
            yield item.finding(
                Severity.ERROR,
                "space",
                f"{key!r} holds a space: {item.value!r}",
                "what follows the space becomes another argument: «Got unexpected extra argument»",
                "remove the space" + (" after the comma" if ", " in item.value else ""),
            )
    yield from _check_output(config)
    yield from _check_pipeline(config)


def _outside_quotes(text: str) -> str:
    return "".join(text.strip().split("'")[::2])


def _check_missing(config: SubmitFile) -> Iterator[Finding]:
    if not config.whole or not config.missing or (len(config.missing) > 1 and not config.begins):
        return
    key = config.missing[0]
    anchor = config.root.items.get("payload") or next(iter(config.root))
    if len(config.missing) > 1:
        options = {repr(name): NEEDED[name] for name in config.missing}
        if not any(map(config.text, ("payloadName", "output", "outputRun"))):
            options["'output'"] = "-o"
        yield anchor.finding(
            Severity.INFO,  # files are written to be completed like this
            "missing-key",
            f"there is no {', '.join(options)}",
            f"without {' '.join(options.values())} for `bps submit` there is no graph, or one of the whole "
            "repository, or outputs go among those of all other runs",
            "give these options to `bps submit`, or write the keys into 'payload'",
        )
        return
    if key == "dataQuery":
        yield anchor.finding(
            Severity.WARNING,
            "missing-key",
            "there is no 'dataQuery'",
            "without `-d` on the command line the whole repository is processed",
            "select what to process in 'payload.dataQuery'",
        )
    else:
        yield anchor.finding(
            Severity.WARNING,
            "missing-key",
            f"there is no {key!r}",
            f"without `{NEEDED[key]}` on the command line the graph fails: «Got unexpected extra argument»",
            f"write {key}, or give {NEEDED[key]} to `bps submit`",
        )


def _check_output(config: SubmitFile) -> Iterator[Finding]:
    if not config.is_submission:
        return
    payload = config.root.find("payload") or config.top("butlerConfig")
    output, run = config.top("output"), config.top("outputRun")
    if payload is not None and output is None and run is None and not config.text("payloadName"):
        yield payload.finding(
            Severity.ERROR,
            "missing-key",
            "there is neither 'payloadName' nor 'output'",
            "the outputs go to u/<operator>/<timestamp>, among all your other collections",
            "write payload.payloadName, or payload.output",
        )
    if run is None or not isinstance(run.value, str):
        return
    if not config.is_open(run.value) and not _TIMESTAMP.search(run.value):
        yield run.finding(
            Severity.WARNING,
            "fixed-run",
            f"'outputRun' is always {run.value!r}",
            "a second submission fails after the graph is built: the run exists already",
            "end it in {timestamp}",
        )


def _check_pipeline(config: SubmitFile) -> Iterator[Finding]:
    item = config.top("pipelineYaml")
    if item is None or not isinstance(item.value, str):
        return
    text = config.text("pipelineYaml")
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
            "it is looked up in the folder in which `bps submit` is called",
            "write an absolute path",
        )
    if chosen and config.labels is not None:
        yield from _check_chosen(config, item, chosen)


def _check_chosen(config: SubmitFile, item: Item, chosen: str) -> Iterator[Finding]:
    assert config.labels is not None  # noqa: S101
    known = [*config.labels.subsets, *config.labels.tasks]
    proposed = sorted(config.labels.subsets) or sorted(config.labels.tasks)
    for name in chosen.split(","):
        if name.strip() not in known and ".." not in name:
            yield item.finding(
                Severity.ERROR,
                "no-subset",
                f"the pipeline has no subset and no task {name.strip()!r}",
                "building the quantum graph ends with a traceback",
                f"name one of {', '.join(proposed)}",
            )


def _elsewhere(path: Path) -> bool:
    """Tell whether a path leads to a file system that is not on this machine, so that it cannot be checked."""
    return path.is_absolute() and len(path.parts) > 2 and not Path(*path.parts[:2]).exists()


def _similar_file(path: Path) -> str:
    if not path.parent.is_dir():
        return "correct the path"
    same = sorted(str(other) for other in path.parent.glob(f"*/{path.name}"))
    names = same or sorted(str(other) for other in path.parent.glob("*.yaml"))
    return f"name one of {', '.join(names[:8])}" if names else "correct the path"
