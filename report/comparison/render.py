"""Page of a comparison, with the frame and the figures of the report."""

__all__ = ["render_comparison"]

import time

from ..figure import Column
from ..render import make_page
from .comparison import Comparison
from .figures import draw_figures

#: State and tone of the page's title.
_STATES = {True: ("the same", "good"), False: ("they differ", "bad"), None: ("not known", "busy")}
_TITLES = {
    "snr": "S/N",
    "visits": "Over time",
    "sky": "Sky",
    "changes": "Flux and position",
    "tasks": "Tasks",
}


def render_comparison(comparison: Comparison) -> str:
    """Write the page of a comparison.

    Returns
    -------
    html
        A whole document, in UTF-8 when it is written as such.
    """
    figures = draw_figures(comparison)
    state, tone = _STATES[comparison.same]
    return make_page(
        "comparison.html.j2",
        figures,
        kind="comparison",
        heading=f"{comparison.a.name} and {comparison.b.name}",
        made=time.time(),
        final=True,
        state=state,
        tone=tone,
        sections=[
            ("catalogues", "Catalogues"),
            ("differences", "Differences"),
            *((id, title) for id, title in _TITLES.items() if id in figures),
        ],
        refresh=None,
        comparison=comparison,
        catalogues=(_CATALOGUE_COLUMNS, comparison.count_rows()),
        differences=(
            _DIFFERENCE_COLUMNS,
            [
                (str(each.aspect), each.what, each.note, each.a, each.b, "yes" if each.counts else "no")
                for each in comparison.differences
            ],
        ),
    )


_CATALOGUE_COLUMNS = (
    Column("catalogue"),
    *(Column(title, "number") for title in ("A", "B", "in both", "only in A", "only in B")),
    Column("significance (σ)", "number", 1),
)
_DIFFERENCE_COLUMNS = tuple(Column(title) for title in ("aspect", "what", "note", "A", "B", "counts"))
