"""Query checks: what a data query should constrain, and does not; what it asks for, and does not select."""

__all__ = ["check_query", "check_wanted"]

import re
from collections.abc import Iterator
from typing import Any

from ...bps.lint import Finding, Severity
from .run_spec import RunSpec, make_finding
from .selection import Selection

_STRING = re.compile(r"'[^']*'")
_NAME = re.compile(r"[A-Za-z_]\w*")


def check_query(butler: Any, spec: RunSpec, graph: Any) -> Iterator[Finding]:
    """Report what the data query should constrain and does not, and what it constrains needlessly.

    Parameters
    ----------
    butler
        The repository.
    spec
        The run.
    graph
        Its pipeline graph.
    """
    names = {name.partition(".")[0] for name in _NAME.findall(_STRING.sub(" ", spec.query))}
    used = set(graph.get_all_dimensions(prerequisites=False).names)
    key = f"{spec.name}: where"
    for governor in ("instrument", "skymap"):
        if governor in used and governor not in names:
            known = sorted(str(record.name) for record in butler.query_dimension_records(governor))
            yield make_finding(
                Severity.ERROR if len(known) > 1 else Severity.INFO,
                "query-open",
                f"the data query does not say which {governor}; registered: {', '.join(known)}",
                "building the graph fails, or takes all that are registered",
                f"add {governor}='…' to the query",
                key=key,
            )
    limits = {"tract", "patch", "visit", "exposure", "day_obs", "group", "healpix"}
    if not names & limits and not any("timespan" in name or "region" in name for name in names):
        yield make_finding(
            Severity.WARNING,
            "query-open",
            f"the data query limits neither sky nor time: {spec.query or 'it is empty'}",
            "everything in the input collections is processed",
            "add a condition such as tract IN (3828, 3829), or visit > …",
            key=key,
        )
    universe = set(butler.dimensions.dimensions.names)
    for name in sorted(names & universe - used - {"day_obs", "visit_system", "group", "healpix"}):
        implied = {
            element for dimension in used for element in butler.dimensions[dimension].minimal_group.names
        }
        if name not in implied and not (name in ("visit", "exposure") and {"visit", "exposure"} & used):
            yield make_finding(
                Severity.INFO,
                "query-needless",
                f"the data query constrains {name!r}, which no task of the pipeline has",
                "the graph takes longer to build, and the join may leave out what is wanted",
                f"remove {name!r} from the query",
                key=key,
            )


def check_wanted(butler: Any, spec: RunSpec, selection: Selection) -> Iterator[Finding]:
    """Report bands and tracts that a run asks for and of which nothing is selected.

    Parameters
    ----------
    butler
        The repository.
    spec
        The run.
    selection
        What its data query selects.
    """
    for dimension, values in spec.wanted.items():
        if dimension not in selection.names:
            continue
        there = {value for (value,) in selection.project((dimension,))}
        for value in (value for value in values if value not in there):
            what, remedy = f"no raw image is selected of {dimension} {value!r}", "remove it, or correct it"
            if dimension == "band":
                known = _find_bands(butler, selection)
                what += "" if value in known else ", which this instrument does not have"
                remedy = f"remove it, or name one of {', '.join(sorted(known))}"
            yield make_finding(
                Severity.WARNING,
                "no-data",
                what,
                "nothing of it is processed",
                remedy,
                key=f"{spec.name}: {dimension}s",
            )


def _find_bands(butler: Any, selection: Selection) -> set[str]:
    """Find the bands of the filters that the instruments of a selection have."""
    return {
        str(record.band)
        for (instrument,) in selection.project(("instrument",))
        for record in butler.query_dimension_records("physical_filter", instrument=instrument, limit=None)
    }
