"""What becomes of an earlier report that shows more than the one which replaces it."""

__all__ = ["Earlier", "describe_report", "fuller_file", "read_earlier", "what_is_lost"]

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..common.reading import open_binary
from .figure import moment
from .model import ReportData

#: A report says early what it holds: this much of it is enough, bytes.
_HEAD = 65_536
_META = re.compile(r'<meta name="apcampaign-report" content="([^"]*)">')


@dataclass(frozen=True)
class Earlier:
    """What an earlier report says of itself.

    Parameters
    ----------
    runs
        The RUN collections that it is about.
    made
        When it was made, seconds since 1970.
    parts
        The parts that it holds, as `ReportData.parts` names them.
    """

    runs: tuple[str, ...]
    made: float
    parts: frozenset[str]

    @property
    def when(self) -> str:
        """When it was made, in words."""
        return f"{moment(self.made)} UTC"


def describe_report(data: ReportData) -> str:
    """Write what a report says of itself, as `read_earlier` reads it: JSON."""
    return json.dumps({"runs": data.runs, "made": data.made, "parts": sorted(data.parts)})


def read_earlier(file: Path) -> Earlier | None:
    """Read what a report says of itself; `None` if there is none, or one of an earlier version."""
    try:
        with open_binary(file) as stream:
            head = stream.read(_HEAD).decode("utf-8", errors="replace")
        found = _META.search(head)
        if found is None:
            return None
        content = json.loads(html.unescape(found[1]))
        return Earlier(
            tuple(map(str, content["runs"])), float(content["made"]), frozenset(map(str, content["parts"]))
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def fuller_file(file: Path) -> Path:
    """Name the file that keeps the earlier report of a file."""
    return file.with_name(f"{file.stem}.fuller{file.suffix}")


def what_is_lost(earlier: Earlier, data: ReportData) -> tuple[str, ...]:
    """Name what an earlier report shows and a new one does not, although it has not become untrue.

    That is what could not be read this time; and, in a final report of the same runs, whatever else is missing.
    """
    gone = earlier.parts - data.parts
    if data.final and set(earlier.runs) == set(data.runs):
        return tuple(sorted(gone))
    return tuple(sorted(gone & data.unread))
