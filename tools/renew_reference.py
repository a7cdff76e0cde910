"""Write the parts of the documents that are made from the code, and the schema of campaign files.

    renew_reference.py [--check]

Such a part stands between two comments, ``<!-- from the code: NAME -->`` and ``<!-- end -->``: the keys of the
campaign file, the files of a run, the exit codes. With ``--check`` nothing is written; exits with 1 if
something would be.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from apcampaign.bps import SCHEMA_FILE, campaign_schema, schema_text
from apcampaign.ledger import CampaignPaths, DagPaths, RunPaths
from apcampaign.scripts.exits import ExitCode

ROOT = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(?<=<!-- from the code: )([a-z ]+) -->\n.*?(?=<!-- end -->)", flags=re.DOTALL)
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
}


def write_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (heads, *rows)]
    return "\n".join([lines[0], re.sub("[^|]+", "---", lines[0]), *lines[1:]])


def write_exit_codes() -> str:
    """Write a table of the exit codes."""
    return write_table(("code", "means"), ([f"{code:d}", code.meaning] for code in ExitCode))


def list_files(owner: CampaignPaths | RunPaths | DagPaths) -> Iterator[tuple[str, str]]:
    """List the files of a campaign, a run or a campaign DAG, as below its folder, each with its description."""
    for name, member in vars(type(owner)).items():
        if name.startswith("_") or name == "folder":
            continue
        getter = member.fget if isinstance(member, property) else member
        if not inspect.isfunction(getter):
            continue
        types = get_type_hints(getter)
        if types.pop("return", None) is Path and all(each is str for each in types.values()):
            file = getter(owner, *(f"<{argument}>" for argument in types))
            yield str(file.relative_to(owner.folder)), inspect.getdoc(getter) or ""


def write_files(owner: CampaignPaths | RunPaths | DagPaths) -> str:
    """Write a table of such files."""
    rows = ([f"`{file}`", text.rstrip(".")] for file, text in list_files(owner))
    return write_table(("file", "holds"), rows)


def write_keys(*sections: str, without: str = "") -> str:
    """Write a table of the keys of a section of the campaign file.

    Parameters
    ----------
    sections
        The definitions of the schema that have these keys, maybe with different defaults.
    without
        A definition whose keys are left out.
    """
    schema = campaign_schema()
    definitions = schema["definitions"] | {"": schema}
    told = {"pipelineYaml"} | (definitions[without]["properties"].keys() if without else set())
    rows = []
    for key, entry in definitions[sections[0]]["properties"].items():
        if key in told:
            continue
        described = entry["description"].replace("|", r"\|").rstrip(".")
        required = [key in definitions[name].get("required", ()) for name in sections]
        defaults = dict.fromkeys(_name_default(definitions[name]["properties"][key]) for name in sections)
        default = "required" if any(required) else ", ".join(filter(None, defaults))
        rows.append([f"`{key}`", _name_value(entry, definitions), default, described])
    return write_table(("key", "value", "default", "means"), rows)


def _name_value(entry: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Name what a value may be."""
    single = dict.fromkeys(_name_types(entry, definitions))
    listed: dict[str, None] = {}
    for option in [entry, *entry.get("anyOf", ())]:
        if option.get("type") == "array":
            listed |= dict.fromkeys(_name_types(option["items"], definitions))
    if not listed:
        return " or ".join(single)
    return f"{' or '.join(listed)}, or a list of such" if single else f"list of {' or '.join(listed)}"


def _name_types(entry: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
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
        yield from (_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind in _TYPES)


def _name_default(entry: Mapping[str, Any]) -> str:
    options = [entry, *entry.get("anyOf", ())]
    default = next((option["default"] for option in options if "default" in option), None)
    if isinstance(default, list):
        default = ", ".join(map(str, default))
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


PARTS: Mapping[str, Callable[[], str]] = {
    "exit codes": write_exit_codes,
    "files of a campaign": lambda: write_files(CampaignPaths(Path("/"), "")),
    "files of a run": lambda: write_files(RunPaths(Path("/"))),
    "files of a dag": lambda: write_files(DagPaths(Path("/"))),
    "keys of the campaign": lambda: write_keys(""),
    "keys of a step": lambda: write_keys("StepSettings", "DiffimSettings"),
    "keys of difference imaging": lambda: write_keys("DiffimSettings", without="StepSettings"),
    "keys of injection": lambda: write_keys("InjectionSettings"),
    "keys of the database": lambda: write_keys("ApdbSettings"),
    "keys of notifications": lambda: write_keys("NotifySettings"),
    "keys of mail": lambda: write_keys("EmailSettings"),
}


def renew(text: str) -> str:
    """Write the parts of a document anew."""
    return _PART.sub(lambda found: f"{found[1]} -->\n{PARTS[found[1]]()}\n", text)


def main() -> int:
    """Renew all of them, or tell which are not as the code is."""
    wanted = {path: renew(path.read_text()) for path in sorted((ROOT / "docs").glob("*.md"))}
    wanted[SCHEMA_FILE] = schema_text()
    old = [path for path, text in wanted.items() if path.read_text() != text]
    for path in old:
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted[path])
        print(f"{'old' if '--check' in sys.argv[1:] else 'renewed'}: {path.relative_to(ROOT)}")
    return int(bool(old) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
