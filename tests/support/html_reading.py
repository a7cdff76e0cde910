"""What a notebook shows, read back from HTML."""

__all__ = ["read_html"]

from dataclasses import dataclass
from xml.etree import ElementTree


@dataclass(frozen=True)
class Shown:
    """The tables, row by row with the headings first, and the lines beside them."""

    tables: list[list[list[str]]]
    lines: list[str]


def read_html(html: str) -> Shown:
    """Read tables and lines; text that was not escaped makes it malformed, or adds elements."""
    root = ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314 - our own text
    known = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "br"}
    assert {element.tag for element in root.iter()} <= known
    return Shown(
        tables=[[[_text(cell) for cell in row] for row in table.iter("tr")] for table in root.iter("table")],
        lines=[_text(element) for tag in ("caption", "p") for element in root.iter(tag)],
    )


def _text(element: ElementTree.Element) -> str:
    return "\n".join(element.itertext())
