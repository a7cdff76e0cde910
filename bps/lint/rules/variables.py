"""Variables: ``{name}`` that nothing defines, braces that do not match, ``${NAME}`` that is not set."""

__all__ = ["check_variables"]

from collections.abc import Iterator

from ..findings import Finding, Severity
from ..includes import UNSET
from ..tree import Item
from ..view import View
from ..vocabulary import FREE_SECTIONS, close_words, names_in

#: Templates that are filled in from the data ID of a job, by dimension.
_BY_DIMENSION = frozenset({"subDirTemplate", "templateDataId", "clusterTemplate"})


def check_variables(view: View) -> Iterator[Finding]:
    """Look up every variable that a value uses."""
    submit_side = _submit_side(view)
    unset: dict[str, Item] = {}
    for item in view.root.walk():
        if set(item.path[:-1]) & FREE_SECTIONS:
            continue
        for text in item.value if isinstance(item.value, list) else [item.value]:
            if isinstance(text, str):
                yield from _check_text(view, item, text)
                if item.key in submit_side:
                    yield from _check_environment(view, item, text, unset)
    if unset:
        names = ", ".join(f"${name}" for name in unset)
        yield next(iter(unset.values())).finding(
            Severity.INFO,
            "environment-unset",
            f"not set here: {names}",
            "where a variable is not set for `bps submit`, BPS hands on its name as it stands",
            "set them before you submit",
        )


def _check_text(view: View, item: Item, text: str) -> Iterator[Finding]:
    try:
        names = names_in(text)
    except ValueError as error:
        yield item.finding(
            Severity.ERROR,
            "unbalanced-brace",
            f"the braces of {item.key!r} do not match: {error}",
            "BPS ends with a traceback as soon as it needs the value",
            "close every { with }, and write {{ and }} for braces that shall stay",
        )
        return
    vocabulary = view.vocabulary
    for name in dict.fromkeys(names):
        # BPS takes what follows a dot in a key for a path.
        word = name.strip(".").split(".")[0]
        filled_in = vocabulary.code.filled_in | vocabulary.template_names | vocabulary.settings
        if item.key in _BY_DIMENSION:
            known = filled_in | vocabulary.dimensions.keys() | view.defined | {"subfilter", "node_number"}
        else:
            known = filled_in | view.defined
        if word in known:
            continue
        near = close_words(word, known)
        open_ended = not (view.is_submission and view.whole and view.words_known)
        if item.key in _BY_DIMENSION and near:
            pass
        elif open_ended or "bpsGenerateConfig" in view.defined:
            continue  # whoever includes this file, what it includes, or a plugin may define it
        yield item.finding(
            Severity.ERROR,
            "undefined-variable",
            f"nothing defines {{{name}}}" + (f"; {{{near[0]}}} is defined" if near else ""),
            "BPS puts nothing in its place, without a word",
            f"write {{{near[0]}}}"
            if near
            else f"define {name!r}, or write {{{{{name}}}}} if the braces shall stay",
        )


def _submit_side(view: View) -> frozenset[str]:
    """Find the settings in which BPS itself needs the variables of the environment, before any job."""
    found: set[str] = set()
    front = ["createQuantumGraph", "submitPath"]
    while front:
        key = front.pop()
        if key in found:
            continue
        found.add(key)
        item = view.top(key)
        value = item.value if item is not None else view.defaults.get(key)
        if value is None:
            payload = view.defaults.get("payload")
            value = payload.get(key) if isinstance(payload, dict) else None
        if isinstance(value, str):
            try:
                front += names_in(value)
            except ValueError:
                continue
    return frozenset(found)


def _check_environment(view: View, item: Item, text: str, unset: dict[str, Item]) -> Iterator[Finding]:
    for match in UNSET.finditer(text):
        name = match[1] or match[2]
        if name in view.environment:
            continue
        if near := close_words(name, view.environment):
            yield item.finding(
                Severity.ERROR,
                "environment-unset",
                f"${{{name}}} is not set here; ${{{near[0]}}} is",
                "BPS hands on the name as it stands",
                f"write ${{{near[0]}}}",
            )
        else:
            unset.setdefault(name, item)
