"""Campaign files that are given to the linter, which is for BPS submit files: they are read as what they are."""

__all__ = ["holds_campaign", "is_campaign_file", "lint_campaign_file"]

import re
from pathlib import Path

from ...common.errors import SettingsError
from ..loading import load_campaign
from .findings import Finding, Severity
from .submit_file import NEEDED
from .tree import Section, read_tree

#: Keys that only a campaign file has at its top.
_OURS = ("butler", "tracts", "templates", "diffim", "apdb", "steps", "outCollection", "dayObs", "skymap")


def is_campaign_file(path: Path) -> bool:
    """Tell whether a file is a campaign file rather than one for BPS."""
    return holds_campaign(read_tree(path)[0])


def holds_campaign(root: Section) -> bool:
    """Tell whether the content of a file is that of a campaign file."""
    ours = [key for key in _OURS if key in root]
    return (
        ("name" in root or "butler" in root)
        and bool(ours)
        and not any(key in root for key in (*NEEDED, "payload") if key != "inCollection")
    )


def lint_campaign_file(path: Path) -> list[Finding]:
    """Find the mistakes that a campaign file alone shows; nothing overrides it."""
    try:
        load_campaign(path, environment={})
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
