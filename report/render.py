"""Rendering of the page: one HTML file with its data, styles and scripts, which opens without a network."""

__all__ = ["draw_figures", "make_page", "render_report"]

import base64
import functools
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ..bps import Step
from ..common.text import printable
from ..monitor.outcomes import Spread
from .figure import Figure, Panel, moment, number
from .figure_cutouts import list_cutouts
from .figures_jobs import draw_core_hours, draw_memory, draw_run_times
from .figures_nights import draw_nights
from .figures_quality import draw_focal_plane, draw_quality, draw_significance
from .figures_sky import draw_density, draw_sky
from .figures_timeline import draw_timeline
from .figures_visits import draw_light_curves, draw_visits
from .headline import campaign_state, headline, step_rows
from .job_usage import LabelUsage, measure_usage, suggest_settings
from .model import ReportData
from .supersede import describe_report

_LIBRARY = "plotly-basic.min.js"
#: Ids and titles of the report's sections, before and after those of the appendix.
_SECTIONS = (
    ("steps", "Steps"),
    ("timeline", "Timeline"),
    ("resources", "Resources"),
    ("sky", "Sky"),
    ("density", "Density"),
    ("visits", "Visits"),
    ("nights", "Nights"),
    ("quality", "Quality"),
    ("focal-plane", "Focal plane"),
    ("significance", "S/N"),
    ("cutouts", "Cutouts"),
    ("light-curves", "Light curves"),
)
_LAST_SECTIONS = (("failures", "Failures"), ("verification", "Verification"), ("provenance", "Provenance"))


def draw_figures(data: ReportData) -> dict[str, Figure]:
    """Draw all figures of a report, by their ids."""
    usage = _usage(data)
    figures = (
        draw_timeline(data),
        draw_core_hours(usage),
        draw_run_times(usage, data.steps),
        draw_memory(usage),
        draw_sky(data),
        draw_density(data.catalog),
        draw_visits(data.visits),
        draw_nights(data.visits),
        draw_quality(data),
        draw_focal_plane(data),
        draw_significance(data.catalog),
        list_cutouts(data),
        draw_light_curves(data.catalog),
        *data.appendix,
    )
    return {figure.id: figure for figure in figures}


def render_report(data: ReportData, *, refresh: int | None = None) -> str:
    """Write the page of a report.

    Parameters
    ----------
    data
        Its content.
    refresh
        Seconds after which the page reloads itself; `None`, and always when the data is final, for never.

    Returns
    -------
    html
        A whole document, in UTF-8 when it is written as such.
    """
    figures = draw_figures(data)
    state, tone = campaign_state(data)
    appendix = [(figure.id, figure.title) for figure in data.appendix]
    several = len(figures["nights"].table.rows) > 1
    sections = [section for section in _SECTIONS if several or section[0] != "nights"]
    return make_page(
        "page.html.j2",
        figures,
        kind="report",
        heading=data.campaign,
        made=data.made,
        final=data.final,
        state=state,
        tone=tone,
        sections=[*sections, *appendix, *_LAST_SECTIONS],
        refresh=None if data.final else refresh,
        data=data,
        tiles=headline(data),
        steps=[(step, step_rows(data, step)) for step in data.steps],
        suggestion=_suggestion(data),
        description=describe_report(data),
    )


def make_page(template: str, figures: Mapping[str, Figure], **values: Any) -> str:
    """Write a page with figures.

    Parameters
    ----------
    template
        Its template, which extends ``base.html.j2``.
    figures
        Its figures, by their ids.
    values
        What its template shows, and what all pages show: ``kind`` of the page, ``heading``, ``state`` and its
        ``tone``, ``made`` (seconds since 1970), ``final``, ``sections`` (ids and titles), ``refresh``.

    Returns
    -------
    html
        A whole document, in UTF-8 when it is written as such.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_assets()),
        autoescape=True,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": number,
        "moment": moment,
        "plain": _plain,
        "breakable": _breakable,
        "code": _code,
        "picture": _picture,
    }
    return environment.get_template(template).render(
        **values,
        figures=figures,
        drawings=_as_script_data(
            {panel.id: _drawing(figure, panel) for figure in figures.values() for panel in figure.panels}
        ),
        style=_read("page.css"),
        script=_read("page.js"),
        # Only these two may run, whatever else may get into the page.
        script_hashes=[_hash("page.js"), _hash(_LIBRARY)],
        library=_packed(_LIBRARY),
    )


def _usage(data: ReportData) -> list[LabelUsage]:
    steps = {step.step: step for step in data.steps}

    def task_memory(step: Step, label: str) -> Spread | None:
        return steps[step].task_memory(label) if step in steps else None

    return measure_usage(data.jobs, data.made, task_memory)


def _drawing(figure: Figure, panel: Panel) -> dict[str, Any]:
    drawing = {"data": panel.traces, "layout": panel.layout, "height": panel.height, "figure": figure.id}
    return {**drawing, "heights": panel.heights} if panel.heights else drawing


def _suggestion(data: ReportData) -> str:
    settings = suggest_settings(_usage(data), {step.step: step.clusters for step in data.steps})
    return yaml.safe_dump(settings, sort_keys=False) if settings else ""


def _as_script_data(content: Mapping[str, Any]) -> str:
    """Write JSON that no text in it can end, nor turn around what is read."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    shown = re.sub(r"[^ -~]", lambda char: printable(char[0]).replace("\\", "\\\\"), text)
    return shown.replace("<", "\\u003c")


def _plain(value: Any, shown: str) -> str | None:
    """Return the value that a table is sorted by and downloaded with, where it is not what is shown."""
    if value is None:
        return ""
    plain = f"{value:.10g}" if isinstance(value, float) else str(value)
    return None if plain == shown else plain


def _picture(png: bytes) -> str:
    """Write a picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _breakable(name: str) -> Any:
    """Allow a line break between the words of a name."""
    import markupsafe

    return markupsafe.Markup("<wbr>").join(re.findall(r"[A-Z]?[^A-Z]+|[A-Z]+", printable(name)))


def _printable(value: Any) -> Any:
    """Show what would command a terminal, or turn the order of what is read around, as escapes."""
    return printable(value) if type(value) is str else value


def _code(text: str) -> Any:
    """Show what stands between backticks as code."""
    import markupsafe

    return markupsafe.Markup("").join(
        markupsafe.Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(printable(text).split("`"))
    )


@functools.cache
def _hash(name: str) -> str:
    """Hash a script as a content security policy names it."""
    return base64.b64encode(hashlib.sha256((_assets() / name).read_bytes()).digest()).decode("ascii")


def _assets() -> Path:
    return Path(str(resources.files(__package__))) / "assets"


def _read(name: str) -> str:
    return (_assets() / name).read_text(encoding="utf-8")


@functools.cache
def _packed(name: str) -> str:
    """Pack a file as the page unpacks it: gzip in base64, less than half of its size."""
    return base64.b64encode(gzip.compress((_assets() / name).read_bytes(), 9, mtime=0)).decode("ascii")
