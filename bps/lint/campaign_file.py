"""Campaign files that are given to the linter, which is for BPS submit files: they are read as what they are."""

__all__ = ["is_campaign_file", "lint_campaign_file"]

import re
from pathlib import Path

from ...common.errors import SettingsError
from ..loading import load_campaign
from .findings import Finding, Severity
from .submit_file import NEEDED
from .tree import Section

#: Keys that only a campaign file has at its top.
_OURS = ("butler", "tracts", "templates", "diffim", "apdb", "steps", "outCollection", "dayObs", "skymap")


def is_campaign_file(root: Section) -> bool:
    """Tell whether a file is a campaign file rather than one for BPS."""
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
        return [_finding(path, sentence) for sentence in str(error).splitlines()]
    return [
        Finding(
            severity=Severity.INFO,
            rule="campaign",
            what="this is a campaign file, not one for BPS, and it can be read",
            why="what it runs, and with which data, is not looked at here",
            remedy=f"check the whole campaign: `apcampaign check --campaign {path}`",
            file=str(path),
        )
    ]


def _finding(path: Path, sentence: str) -> Finding:
    found = re.match(rf"{re.escape(str(path))}:(\d+): ", sentence)
    what = sentence[found.end() :] if found else sentence.removeprefix(f"{path}: ")
    return Finding(
        severity=Severity.ERROR,
        rule="campaign",
        what=what,
        why="every command refuses this campaign file",
        remedy="correct it; docs/campaign.md explains every key",
        file=str(path),
        line=int(found[1]) if found else None,
    )
