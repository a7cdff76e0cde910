"""Campaign files that are given to the linter, which is for BPS submit files: they are read as what they are."""

__all__ = ["holds_campaign", "is_campaign_file", "lint_campaign_file", "load_alone", "read_keys"]

import re
from collections.abc import Collection
from pathlib import Path

from ...common.errors import SettingsError
from ..campaign import CampaignConfig
from ..loading import load_campaign
from .findings import Finding, Severity
from .submit_file import NEEDED
from .tree import read_tree

#: Keys that only a campaign file has at its top.
_OURS = ("butler", "tracts", "templates", "diffim", "apdb", "steps", "outCollection", "dayObs", "skymap")
_ANY_NIGHT = "20260905"


def is_campaign_file(path: Path) -> bool:
    """Tell whether a file is a campaign file rather than one for BPS."""
    return holds_campaign(read_tree(path)[0].items or read_keys(path))


def holds_campaign(keys: Collection[str]) -> bool:
    """Tell whether the keys of a file are those of a campaign file."""
    ours = [key for key in _OURS if key in keys]
    return (
        ("name" in keys or "butler" in keys)
        and bool(ours)
        and not any(key in keys for key in (*NEEDED, "payload") if key != "inCollection")
    )


def read_keys(path: Path) -> list[str]:
    """Find the keys at the top of a file that is not YAML as a whole."""
    try:
        return re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return []


def load_alone(path: Path) -> CampaignConfig:
    """Read a campaign file that nothing overrides; the night that it may leave to whoever submits is any one.

    Raises
    ------
    SettingsError
        If it cannot be read.
    """
    root = read_tree(path)[0]
    leaves_night = root.items and "dayObs" not in root and "{day_obs}" in path.read_text(encoding="utf-8")
    return load_campaign(path, environment={"APCAMPAIGN_DAY_OBS": _ANY_NIGHT} if leaves_night else {})


def lint_campaign_file(path: Path) -> list[Finding]:
    """Find the mistakes that a campaign file alone shows; nothing overrides it."""
    try:
        load_alone(path)
    except SettingsError as error:
        return [_finding(path, sentence, error) for sentence in error.what.splitlines()]
    return [
        Finding(
            severity=Severity.INFO,
            rule="campaign",
            what="this is a campaign file, not one for BPS",
            why="the data that it names, its APDB and the machines are not looked at here",
            remedy=f"check the whole campaign: `apcampaign check --campaign {path}`",
            file=str(path),
        )
    ]


def _finding(path: Path, sentence: str, error: SettingsError) -> Finding:
    found = re.match(rf"{re.escape(str(path))}:(\d+): ", sentence)
    what = sentence[found.end() :] if found else sentence.removeprefix(f"{path}: ")
    remedy = error.remedy
    if not remedy:  # a mistake of many, which ends in it
        what, _, remedy = what.partition("; ")
        remedy = remedy.replace("expected", "write", 1) if remedy.startswith("expected") else remedy
    return Finding(
        severity=Severity.ERROR,
        rule="campaign",
        what=f"{what}; expected {error.expected}" if error.expected else what,
        why="every command refuses this campaign file",
        remedy=remedy or "correct it; `apcampaign schema` describes every key",
        file=str(path),
        line=int(found[1]) if found else None,
    )
