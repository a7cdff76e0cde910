"""Band check: the association takes the bands of the visits that are selected."""

__all__ = ["check_bands"]

from collections.abc import Iterator
from typing import Any

from ...bps.lint import Finding, Severity
from .run_spec import RunSpec, make_finding
from .selection import Selection

#: The field of `associateApdb` with the bands that the APDB has columns for.
_FIELD = "validBands"


def check_bands(spec: RunSpec, graph: Any, selection: Selection) -> Iterator[Finding]:
    """Report visits in bands that a task of a run refuses.

    Parameters
    ----------
    spec
        The run.
    graph
        Its pipeline graph.
    selection
        What its data query selects.
    """
    if "band" not in selection.names:
        return
    selected = {str(band) for (band,) in selection.project(("band",))}
    for label, task in graph.tasks.items():
        taken = getattr(task.config, _FIELD, None)
        if taken is None or not (refused := sorted(selected - set(taken))):
            continue
        names = ", ".join(refused)
        yield make_finding(
            Severity.ERROR,
            "band",
            f"visits in {names} are selected, and {label!r} takes {', '.join(taken)} only",
            "building the graph fails, since the APDB has columns for these bands only",
            f"name other bands in 'bands', or exclude {names} with 'where' of {spec.name}; an APDB whose schema "
            f"has more bands can be filled with config: {{{label}:{_FIELD}: …}}",
            key=f"{spec.name}: bands",
        )
