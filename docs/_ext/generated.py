"""Parts of the site that are made from the code: keys of the campaign file, and the sites that come along."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apcampaign.bps import campaign_schema
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SITES = Path(__file__).resolve().parents[2] / "bps" / "sites"
_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
}


def write_keys(schema: dict[str, Any]) -> str:
    """Write a table of the keys of each section of the campaign file, in Markdown."""
    definitions = schema["definitions"]
    sections = {"": schema} | {
        key: definitions[found[1]]
        for key, entry in schema["properties"].items()
        if (found := re.search(r"definitions/(\w+Settings)", str(entry)))
    }
    sections["notify: email"] = definitions["EmailSettings"]
    lines: list[str] = []
    for name, section in sections.items():
        lines += ["", f"## `{name}`" if name else "## The file", "", section["description"], ""]
        lines += ["| key | value | default | means |", "|---|---|---|---|"]
        required = section.get("required", ())
        for key, entry in section["properties"].items():
            value, default = _name_value(entry, definitions), _name_default(key, entry, required)
            description = entry.get("description", "").replace("|", r"\|")
            lines.append(f"| `{key}` | {value} | {default} | {description} |")
    return "\n".join(lines)


def _name_value(entry: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Name what a value may be."""
    single, listed = dict.fromkeys(_name_types(entry, definitions)), {}
    for option in [entry, *entry.get("anyOf", ())]:
        if option.get("type") == "array":
            listed |= dict.fromkeys(_name_types(option["items"], definitions))
    if not listed:
        return " or ".join(single)
    return f"{' or '.join(listed)}, or a list of such" if single else f"list of {' or '.join(listed)}"


def _name_types(entry: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """Name the types of a value that is no list."""
    if "$ref" in entry:
        target = definitions[entry["$ref"].rpartition("/")[2]]
        yield from _name_types(target, definitions) if "enum" in target else ["section"]
    elif "enum" in entry:
        yield ", ".join(f"`{value}`" for value in entry["enum"])
    elif "const" in entry:
        yield f"`{entry['const']}`"
    elif "anyOf" in entry:
        for option in entry["anyOf"]:
            yield from _name_types(option, definitions)
    else:
        kinds = entry.get("type", ())
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind in _NAMES:
                yield _NAMES[kind]


def _name_default(key: str, entry: dict[str, Any], required: Any) -> str:
    if key in required:
        return "required"
    options = [entry, *entry.get("anyOf", ())]
    default = next((option["default"] for option in options if "default" in option), None)
    if isinstance(default, list):
        default = ", ".join(map(str, default))
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def write_sites(folder: Path) -> str:
    """Write each site file with its name, in Markdown."""
    blocks = (
        f"### `{file.stem}`\n\n```yaml\n{file.read_text(encoding='utf-8')}```\n"
        for file in sorted(folder.glob("*.yaml"))
    )
    return "\n".join(blocks)


class CampaignKeys(SphinxDirective):
    """The keys of the campaign file, from the schema that editors use."""

    def run(self) -> list[nodes.Node]:
        """Make the tables."""
        return self.parse_text_to_nodes(write_keys(campaign_schema()), allow_section_headings=True)


class SiteFiles(SphinxDirective):
    """The site files that come along, as they are."""

    def run(self) -> list[nodes.Node]:
        """Show them, and read the page again when one changes."""
        for file in SITES.glob("*.yaml"):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes(write_sites(SITES), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Give the directives to Sphinx."""
    app.add_directive("campaign-keys", CampaignKeys)
    app.add_directive("site-files", SiteFiles)
    return {"parallel_read_safe": True}
