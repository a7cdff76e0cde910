"""Rules for the names of keys: unknown, misspelt, misplaced, or no longer read by BPS."""

__all__ = ["check_keys"]

from collections.abc import Iterator

from ..findings import Finding, Severity
from ..submit_file import SubmitFile
from ..tree import Item, Section, plain
from ..vocabulary import FREE_SECTIONS, close_matches

_IGNORED = "BPS silently ignores unknown keys"


def check_keys(config: SubmitFile) -> Iterator[Finding]:
    """Compare every key with those that the installed BPS knows at its place."""
    vocabulary = config.vocabulary
    if not config.keys_known:
        item = config.root.find("wmsServiceClass")
        if item is not None and isinstance(item.value, str) and not vocabulary.near_plugin(config.wms):
            yield item.finding(
                Severity.INFO,
                "plugin-unknown",
                f"the plugin of {config.wms} is not installed here",
                "its own keys cannot be told from misspelt ones: only keys close to BPS's own are reported",
                "check this file where the plugin is installed",
            )
    yield from _check_section(config, config.root, None)


def _check_section(config: SubmitFile, section: Section, inside: str | None) -> Iterator[Finding]:
    """Check the settings of a section: of the top (`None`), or of one that has more keys."""
    vocabulary = config.vocabulary
    for item in section:
        key, at_top = item.key, len(item.path) == 1
        if key in FREE_SECTIONS and isinstance(item.value, list | str | int):
            yield _no_mapping(item, "NAME: value")
        if key in FREE_SECTIONS or vocabulary.matches_pattern(key):
            continue
        if at_top and key in vocabulary.label_sections:
            yield from _check_labels(config, item)
        elif not at_top and key in vocabulary.top_sections and isinstance(item.value, Section):
            yield _misplaced(item)
        elif reason := vocabulary.removed.get(key):
            if not _repeats_default(config, item):
                yield _removed(config, item, reason)
        elif isinstance(item.value, Section):
            known = key in vocabulary.known_in(inside) or key in vocabulary.top_sections
            if not known:
                yield from _unknown(config, item, inside)
            else:
                yield from _check_section(config, item.value, inside)
        elif key not in vocabulary.known_in(inside) and key not in config.referenced:
            yield from _unknown(config, item, inside)


def _check_labels(config: SubmitFile, item: Item) -> Iterator[Finding]:
    """Check a section whose keys are names of tasks, clusters, sites or groups."""
    if not isinstance(item.value, Section):
        if item.value is not None:
            yield _no_mapping(item, "a name, and settings under the name")
        return
    for label in item.value:
        if isinstance(label.value, Section):
            yield from _check_section(config, label.value, item.key)
        elif label.value is not None and item.key != "site":
            of_task = config.labels is not None and label.key in config.labels.tasks
            fatal = item.key in ("cluster", "ordering") or of_task
            yield label.finding(
                Severity.ERROR if fatal else Severity.WARNING,
                "misplaced-key",
                f"{label.key!r} is given where the name of a {_entry(item.key)} is expected",
                "BPS ends with a traceback"
                if fatal
                else f"it applies only to those that have no section of their own under {item.key!r}",
                f"put it under a name, or at the top of the file to apply to every {_entry(item.key)}",
            )


def _no_mapping(item: Item, content: str) -> Finding:
    return item.finding(
        Severity.ERROR,
        "wrong-type",
        f"{item.key!r} is {item.value!r}; expected a mapping",
        "BPS ends with a traceback, or ignores it",
        f"write under {item.key!r}: {content}",
    )


def _entry(section: str) -> str:
    return {"pipetask": "task", "ordering": "group of jobs"}.get(section, section)


def _misplaced(item: Item) -> Finding:
    return item.finding(
        Severity.ERROR,
        "misplaced-key",
        f"the section {item.key!r} is under {'.'.join(item.path[:-1])!r}",
        "BPS looks for it only at the top of the file: nothing in it applies, or there is a traceback",
        f"move {item.key!r} to the top of the file, without indentation",
    )


def _repeats_default(config: SubmitFile, item: Item) -> bool:
    """Tell whether a section that is no longer read only repeats BPS's defaults."""
    return isinstance(item.value, Section) and plain(item.value) == config.defaults.get(item.key)


def _removed(config: SubmitFile, item: Item, reason: str) -> Finding:
    refused = item.key in config.vocabulary.code.refused
    instead = config.vocabulary.removed[item.key]
    return item.finding(
        Severity.ERROR if refused else Severity.WARNING,
        "removed-key",
        f"{item.key!r} is no longer a BPS key",
        config.vocabulary.code.refused.get(item.key, "BPS ignores it"),
        f"write {instead}" if instead is reason else reason,
    )


def _unknown(config: SubmitFile, item: Item, inside: str | None) -> Iterator[Finding]:
    vocabulary = config.vocabulary
    candidates = set(vocabulary.known_in(inside))
    if len(item.path) == 1:
        candidates |= vocabulary.top_sections | vocabulary.label_sections | {"includeConfigs"}
    if near := close_matches(item.key, candidates - vocabulary.template_names | vocabulary.code.anywhere):
        yield item.finding(
            Severity.ERROR,
            "misspelt-key",
            f"{item.key!r} is unknown, but {near[0]!r} is known",
            f"{_IGNORED}, so the setting does not apply",
            f"write {near[0]!r}",
        )
        return
    if not (config.keys_known and config.whole) or "bpsGenerateConfig" in config.defined:
        return  # a plugin or a file that is missing here may read it
    elsewhere = [
        name
        for name in ("site", "cluster", "ordering")
        if name != inside and item.key in vocabulary.known_in(name) - vocabulary.settings
    ]
    if elsewhere:
        yield item.finding(
            Severity.WARNING,
            "misplaced-key",
            f"{item.key!r} is a setting of a {_entry(elsewhere[0])}",
            f"nothing reads it here; {_IGNORED}",
            f"move it under a name in the section {elsewhere[0]!r}",
        )
    elif isinstance(item.value, Section) and len(item.path) == 1:
        yield item.finding(
            Severity.WARNING,
            "unknown-key",
            f"there is no section {item.key!r}",
            f"at most it applies to jobs with the label {item.key!r}, not to a task in a cluster",
            f"if {item.key!r} is a task, move it under 'pipetask'; otherwise remove it",
        )
    else:
        yield item.finding(
            Severity.WARNING,
            "unknown-key",
            f"{item.key!r} is unknown, and no {{{item.key}}} refers to it",
            _IGNORED,
            "correct the name, or remove the line",
        )
