"""The tree and its packaging say the same."""

import ast
import configparser
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {"tests", "build", "dist"}


def listed() -> set[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return set(parser["options"]["packages"].split())


def folder_of(name: str) -> Path:
    """Find the folder of a package: ``apcampaign.X.Y`` is ``X/Y``, and apcampaign itself ``src/apcampaign``."""
    parts = name.split(".")[1:]
    return ROOT.joinpath(*parts) if parts else ROOT / "src" / "apcampaign"


def on_disk() -> set[str]:
    found = {path.parent.relative_to(ROOT).parts for path in ROOT.glob("*/**/__init__.py")}
    return {
        "apcampaign" if parts[0] == "src" else ".".join(["apcampaign", *parts])
        for parts in found
        if not parts[0].startswith(".") and parts[0] not in NOT_OURS
    }


def test_every_package_on_disk_is_packaged_and_no_other():
    assert listed() == on_disk()


def test_every_package_is_typed():
    tops = {".".join(name.split(".")[:2]) for name in listed()}
    assert all((folder_of(name) / "py.typed").exists() for name in tops)


def test_every_data_file_of_a_package_is_packaged():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    patterns = [pattern.strip() for pattern in parser["options.package_data"]["*"].split(",")]
    packages = [folder_of(name) for name in listed()]
    files = {file for package in packages for file in (*package.rglob("*.yaml"), *package.glob("assets/*"))}
    shipped = {file for package in packages for pattern in patterns for file in package.glob(pattern)}
    assert files
    assert files <= shipped


#: The packages that a package may import. Whoever needs another direction changes the design, not this table.
MAY_IMPORT = {
    "common": set(),
    "pipelines": {"common"},
    "bps": {"common", "pipelines"},
    "apdb": {"common"},
    "ledger": {"common", "bps"},
    "ordering": {"common", "bps", "apdb", "ledger"},
    "monitor": {"common", "bps", "apdb", "ledger", "ordering"},
    "report": {"common", "bps", "apdb", "ledger", "ordering", "monitor"},
    "submit": {"common", "pipelines", "bps", "apdb", "ledger", "ordering", "monitor", "report"},
    "lifecycle": {
        "common",
        "pipelines",
        "bps",
        "apdb",
        "ledger",
        "ordering",
        "monitor",
        "report",
        "submit",
    },
    "doctor": {
        "common",
        "pipelines",
        "bps",
        "apdb",
        "ledger",
        "ordering",
        "monitor",
        "submit",
    },
    "sandbox": {"common"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "src":
        parts = parts[2:]
    return ".".join(("apcampaign", *parts)).removesuffix(".__init__")


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Name the modules of this project that a file imports, inside functions too."""
    return frozenset(_read_imports(path))


def _read_imports(path: Path) -> Iterator[str]:
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("apcampaign"))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            if target.startswith("apcampaign"):
                for alias in node.names:
                    inner = f"{target}.{alias.name}"
                    yield inner if inner in MODULES else target


FILES = sorted(path for name in listed() for path in folder_of(name).glob("*.py"))
MODULES = {module_name(path) for path in FILES}


def test_packages_import_in_one_direction():
    for path in FILES:
        package = path.relative_to(ROOT).parts[0]
        if package in MAY_IMPORT:
            for target in imports_of(path):
                other = target.partition(".")[2].partition(".")[0]
                assert other in {package, *MAY_IMPORT[package]}, f"{path}: {target}"


def import_graph(level: int) -> networkx.DiGraph:
    """Draw who imports whom, packages of ``level`` taken as one: 1 is the top-level folders."""
    graph = networkx.DiGraph()
    for path in FILES:
        for target in imports_of(path):
            ends = [".".join(name.split(".")[1 : level + 1]) for name in (module_name(path), target)]
            # A package's face hands on names of its modules, which may use those of other packages.
            if not (
                ends[0] == ends[1] or ends[0].startswith(f"{ends[1]}.") or ends[1].startswith(f"{ends[0]}.")
            ):
                graph.add_edge(*ends)
    return graph


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_nothing_imports_each_other_in_a_circle(level: int):
    circles = [
        sorted(each) for each in networkx.strongly_connected_components(import_graph(level)) if len(each) > 1
    ]
    assert not circles


def test_submission_has_few_packages_on_few_floors():
    everything = import_graph(2)
    rooms = networkx.DiGraph(everything.subgraph(name for name in everything if name.startswith("submit.")))
    assert len(rooms) <= 13
    assert networkx.dag_longest_path_length(rooms) + 1 <= 6
