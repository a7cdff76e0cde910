"""Selection: tracts, bands and visits that the data query of a run selects, and how many quanta they make.

A query that selects no raw image is an error, and the condition that excludes all of them is named, such as a
tract that is not in the skymap, a band or a visit that the repository does not have.
"""

__all__ = ["Estimate", "Selection", "estimate_quanta", "select"]

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...bps.lint import Finding, Severity
from ...common.butler import butler_errors
from ...common.errors import RepositoryError
from .run_spec import RunSpec, finding_from_error, make_finding

_STRING = re.compile(r"'[^']*'")
_RAW = ("instrument", "exposure", "visit", "detector")
#: More rows would take minutes.
_MOST_ROWS = 1_000_000
#: Overlaps with patches are slow to find: above so many raws they are looked up for a part of the visits.
_MOST_OVERLAPS = 5_000
_COUNTED = ("visit", "exposure", "detector", "physical_filter", "band", "tract", "patch")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The number of quanta that a task will have.

    Parameters
    ----------
    label
        The task.
    quanta
        Data IDs of its dimensions under the selected raws; those that lack an input are counted too.
    """

    label: str
    quanta: int


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a data query selects.

    Parameters
    ----------
    names
        Dimensions of the rows.
    rows
        Every combination of them that has a raw, with regions that overlap.
    patches
        The same with patches, of evenly chosen visits where there are many; `None` if no task has patches.
    share
        The fraction of the raws that those visits have.
    """

    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    patches: "Selection | None" = None
    share: float = 1.0
    _projections: dict[tuple[str, ...], frozenset[tuple[Any, ...]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def project(self, names: Sequence[str]) -> frozenset[tuple[Any, ...]]:
        """Give the distinct combinations of some of the dimensions; those it does not have are left out."""
        if self.patches is not None and "patch" in names:
            return self.patches.project(names)
        kept = tuple(name for name in names if name in self.names)
        if kept not in self._projections:
            places = [self.names.index(name) for name in kept]
            projection = frozenset(tuple(row[place] for place in places) for row in self.rows)
            self._projections[kept] = projection
        return self._projections[kept]

    @property
    def cut(self) -> bool:
        """Whether there is more than was looked up."""
        return len(self.rows) >= _MOST_ROWS

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All dimensions that can be projected on."""
        return self.names if self.patches is None else self.patches.names

    def scale(self, names: Collection[str]) -> float:
        """Give the factor from combinations found to combinations in all: some visits may have been left out."""
        of_visits = "patch" in names and not {"visit", "exposure", "group"}.isdisjoint(names)
        return 1 / self.share if of_visits else 1.0

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of each: patches counted with their tract, raws as (exposure, detector)."""
        counts = {
            name: len(self.project(("tract", "patch") if name == "patch" else (name,)))
            for name in _COUNTED
            if name in self.dimensions
        }
        return {"raw": len(self.project(("exposure", "detector"))), **counts}


def select(butler: Any, spec: RunSpec, graph: Any) -> tuple[Selection | None, list[Finding]]:
    """Run the data query on the raws.

    Parameters
    ----------
    butler
        The repository.
    spec
        The run.
    graph
        Its pipeline graph.

    Returns
    -------
    selection, findings
        The selection, or `None` and why there is none. It is `None` without a finding for a pipeline that
        reads no raws.
    """
    if "raw" not in {name for name, _ in graph.iter_overall_inputs()}:
        return None, []
    used = set(graph.get_all_dimensions(prerequisites=False).names)
    wanted = (*_RAW, *(name for name in ("group", "skymap", "tract") if name in used))
    try:
        rows = _rows(butler, spec.existing_inputs, spec.query, wanted, limit=_MOST_ROWS + 1)
        findings = []
        if len(rows) > _MOST_ROWS:
            findings.append(_too_many(spec))
            del rows[_MOST_ROWS:]
        if not rows:
            return None, [_explain_empty(butler, spec, wanted)]
        selection = Selection(names=_columns(wanted), rows=rows)
        if "patch" not in used:
            return selection, findings
        selection, more = _add_patches(butler, spec, selection, wanted)
        return selection, [*findings, *more]
    except RepositoryError as error:
        why, remedy = "building the quantum graph ends with a traceback", f"correct it: {spec.query}"
        return None, [finding_from_error(error, "data-query", why, remedy=remedy, key=f"{spec.name}: where")]


def _add_patches(
    butler: Any, spec: RunSpec, selection: Selection, wanted: Sequence[str]
) -> tuple[Selection, list[Finding]]:
    """Look up which patches the raws overlap, for evenly chosen visits if there are many."""
    findings = []
    visits, where = sorted(selection.project(("visit",))), spec.query
    step = -(-len(selection.rows) // _MOST_OVERLAPS)
    if step > 1:
        where = " AND ".join(filter(None, (where and f"({where})", "visit IN (:chosen)")))
        findings.append(
            make_finding(
                Severity.INFO,
                "large",
                f"the data query selects {len(selection.rows):,} raws; patches were looked up for every {step}th "
                "visit",
                "numbers of quanta of visits and patches are extrapolated",
                "nothing to do: building the graph will count them all",
                key=f"{spec.name}: where",
            )
        )
    bind = {"chosen": [visit for (visit,) in visits[::step]]} if step > 1 else None
    overlaps = _rows(butler, spec.existing_inputs, where, (*wanted, "patch"), bind=bind)
    patches = Selection(names=_columns((*wanted, "patch")), rows=overlaps)
    share = len(patches.project(("exposure", "detector"))) / len(selection.project(("exposure", "detector")))
    return replace(selection, patches=patches, share=share or 1.0), findings


def _too_many(spec: RunSpec) -> Finding:
    return make_finding(
        Severity.INFO,
        "large",
        f"the data query selects more than {_MOST_ROWS:,} combinations of raws and tracts",
        "those beyond are neither counted nor checked",
        "check a part of the campaign too, such as one tract",
        key=f"{spec.name}: where",
    )


def estimate_quanta(selection: Selection, graph: Any) -> list[Estimate]:
    """Count the data IDs of each task's dimensions, in the pipeline's order."""
    graph.sort()
    return [
        Estimate(label=label, quanta=round(len(selection.project(names)) * selection.scale(names)))
        for label, task in graph.tasks.items()
        for names in [tuple(task.dimensions.required)]
    ]


def _rows(
    butler: Any,
    collections: Sequence[str],
    where: str,
    wanted: Sequence[str],
    *,
    limit: int | None = None,
    bind: Mapping[str, Any] | None = None,
) -> list[tuple[Any, ...]]:
    with butler_errors("the data query cannot be run"), butler.query() as query:
        query = query.join_dataset_search("raw", list(collections)).join_dimensions(wanted)
        if where:
            query = query.where(where, bind=bind)
        result = query.data_ids(wanted)
        if limit is not None:
            result = result.limit(limit)
        return [tuple(row[name] for name in _columns(wanted)) for row in result]


def _columns(wanted: Sequence[str]) -> tuple[str, ...]:
    """Add what exposures and visits imply."""
    return tuple(dict.fromkeys((*wanted, "physical_filter", "band")))


def _explain_empty(butler: Any, spec: RunSpec, wanted: Sequence[str]) -> Finding:
    """Find the condition without which something would be selected."""
    terms = _terms(spec.query)
    guilty = []
    for place, term in enumerate(terms):
        rest = " AND ".join(f"({other})" for n, other in enumerate(terms) if n != place)
        try:
            if _rows(butler, spec.existing_inputs, rest, wanted, limit=1):
                guilty.append(term)
        except RepositoryError:
            continue  # without its governor the rest may be no query
    without = " or ".join(repr(term) for term in guilty)
    searched = ", ".join(spec.existing_inputs) or "no collection"
    return make_finding(
        Severity.ERROR,
        "no-data",
        f"the data query selects no raw image in {searched}: {spec.query}",
        "the quantum graph is empty, for which BPS gives no reason",
        f"there would be some without {without}"
        if guilty
        else "see what the repository holds with `apcampaign inspect`; the raws may be in another collection",
        key=f"{spec.name}: where",
    )


def _terms(query: str) -> list[str]:
    """Split a query at the ANDs that are in no string and no parenthesis."""
    terms, depth, start = [], 0, 0
    blank = _STRING.sub(lambda match: " " * len(match[0]), query)
    for match in re.finditer(r"[()]|\bAND\b", blank, flags=re.IGNORECASE):
        if match[0] in "()":
            depth += 1 if match[0] == "(" else -1
        elif depth == 0:
            terms.append(query[start : match.start()].strip())
            start = match.end()
    return [term for term in [*terms, query[start:].strip()] if term]
