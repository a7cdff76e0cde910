"""The submit file that the rules judge (`SubmitFile`), with the keys that the installed BPS knows."""

__all__ = ["Check", "SubmitFile"]

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .findings import Finding
from .includes import UNSET, expand
from .labels import PipelineLabels
from .tree import Item, Section
from .vocabulary import Vocabulary, names_in

#: Keys that a submission needs, and the option of `bps submit` that replaces each.
NEEDED = {"pipelineYaml": "-p", "butlerConfig": "-b", "inCollection": "-i", "dataQuery": "-d"}


@dataclass(frozen=True, kw_only=True)
class SubmitFile:
    """A submit file, or a part of one that others include.

    Parameters
    ----------
    file
        The file.
    root
        Its content, with everything that it includes.
    whole
        Whether everything that it includes could be read.
    vocabulary
        The keys of the installed BPS.
    environment
        The variables of whoever submits.
    labels
        The tasks of its pipeline; `None` if they are not known.
    """

    file: Path
    root: Section
    whole: bool
    vocabulary: Vocabulary
    environment: Mapping[str, str]
    labels: PipelineLabels | None = None

    def top(self, key: str) -> Item | None:
        """Find a setting that applies to everything: in the payload or at the top."""
        found = self.root.find("payload", key) or self.root.find(key)
        return None if found is None or isinstance(found.value, Section) else found

    def text(self, key: str) -> str:
        """Give such a setting as text, with environment variables expanded; empty if there is none."""
        item = self.top(key)
        value = self.defaults.get(key, "") if item is None else item.value
        return "" if value is None else expand(str(value), self.environment)

    @functools.cached_property
    def wms(self) -> str:
        """The WMS service class that applies."""
        item = self.root.find("wmsServiceClass")
        if item is not None and isinstance(item.value, str):
            return item.value
        given = self.environment.get("BPS_WMS_SERVICE_CLASS")
        return given or str(self.vocabulary.defaults.get("wmsServiceClass", ""))

    @functools.cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The defaults that apply."""
        return self.vocabulary.defaults_for(self.wms)

    @functools.cached_property
    def keys_known(self) -> bool:
        """Whether the keys of the WMS plugin are known, so that others can be reported as unknown."""
        # A part of a file that names no plugin may be for any plugin.
        named = "wmsServiceClass" in self.root or len(self.missing) <= 1
        return named and self.vocabulary.knows_plugin(self.wms)

    @functools.cached_property
    def missing(self) -> list[str]:
        """The keys that a submission needs and this file lacks."""
        if self.top("qgraphFile"):
            return []
        return [key for key in NEEDED if not self.text(key)]

    @functools.cached_property
    def is_submission(self) -> bool:
        """Whether it can be submitted as it is, without being included or completed on the command line."""
        return not set(self.missing) - {"dataQuery"}

    @functools.cached_property
    def begins(self) -> bool:
        """Whether it is meant to be submitted, whatever it lacks: it names a pipeline, and what to do with it."""
        return self.whole and "pipelineYaml" not in self.missing and bool(self.root.section("payload").items)

    @functools.cached_property
    def referenced(self) -> frozenset[str]:
        """All variables that are used anywhere."""
        names: set[str] = set()
        for text in self.texts():
            try:
                names.update(names_in(text))
            except ValueError:
                continue
        return frozenset(names) | self.vocabulary.template_names

    @functools.cached_property
    def defined(self) -> frozenset[str]:
        """All settings that have a value anywhere, from the user or by default."""
        own = frozenset(item.key for item in self.root.walk())
        return own | self.vocabulary.default_keys - self.vocabulary.removed.keys()

    def texts(self) -> Iterator[str]:
        """Iterate over all values that are text."""
        for item in self.root.walk():
            values = item.value if isinstance(item.value, list) else [item.value]
            yield from (value for value in values if isinstance(value, str))

    def is_open(self, text: str) -> bool:
        """Tell whether a text holds a variable, of BPS or the environment, that only the submission knows."""
        try:
            return bool(names_in(text)) or bool(UNSET.search(expand(text, self.environment)))
        except ValueError:
            return True


Check = Callable[[SubmitFile], Iterator[Finding]]
