"""What a notebook or a page shows, read back from HTML."""

__all__ = ["Page", "read_html"]

from dataclasses import dataclass
from html.parser import HTMLParser
from xml.etree import ElementTree

_VOID = {"meta", "link", "input", "br", "hr", "img", "wbr"}


class Page(HTMLParser):
    """A page, taken apart: what an element is, where it is, what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.stack: list[tuple[str, str | None]] = []
        self.unclosed: list[str] = []
        self.feed(text)
        self.close()
        self.unclosed += [tag for tag, _ in self.stack]

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            self.stack.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        open_tag, _ = self.stack.pop()
        if open_tag != tag:
            self.unclosed.append(f"{open_tag} ended by {tag}")

    def handle_data(self, data):
        for name in {name or tag for tag, name in self.stack}:
            self.texts[name] = self.texts.get(name, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.elements if each == tag]

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if attributes.get("id")]


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
