"""Screen of ``apcampaign status``: DAG, steps, runs and their jobs by label.

The value of a column is a field of `apcampaign.monitor.progress.LabelProgress`.
"""

__all__ = ["draw_status"]

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...common.text import count, format_duration
from .console import format_time

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from ...monitor import CampaignStatus
    from ...monitor.progress import LabelProgress
    from ...monitor.status import DagNode, StepStatus
    from .table import Table

#: Colour of a job's state, in the order in which a bar shows them.
_STYLES = {
    "done": "green",
    "running": "cyan",
    "idle": "yellow",
    "held": "magenta",
    "failed": "bold red",
    "pruned": "red",
    "unready": "dim",
}
_NEVER, _INTERRUPTED = "never submitted", "interrupted"
_MARKS = {"done": "✓", "running": "▶", "idle": "…", "held": "‖", "failed": "✗", "pruned": "✂", "unready": "·"}
_BAR = 24  # columns
_AROUND = 6  # lines around a table
# More nodes or runs are counted, and only those shown that are neither done nor to come.
_MOST_NODES = 8
_MOST_RUNS = 4


def draw_status(status: "CampaignStatus", height: int | None = None, *, parts: bool = False) -> "Group":
    """Draw the progress of a campaign.

    Parameters
    ----------
    status
        Its progress.
    height
        Lines of the screen, if it is to fit into one: then labels of which all jobs are done, or none has
        started, are put together.
    parts
        Whether to show the parts of each step instead of the labels of its jobs.
    """
    from rich.console import Group
    from rich.text import Text

    lines = sum(len(step.labels) + _AROUND for step in status.steps)
    fold = height is not None and lines > height - _AROUND

    head = Text.assemble((f"campaign {status.campaign}", "bold"), f"  {format_time(status.time)}")
    drawn: list[Text | Table] = [head]
    if status.dag:
        drawn.append(_draw_dag(status.dag, status.time))
    for step in status.steps:
        table = _draw_parts(step, status.dag) if parts else _draw_labels(step, fold=fold)
        drawn += [Text(), _draw_head(step, status.time, active=status.active, parts=parts), table]
    if status.retired:
        drawn += [Text(), *(Text(record.describe()) for record in status.retired)]
    if status.waiting:
        drawn += [Text(), *(Text(f"waits: {line}", style="yellow") for line in status.waiting)]
    if status.unknown:
        drawn += [Text(), *(Text(f"note: {line}", style="magenta") for line in status.unknown)]
    if status.troubled:
        drawn += [Text(), Text("see what went wrong with `apcampaign failures`", style="bold")]
    return Group(*drawn)


def _draw_dag(nodes: "tuple[DagNode, ...]", now: float) -> "Text":
    from rich.text import Text

    text = Text("campaign DAG: ")
    if len(nodes) > _MOST_NODES:
        counts = Counter(str(node.state) for node in nodes)
        listed = [f"{counts[state]} {state}" for state in _STYLES if counts[state]]
        text.append(f"{', '.join(listed)} of {len(nodes)} nodes")
        nodes = tuple(node for node in nodes if node.state not in ("done", "unready"))[:_MOST_NODES]
        text.append("\n  " if nodes else "")
    for number, node in enumerate(nodes):
        text.append(" → " if number else "")
        text.append(f"{_MARKS[node.state]} {node.name}", style=_STYLES[node.state])
        if node.state in ("running", "idle", "held") and node.since is not None:
            text.append(f" ({node.state} for {format_duration(now - node.since)})")
    return text


def _draw_head(step: "StepStatus", now: float, *, active: bool, parts: bool) -> "Text":
    from rich.text import Text

    names = [run.output_run for run in step.runs]
    which = ", ".join(names) if len(names) == 1 else count(len(names), "run")
    text = Text.assemble((step.step, "bold"), f" {which}: ", (str(step.state), _style(step.state)))
    if step.began is not None:
        text.append(f", {format_duration((step.ended or now) - step.began)}")
    if step.earlier_runs:
        text.append(f", {count(step.earlier_runs, 'earlier run')}")
    if step.to_come:
        text.append(f", {len(step.to_come)} {'to come' if active else 'not begun'}")
    shown = [run for run in step.runs if len(names) <= _MOST_RUNS or run.state != "done"]
    if len(names) > 1 and not parts:
        for run in shown[:_MOST_RUNS]:
            text.append(f"\n  {run.output_run}: ").append(str(run.state), style=_style(run.state))
    if any(run.state == _NEVER for run in step.runs):
        text.append(
            "\n  prepared, but nothing has run it: submit again, or continue with `apcampaign resume`"
        )
    if any(run.state == _INTERRUPTED for run in step.runs):
        text.append("\n  the process that ran it has gone: continue with `apcampaign resume`")
    if step.estimate is not None:
        text.append(f"\n  {step.estimate.describe()}")
    return text


def _style(state: str) -> str:
    return _STYLES.get(state, "red")


def _draw_labels(step: "StepStatus", *, fold: bool) -> "Table":
    from rich.text import Text

    from .table import Table

    totals: Counter[str] = Counter()
    folded: dict[str, Counter[str]] = {}
    rows: list[tuple[str, Mapping[str, int], LabelProgress | None]] = []
    for label in step.labels:
        counts = {str(state): count for state, count in label.counts.items()}
        totals.update(counts)
        if fold and set(counts) <= {"done"}:
            folded.setdefault("(done)", Counter()).update(counts)
        elif fold and set(counts) <= {"unready"}:
            folded.setdefault("(to come)", Counter()).update(counts)
        else:
            rows.append((label.label, counts, label))
    rows += [(name, counts, None) for name, counts in folded.items()]
    shown = [state for state in _STYLES if state == "done" or totals[state]]
    retried = any(label.retried for label in step.labels)
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("job", no_wrap=True)
    table.add_column("", width=_BAR)
    for heading in [*shown, *(["retried"] if retried else []), "each"]:
        table.add_column(heading, justify="right", header_style=_STYLES.get(heading))
    if len(rows) > 1:
        rows.append(("all", totals, None))
    for name, shares, progress in rows:
        cells = [Text(str(shares.get(state) or ""), style=_STYLES[state]) for state in shown]
        if retried:
            cells.append(Text(str(progress.retried or "") if progress else ""))
        cells.append(
            Text(format_duration(progress.seconds) if progress and progress.seconds is not None else "")
        )
        table.add_row(name, _draw_bar(shares), *cells)
    return table


def _draw_parts(step: "StepStatus", nodes: "tuple[DagNode, ...]") -> "Table":
    """Draw the runs of a step, and what those that are to come wait for."""
    from rich.text import Text

    from .table import Table

    counts = {run.name: {str(state): number for state, number in run.jobs.items()} for run in step.runs}
    shown = [state for state in _STYLES if any(of_run.get(state) for of_run in counts.values())]
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("part", no_wrap=True)
    table.add_column("", width=_BAR)
    for heading in shown:
        table.add_column(heading, justify="right", header_style=_STYLES[heading])
    table.add_column("state")
    for run in step.runs:
        of_run = counts[run.name]
        cells = [Text(str(of_run.get(state) or ""), style=_STYLES[state]) for state in shown]
        table.add_row(run.name, _draw_bar(of_run), *cells, Text(str(run.state), style=_style(run.state)))
    states = {node.name: str(node.state) for node in nodes}
    for name in step.to_come:
        prepared = states.get(f"prepare-{name}", "unready")
        said = {"running": "its graph is being built", "failed": "its graph could not be built"}
        text = Text(said.get(prepared, prepared), style=_style(prepared))
        table.add_row(name, "", *("" for _ in shown), text)
    return table


def _draw_bar(counts: Mapping[str, int]) -> "Text":
    """Draw the shares of the states; one that is not empty shows, however small."""
    from rich.text import Text

    text, drawn, so_far = Text(), 0, 0
    total = sum(counts.values())
    for state, style in _STYLES.items():
        if count := counts.get(state, 0):
            so_far += count
            end = max(round(_BAR * so_far / total), drawn + 1)
            width = min(end, _BAR) - drawn
            text.append(("━" if state != "unready" else "─") * width, style=style)
            drawn += width
    return text
