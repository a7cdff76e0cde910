"""Keys that a submit file may hold: those that the installed BPS and its plugins know."""

__all__ = ["Vocabulary", "close_matches", "load_vocabulary", "names_in"]

import difflib
import functools
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...common.errors import BpsError
from ..data import merge
from .installed import CodeKeys, find_folders, read_code

#: Keys that BPS does not read any more, and what to write instead.
_REMOVED = {
    "outCollection": "`output` for the CHAINED collection, `outputRun` for the RUN collection",
    "executionButler": "nothing: there is no execution Butler any more; what merges the outputs is `finalJob`",
    "executionButlerDir": "nothing: there is no execution Butler any more",
    "computingCloud": "`computeCloud`",
    "pipelineOptions": "`extraQgraphOptions`",
}
#: Sections whose keys are free: names of environment variables, of DAGMan's settings, of HTCondor's commands.
FREE_SECTIONS = frozenset({"environment", "profile", "attrs", "wmsConfig"})
_ENVIRONMENT = re.compile(r"\$\{[^}]*\}")
_WMS = re.compile(r"\{wms[^}]+\}")


def names_in(text: str) -> list[str]:
    """Find the variables ``{name}`` of a value, as BPS does.

    Raises
    ------
    ValueError
        If a brace is not closed, or closes nothing.
    """
    text = _WMS.sub("", _ENVIRONMENT.sub("", text))
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def close_matches(name: str, names: Iterable[str]) -> list[str]:
    """Find the names of which another one is probably a misspelling, the closest first."""
    folded = {other.casefold().replace("_", ""): other for other in sorted(names)}
    near = difflib.get_close_matches(name.casefold().replace("_", ""), folded, n=3, cutoff=0.84)
    # A name with a suffix is another name, not a misspelt one.
    return [folded[m] for m in near if folded[m] != name and abs(len(folded[m]) - len(name)) <= 3]


@dataclass(frozen=True)
class Vocabulary:
    """What the installed BPS knows.

    Parameters
    ----------
    code
        The keys that its code, and that of its plugins, looks up.
    defaults
        Its own default settings.
    plugin_defaults
        The default settings of each plugin, by the name of its package.
    user_keys
        Keys that its defaults mention as the user's.
    dimensions
        Butler's dimensions, each with the fields of its records.
    """

    code: CodeKeys
    defaults: Mapping[str, Any]
    plugin_defaults: Mapping[str, Mapping[str, Any]]
    user_keys: frozenset[str]
    dimensions: Mapping[str, frozenset[str]]

    def defaults_for(self, wms: str) -> Mapping[str, Any]:
        """Give the defaults that are in force with a WMS service class."""
        return merge(self.defaults, self.plugin_defaults.get(wms.rpartition(".")[0], {}))

    def knows_plugin(self, wms: str) -> bool:
        """Tell whether the package of a WMS service class is installed, so that its keys are known."""
        return wms.rpartition(".")[0] in self.plugin_defaults

    def near_plugin(self, wms: str) -> str | None:
        """Find the full name of the installed plugin that a misspelt WMS service class means."""
        package, _, name = wms.rpartition(".")
        plugins = {plugin.rpartition(".")[2]: plugin for plugin in self.plugin_defaults}
        near = close_matches(package.rpartition(".")[2], plugins)
        return f"{plugins[near[0]]}.{name}" if near else None

    @functools.cached_property
    def default_keys(self) -> frozenset[str]:
        """All keys of all defaults."""
        every = [self.defaults, *self.plugin_defaults.values()]
        return frozenset(key for defaults in every for key in _keys(defaults))

    @functools.cached_property
    def template_names(self) -> frozenset[str]:
        """All variables in the values of all defaults."""
        every = [self.defaults, *self.plugin_defaults.values()]
        return frozenset(name for defaults in every for text in _texts(defaults) for name in names_in(text))

    @functools.cached_property
    def settings(self) -> frozenset[str]:
        """Keys that are valid anywhere: at the top, in the payload, and for a label or a site."""
        keys = self.code.anywhere | self.default_keys | self.template_names | self.user_keys
        return frozenset(keys - set(_REMOVED) - self.code.refused.keys())

    @functools.cached_property
    def label_sections(self) -> frozenset[str]:
        """Sections whose keys are names (of tasks, clusters, sites, groups) with settings of their own."""
        return frozenset({"cluster", "pipetask", "site", "cloud", "ordering"})

    @functools.cached_property
    def top_sections(self) -> frozenset[str]:
        """Sections that mean something at the top of a file only."""
        defaults = {key for key, value in self.defaults.items() if isinstance(value, dict)}
        keys = {*self.code.search_order, *defaults, "ordering", "provisioning"} - FREE_SECTIONS
        return frozenset(keys - set(_REMOVED))

    @functools.cached_property
    def removed(self) -> Mapping[str, str]:
        """Keys that BPS does not read any more, and what to write instead."""
        refused = {key: f"BPS says: {text}" for key, text in self.code.refused.items()}
        return {**refused, **_REMOVED}

    def known_in(self, section: str | None) -> frozenset[str]:
        """Give the keys that are valid in a section: below one of its labels, if it has labels."""
        more = {
            "site": self.code.in_site,
            "cluster": self.code.in_cluster,
            "ordering": self.code.in_ordering,
        }.get(section or "", set())
        return frozenset(more) if section == "ordering" else self.settings | more

    def matches_pattern(self, key: str) -> bool:
        """Tell whether a key is one of those with a number, such as ``command2``."""
        return any(re.fullmatch(pattern, key) for pattern in self.code.patterns)

    def types_of(self, key: str) -> frozenset[str]:
        """Name the types that a value may have; empty if it may have any."""
        if found := self.code.types.get(key, frozenset()) - {"None", "Any"}:
            return found
        kinds = {type(value).__name__ for value in _values(self.defaults, key)}
        for defaults in self.plugin_defaults.values():
            kinds |= {type(value).__name__ for value in _values(defaults, key)}
        return frozenset(kinds) if len(kinds) == 1 and "str" not in kinds else frozenset()


@functools.cache
def load_vocabulary() -> Vocabulary:
    """Read the keys of the installed BPS from its files, without importing it.

    Raises
    ------
    BpsError
        If BPS is not installed.
    """
    folders = find_folders("lsst.ctrl.bps")
    if not folders:
        raise BpsError(
            "lsst.ctrl.bps is not installed here, and the keys of submit files are read from it",
            remedy="set up lsst_distrib, or install apcampaign[stack]",
        )
    user_keys: set[str] = set()
    plugins = {}
    for folder in folders:
        for path in sorted((folder / "etc").glob("*.yaml")):
            comments = path.read_text(encoding="utf-8")
            user_keys |= set(re.findall(r"^\s*#\s?(?:USER|OPT)\s+(\w+):", comments, flags=re.MULTILINE))
        for plugin in sorted(folder.iterdir()):
            if (plugin / "__init__.py").is_file() and plugin.name not in ("cli", "tests"):
                plugins[f"lsst.ctrl.bps.{plugin.name}"] = _read_defaults([plugin])
    code = read_code(tuple(folders))
    return Vocabulary(code, _read_defaults(folders), plugins, frozenset(user_keys), _dimensions())


def _read_defaults(folders: Iterable[Path]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for folder in folders:
        for path in sorted((folder / "etc").glob("*.yaml")):
            settings = merge(settings, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return settings


def _dimensions() -> dict[str, frozenset[str]]:
    """Read the dimensions of the installed Butler, and the fields of their records."""
    paths = [folder / "configs" / "dimensions.yaml" for folder in find_folders("lsst.daf.butler")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {}
    for name, element in content["elements"].items():
        fields = [*element.get("keys", ()), *element.get("metadata", ())]
        found[name] = frozenset(entry["name"] for entry in fields)
    for system, settings in content.get("skypix", {}).items():
        if isinstance(settings, dict):
            levels = range(settings.get("max_level", 0) + 1)
            found |= {f"{system}{level}": frozenset({"id"}) for level in levels}
    return found


def _keys(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        yield str(key)
        if isinstance(value, dict) and key not in FREE_SECTIONS:
            yield from _keys(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)


def _values(settings: Mapping[str, Any], key: str) -> Iterator[Any]:
    for name, value in settings.items():
        if name == key and not isinstance(value, dict):
            yield value
        if isinstance(value, dict):
            yield from _values(value, key)
