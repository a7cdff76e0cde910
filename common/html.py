"""Values as HTML for notebooks: plain tables and paragraphs, to which Jupyter gives its own style."""

__all__ = ["html_lines", "html_table"]

from collections.abc import Iterable, Sequence
from html import escape

from .text import printable


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Write a table; everything in it is text, and none of it HTML.

    Parameters
    ----------
    columns
        The headings.
    rows
        The cells of each row; `None` is an empty cell.
    caption
        What stands above it.

    Returns
    -------
    html
        The table; empty if it has no rows.
    """
    body = [_row("td", ("" if cell is None else str(cell) for cell in row)) for row in rows]
    if not body:
        return ""
    title = f"<caption>{_text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{_row('th', columns)}</thead><tbody>{''.join(body)}</tbody></table>"


def html_lines(lines: Iterable[str]) -> str:
    """Write lines of text as paragraphs."""
    return "".join(f"<p>{_text(line)}</p>" for line in lines)


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text)).replace("\n", "<br/>")
