"""What is said of a version agrees, and what is released is whole."""

import importlib.util
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
RELEASED = {
    "version": "0.2.0",
    "cited": "0.2.0",
    "cited_on": "2026-11-26",
    "heading": "## 0.2.0 (2026-11-26)",
}
CLEAN = {"changes": [], "tagged": None, "head": "abc"}


@pytest.fixture
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return listed or pytest.skip("not a clone")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"tagged": "abc"}, None),
        ({"version": "0.2.0.dev0"}, "is no release"),
        ({"cited": "0.1.0"}, "CITATION.cff names version 0.1.0"),
        ({"heading": "## Unreleased"}, "the changelog begins with «## Unreleased»"),
        ({"heading": "## 0.2.0"}, "instead of «## 0.2.0 (YYYY-MM-DD)»"),
        ({"cited_on": None}, "and the changelog on 2026-11-26"),
        ({"changes": ["a.py"]}, "1 files are not committed: a.py"),
        ({"tagged": "def"}, "the tag v0.2.0 is at another commit"),
    ],
)
def test_what_keeps_a_version_from_being_released_is_told(release, changed, said):
    obstacles = release.find_obstacles(release.Facts(**{**RELEASED, **CLEAN, **changed}))
    assert said in "\n".join(obstacles) if said else not obstacles


def test_a_version_is_written_where_it_stands_and_what_comes_next_too(release, tmp_path):
    for name in ("setup.cfg", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    release.ROOT = tmp_path
    changelog = tmp_path / "CHANGELOG.md"
    before = changelog.read_text()
    if "## Unreleased\n" not in before:  # what is checked out is a release
        changelog.write_text(before.replace("\n## ", "\n## Unreleased\n\n- Something.\n\n## ", 1))
    release.set_version("9.8.7", "2031-02-03")
    facts = release.read_facts()
    assert (facts.version, facts.cited, facts.cited_on) == ("9.8.7", "9.8.7", "2031-02-03")
    assert facts.heading == "## 9.8.7 (2031-02-03)"
    assert not [each for each in release.find_obstacles(facts) if "commit" not in each]
    release.set_version("9.9.0.dev0", "2031-02-04")
    facts = release.read_facts()
    assert (facts.version, facts.cited, facts.cited_on) == ("9.9.0.dev0", "9.9.0.dev0", None)
    assert facts.heading == "## Unreleased"
    assert changelog.read_text().endswith(before[-1000:])


def test_the_versions_of_now_agree(release):
    facts = release.read_facts()
    assert facts.cited == facts.version
    released = re.findall(r"^## (\S+) \(\d{4}-\d{2}-\d{2}\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert released[-1] == "0.1.0"
    assert facts.version in released or ".dev" in facts.version


def test_the_source_distribution_takes_all_that_git_has(tracked):
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text().splitlines() if line[:1] not in "#"]
    grafted = {folder for word, *folders in lines if word == "graft" for folder in folders}
    included = [pattern for word, *patterns in lines if word == "include" for pattern in patterns]
    for name in [*tracked, "MANIFEST.in", "setup.cfg", "pyproject.toml"]:
        top, _, rest = name.partition("/")
        usual = name in ("setup.cfg", "pyproject.toml")
        assert usual or (top in grafted if rest else any(fnmatch(name, each) for each in included)), name


def test_what_is_packed_of_others_is_listed_with_its_licence(tracked):
    text = (ROOT / "docs" / "licences.md").read_text()
    found = [name for name in tracked if re.search(r"\.min\.|LICEN[CS]E|COPYING", name)]
    others = [name for name in found if name != "LICENSE"]
    assert "report/assets/plotly-basic.min.js" in others
    assert not [name for name in others if name not in text]
    packaged = re.search(r"^license_files =\n((?: +\S+\n)+)", (ROOT / "setup.cfg").read_text(), re.M)
    assert packaged is not None
    assert set(packaged[1].split()) == {name for name in others if "LICENSE" in name} | {"LICENSE"}


def test_hooks_before_a_commit_run_what_the_environment_has():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        words, makefile = hook["entry"].split(), (ROOT / "Makefile").read_text()
        if words[0] == "make":
            assert f"\n{words[-1]}: " in makefile
        else:
            assert words[0].startswith(".venv/bin/")
            assert re.search(rf"\b{Path(words[0]).name}\b", makefile), hook
