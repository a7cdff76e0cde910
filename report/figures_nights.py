"""Figure of the growth of a campaign that goes on night after night."""

__all__ = ["draw_nights"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .figure import Column, Figure, Panel, Table
from .sky_model import VisitRow

#: Things of which an axis has a tick each.
_FEW = 5


@dataclass(frozen=True)
class _Night:
    """The science visits of a night: how many, with how many difference images and DiaSources."""

    night: int
    visits: int
    differences: int
    sources: int
    new: int

    @property
    def matched(self) -> int:
        return self.sources - self.new


def draw_nights(visits: Sequence[VisitRow]) -> Figure:
    """Draw what each night has added: visits, DiaSources, and DiaObjects that were made for them."""
    nights = _add_up(visits)
    made = list(accumulate(night.new for night in nights))
    rows = [
        (str(night.night), night.visits, night.differences, night.sources, night.matched, night.new, total)
        for night, total in zip(nights, made, strict=True)
    ]
    columns = (
        Column("night"),
        Column("visits", "number"),
        Column("difference images", "number"),
        Column("DiaSources", "number"),
        Column("matched", "number"),
        Column("new", "number"),
        Column("DiaObjects so far", "number"),
    )
    caption = (
        "What each observing night has added to the APDB: visits, DiaSources that were matched with a DiaObject "
        "that was there already or for which a new one was made, and how many DiaObjects there were after it."
    )
    panels = _draw(nights, made) if len(nights) > 1 and made[-1] else ()
    return Figure("nights", "Night by night", caption, panels, Table(columns, rows))


def _add_up(visits: Sequence[VisitRow]) -> list[_Night]:
    by_night: dict[int, list[VisitRow]] = {}
    for visit in visits:
        if visit.night is not None:
            by_night.setdefault(visit.night, []).append(visit)
    return [
        _Night(
            night,
            len({visit.visit for visit in found}),
            sum(visit.differences for visit in found),
            sum(visit.dia_sources or 0 for visit in found),
            sum(visit.new_sources or 0 for visit in found),
        )
        for night, found in sorted(by_night.items())
        # Of later nights a data query without an end selects raw images that no run has been given.
        if any(visit.differences or visit.dia_sources for visit in found)
    ]


def _draw(nights: Sequence[_Night], made: Sequence[int]) -> tuple[Panel, ...]:
    days = [
        f"{night.night // 10000}-{night.night // 100 % 100:02}-{night.night % 100:02}" for night in nights
    ]
    series: dict[str, dict[str, Sequence[int]]] = {
        "visits": {"visits": [night.visits for night in nights]},
        "DiaSources": {
            "matched": [night.matched for night in nights],
            "new": [night.new for night in nights],
        },
        "DiaObjects so far": {"DiaObjects": made},
    }
    return tuple(
        _draw_bars(f"plot-nights{place or ''}", title, days, bars)
        for place, (title, bars) in enumerate(series.items())
    )


def _draw_bars(id: str, title: str, days: Sequence[str], bars: Mapping[str, Sequence[int]]) -> Panel:
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": days,
            "y": list(numbers),
            "marker": {"color": f"$c{place}"},
            "hovertemplate": "%{x}: %{y:,}<extra>%{fullData.name}</extra>",
        }
        for place, (name, numbers) in enumerate(bars.items())
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"type": "category", "title": {"text": "observing night"}, "nticks": 6},
        "yaxis": {"title": {"text": title}, "rangemode": "tozero", **_whole_ticks(bars)},
        "showlegend": len(bars) > 1,
    }
    return Panel(id, f"{title} by observing night", traces, layout, 300, title=title[0].upper() + title[1:])


def _whole_ticks(bars: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Let the axis of a few things have no fractions of them."""
    highest = max((sum(stack) for stack in zip(*bars.values(), strict=True)), default=0)
    return {"dtick": 1} if highest <= _FEW else {}
