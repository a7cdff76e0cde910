"""Keys: unknown, misspelt, at the wrong level, of former times."""

__all__ = ["check_keys"]

from collections.abc import Iterator

from ..findings import Finding, Severity
from ..tree import Item, Section, plain
from ..view import View
from ..vocabulary import FREE_SECTIONS, close_words

_IGNORED = "BPS ignores what it does not know, without a word"


def check_keys(view: View) -> Iterator[Finding]:
    """Compare every key with those that the installed BPS knows where it stands."""
    vocabulary = view.vocabulary
    if not view.words_known:
        item = view.root.find("wmsServiceClass")
        if item is not None and isinstance(item.value, str) and not vocabulary.near_plugin(view.wms):
            yield item.finding(
                Severity.INFO,
                "plugin-unknown",
                f"the plugin of {view.wms} is not installed here",
                "its own keys cannot be told from misspelt ones: only words close to BPS's own are reported",
                "check this file where the plugin is installed",
            )
    yield from _check_section(view, view.root, None)


def _check_section(view: View, section: Section, inside: str | None) -> Iterator[Finding]:
    """Check the settings of a section: of the top (`None`), or of one that knows more words."""
    vocabulary = view.vocabulary
    for item in section:
        key, at_top = item.key, len(item.path) == 1
        if key in FREE_SECTIONS or vocabulary.matches_pattern(key):
            continue
        if at_top and key in vocabulary.label_sections:
            yield from _check_labels(view, item)
        elif not at_top and key in vocabulary.top_sections and isinstance(item.value, Section):
            yield _misplaced(item)
        elif reason := vocabulary.removed.get(key):
            if not _says_no_more_than_default(view, item):
                yield _removed(view, item, reason)
        elif isinstance(item.value, Section):
            known = key in vocabulary.known_in(inside) or key in vocabulary.top_sections
            if not known:
                yield from _unknown(view, item, inside)
            else:
                yield from _check_section(view, item.value, inside)
        elif key not in vocabulary.known_in(inside) and key not in view.referenced:
            yield from _unknown(view, item, inside)


def _check_labels(view: View, item: Item) -> Iterator[Finding]:
    """Check a section whose keys are names of tasks, clusters, sites or groups."""
    if not isinstance(item.value, Section):
        if item.value is not None:
            yield item.finding(
                Severity.ERROR,
                "wrong-type",
                f"{item.key!r} is {item.value!r}; expected a mapping",
                "BPS ends with a traceback, or ignores it",
                f"write a name under {item.key!r}, and settings under the name",
            )
        return
    for label in item.value:
        if isinstance(label.value, Section):
            yield from _check_section(view, label.value, item.key)
        elif label.value is not None and item.key != "site":
            fatal = item.key in ("cluster", "ordering")
            yield label.finding(
                Severity.ERROR if fatal else Severity.WARNING,
                "misplaced-key",
                f"{label.key!r} stands where the name of a {_thing(item.key)} is expected",
                "BPS ends with a traceback"
                if fatal
                else f"it holds for those only that have no section of their own under {item.key!r}",
                f"put it under a name, or at the top of the file to hold for every {_thing(item.key)}",
            )


def _thing(section: str) -> str:
    return {"pipetask": "task", "ordering": "group of jobs"}.get(section, section)


def _misplaced(item: Item) -> Finding:
    return item.finding(
        Severity.ERROR,
        "misplaced-key",
        f"the section {item.key!r} stands under {'.'.join(item.path[:-1])!r}",
        "BPS looks for it at the top of the file only: nothing in it applies, or there is a traceback",
        f"move {item.key!r} to the top: no indentation before it",
    )


def _says_no_more_than_default(view: View, item: Item) -> bool:
    """Tell whether a section of former times only repeats what BPS's defaults still say."""
    return isinstance(item.value, Section) and plain(item.value) == view.defaults.get(item.key)


def _removed(view: View, item: Item, reason: str) -> Finding:
    refused = item.key in view.vocabulary.code.refused
    instead = view.vocabulary.removed[item.key]
    return item.finding(
        Severity.ERROR if refused else Severity.WARNING,
        "removed-key",
        f"{item.key!r} is a word of former times",
        view.vocabulary.code.refused.get(item.key, "today's BPS does not read it"),
        f"write {instead}" if instead is reason else reason,
    )


def _unknown(view: View, item: Item, inside: str | None) -> Iterator[Finding]:
    vocabulary = view.vocabulary
    candidates = set(vocabulary.known_in(inside))
    if len(item.path) == 1:
        candidates |= vocabulary.top_sections | vocabulary.label_sections | {"includeConfigs"}
    if near := close_words(item.key, candidates - vocabulary.template_names | vocabulary.code.anywhere):
        yield item.finding(
            Severity.ERROR,
            "misspelt-key",
            f"{item.key!r} is unknown, but {near[0]!r} is known",
            f"{_IGNORED}: what should apply does not",
            f"write {near[0]!r}",
        )
        return
    if not (view.words_known and view.whole) or "bpsGenerateConfig" in view.defined:
        return  # a plugin or a file that is not here may read it
    elsewhere = [
        name
        for name in ("site", "cluster", "ordering")
        if name != inside and item.key in vocabulary.known_in(name) - vocabulary.settings
    ]
    if elsewhere:
        yield item.finding(
            Severity.WARNING,
            "misplaced-key",
            f"{item.key!r} is a setting of a {_thing(elsewhere[0])}",
            f"here nothing reads it; {_IGNORED}",
            f"move it under a name in the section {elsewhere[0]!r}",
        )
    elif isinstance(item.value, Section) and len(item.path) == 1:
        yield item.finding(
            Severity.WARNING,
            "unknown-key",
            f"there is no section {item.key!r}",
            f"at most it holds for jobs with the label {item.key!r}, not for a task that is in a cluster",
            f"if {item.key!r} is a task, move it under 'pipetask'; else remove it",
        )
    else:
        yield item.finding(
            Severity.WARNING,
            "unknown-key",
            f"{item.key!r} is unknown, and no {{{item.key}}} refers to it",
            _IGNORED,
            "correct the name, or remove the line",
        )
