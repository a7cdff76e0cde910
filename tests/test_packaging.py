"""The tree and its packaging say the same."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {"tests", "build", "dist"}


def listed() -> set[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return set(parser["options"]["packages"].split())


def on_disk() -> set[str]:
    return {
        ".".join(["apcampaign", *path.parent.relative_to(ROOT).parts])
        for path in ROOT.glob("*/**/__init__.py")
        if not path.relative_to(ROOT).parts[0].startswith(".")
        and path.relative_to(ROOT).parts[0] not in NOT_OURS
    }


def test_every_package_on_disk_is_packaged_and_no_other():
    assert listed() == on_disk()


def test_every_room_is_typed():
    assert all((ROOT / name.split(".")[1] / "py.typed").exists() for name in listed())


def test_every_data_file_of_a_room_is_packaged():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    patterns = [pattern.strip() for pattern in parser["options.package_data"]["*"].split(",")]
    packages = [ROOT.joinpath(*name.split(".")[1:]) for name in listed()]
    files = {file for package in packages for file in (*package.rglob("*.yaml"), *package.glob("assets/*"))}
    shipped = {file for package in packages for pattern in patterns for file in package.glob(pattern)}
    assert files
    assert files <= shipped


def test_rooms_import_only_downwards():
    """The design's one direction: scripts, submit, then bps and apdb, then pipelines, then common."""
    may_know = {
        "common": set(),
        "pipelines": {"common"},
        "bps": {"common", "pipelines"},
        "apdb": {"common"},
        "submit": {"common", "pipelines", "bps", "apdb"},
        "sandbox": {"common"},
    }
    for room, others in may_know.items():
        for path in (ROOT / room).rglob("*.py"):
            depth = len(path.relative_to(ROOT).parts)
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["from"], ["import"]):
                    dots = len(words[1]) - len(words[1].lstrip("."))
                    target = words[1].lstrip(".").split(".")
                    if words[1].startswith("apcampaign."):
                        target = target[1:]
                    elif dots != depth or not target[0]:
                        continue
                    assert target[0] in {room, *others}, f"{path}: {line}"
