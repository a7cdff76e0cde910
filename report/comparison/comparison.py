"""Result of a comparison, and its verdict."""

__all__ = ["Comparison", "TaskRow"]

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...common.html import html_lines, html_table
from ...common.text import count
from .catalogue_values import CatalogueComparison
from .model import Aspect, Comparable, Difference, Tolerances, Unread

if TYPE_CHECKING:
    import pandas as pd

#: So many differences are in the verdict.
_TOLD = 4


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """A task on both sides; what a side does not have or does not tell is `None`.

    Parameters
    ----------
    step, label
        Which.
    expected, done
        Its quanta, and those that were successful.
    seconds
        The median of what a quantum took.
    memory
        The most that one took, MiB.
    same
        Whether the outcomes of its quanta are the same.
    """

    step: str
    label: str
    expected: tuple[int | None, int | None]
    done: tuple[int | None, int | None]
    seconds: tuple[float | None, float | None]
    memory: tuple[float | None, float | None]
    same: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two campaigns, or two submissions, compared.

    Parameters
    ----------
    a, b
        The two sides.
    tolerances
        What counts as the same.
    differences
        In what they differ: first what counts, results before what they depend on, the most important first.
    unread
        What is not known of either side.
    sources, objects
        The DiaSources and the DiaObjects; `None` where either side has none to compare.
    """

    a: Comparable
    b: Comparable
    tolerances: Tolerances
    differences: tuple[Difference, ...]
    unread: tuple[Unread, ...] = ()
    sources: CatalogueComparison | None = None
    objects: CatalogueComparison | None = None

    @property
    def same(self) -> bool | None:
        """Whether nothing that counts differs; `None` if that is not known."""
        if any(each.counts for each in self.differences):
            return False
        return None if any(each.aspect is not Aspect.COSTS for each in self.unread) else True

    @property
    def results_same(self) -> bool | None:
        """Whether the results are the same, whatever they were made with; `None` if that is not known."""
        if any(each.counts and each.aspect.is_result for each in self.differences):
            return False
        return None if any(each.aspect.is_result for each in self.unread) else True

    @property
    def matched_sources(self) -> "pd.DataFrame | None":
        """The DiaSources that both have: a row of each pair, with ``_a`` and ``_b`` columns."""
        return self.sources.matched if self.sources else None

    @property
    def matched_objects(self) -> "pd.DataFrame | None":
        """The DiaObjects that both have, in the same way."""
        return self.objects.matched if self.objects else None

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        within = f"the same within {self.tolerances.describe()}"
        counting = [each for each in self.differences if each.counts]
        if self.same:
            return f"{within}: {self._describe_extent()}"
        if self.same is None:
            unknown = {str(each.aspect) for each in self.unread if each.aspect is not Aspect.COSTS}
            listed = ", ".join(str(aspect) for aspect in Aspect if aspect in unknown)
            return f"it is not known whether they are the same: not everything could be read ({listed})"
        more = len(counting) - _TOLD
        told = "; ".join(_pick(counting)) + (f"; and {count(more, 'more difference')}" if more > 0 else "")
        head = f"their results are {within}, but they differ" if self.results_same else "they differ"
        return f"{head}: {told}"

    def _describe_extent(self) -> str:
        """Say what was compared."""
        parts = []
        if self.sources is not None:
            parts.append(count(self.sources.counts.both, "DiaSource"))
        if self.objects is not None:
            parts.append(count(self.objects.counts.both, "DiaObject"))
        parts.append(count(sum(each.expected for each in self.a.quanta.values()), "quantum"))
        if self.a.templates is not None:
            parts.append(count(len(self.a.templates), "template"))
        parts.append(f"the configuration of {count(len(self.a.configuration), 'task')}")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON, without the rows of catalogues."""
        return {
            "a": self.a.name,
            "b": self.b.name,
            "same": self.same,
            "results_same": self.results_same,
            "verdict": self.verdict,
            "tolerances": asdict(self.tolerances),
            "differences": [
                {**asdict(each), "aspect": str(each.aspect), "description": each.describe()}
                for each in self.differences
            ],
            "unread": [asdict(each) | {"aspect": str(each.aspect)} for each in self.unread],
            "dia_sources": self.sources.as_dict() if self.sources else None,
            "dia_objects": self.objects.as_dict() if self.objects else None,
        }

    def count_rows(self) -> list[tuple[str, int, int, int, int, int, float]]:
        """Count the rows of both catalogues: name, in each, in both, in one only, and the significance."""
        named = (("DiaSources", self.sources), ("DiaObjects", self.objects))
        return [
            (name, n.a, n.b, n.both, n.only_a, n.only_b, n.significance)
            for name, n in ((name, found.counts) for name, found in named if found is not None)
        ]

    def list_tasks(self) -> Iterator[TaskRow]:
        """List the tasks of both sides, in the order of their pipelines."""
        sides = (self.a, self.b)
        for key in dict.fromkeys(
            key for side in sides for found in (side.quanta, side.usage) for key in found
        ):
            quanta = [side.quanta.get(key) for side in sides]
            usage = [side.usage.get(key) for side in sides]
            yield TaskRow(
                step=str(key[0]),
                label=key[1],
                expected=_pair(each.expected if each else None for each in quanta),
                done=_pair(each.successful if each else None for each in quanta),
                seconds=_pair(each.seconds.median if each else None for each in usage),
                memory=_pair(each.memory.most if each and each.memory else None for each in usage),
                same=quanta[0] == quanta[1],
            )

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the verdict, the catalogues, the differences, and what is not known."""
        columns = ("", self.a.name, self.b.name, "in both", "only in the first", "only in the second", "σ")
        rows = [(*row[:-1], f"{row[-1]:+.1f}") for row in self.count_rows()]
        differences = [
            (
                each.aspect,
                each.what,
                each.a,
                each.b,
                each.note if each.counts else f"{each.note} (does not count)".strip(),
            )
            for each in self.differences
        ]
        return (
            html_lines([self.verdict])
            + html_table(columns, rows)
            + html_table(("", "what", self.a.name, self.b.name, "note"), differences, "differences")
            + html_table(("", "of", "why"), [(u.aspect, u.side, u.why) for u in self.unread], "not known")
        )


def _pick(differences: Sequence[Difference]) -> Iterator[str]:
    """Pick what the verdict names: results, and at least one of what they depend on."""
    results = [each for each in differences if each.aspect.is_result]
    rest = [each for each in differences if not each.aspect.is_result]
    for each in [*results[: _TOLD - bool(rest)], *rest][:_TOLD]:
        yield each.describe()


def _pair[Value](values: Iterable[Value]) -> tuple[Value, Value]:
    one, other = values
    return one, other
