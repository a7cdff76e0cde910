"""The exception that a job's log tells of: the innermost that means something, not what wrapped it."""

__all__ = ["Raised", "find_exception", "find_quantum"]

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import yaml

_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?P<frames>(?:[ \t].*\n|\n(?=[ \t]))*)(?P<what>\S.*)",
    re.MULTILINE,
)
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)')
_CAUSED = "The above exception was the direct cause of the following exception:"
_FAILED = re.compile(
    r"Execution of task '(?P<label>[^']+)' on quantum (?P<data_id>\{.*?\}) failed\. "
    r"Exception (?P<type>[\w.]+): (?P<message>.*)"
)
_QUANTUM = re.compile(
    r"^(?:ERROR|CRITICAL|FATAL)\b[^\n]*? \((?P<label>\w+):(?P<data_id>\{.*?\})\)\(", re.MULTILINE
)
_BEGUN = re.compile(r"Preparing execution of quantum for label=(?P<label>\w+) dataId=(?P<data_id>\{.*?\})\.")
_HARMLESS = ("WARNING", "INFO", "VERBOSE", "DEBUG", "TRACE")
#: Exceptions that say only that something else went wrong.
_WRAPPERS = {
    "BpsSubprocessError",
    "CalledProcessError",
    "MPGraphExecutorError",
    "MPTimeoutError",
    "RepeatableQuantumError",
    "AppException",
    "RemoteException",
    "DependencyError",
    "SystemExit",
}
#: Messages that mean nothing without what was made of them: a bare key, a number, nothing.
_BARE = re.compile(r"^$|^'[^']*'$|^\"[^\"]*\"$|^[\d.()\s,-]+$")
_SHOWN_FRAMES = 2


@dataclass(frozen=True, kw_only=True)
class Raised:
    """An exception.

    Parameters
    ----------
    type
        Its class, without the module.
    message
        The first line of it.
    lines
        The telling lines: where it was raised, and what.
    """

    type: str
    message: str
    lines: tuple[str, ...]

    @property
    def meaningful(self) -> bool:
        """Whether its message says something by itself."""
        return _BARE.match(self.message) is None

    @property
    def wraps(self) -> bool:
        """Whether it only says that something else went wrong."""
        return self.type in _WRAPPERS


def find_exception(text: str) -> Raised | None:
    """Find the exception that ended a job.

    Of exceptions that were raised from one another it is the innermost with a message that means something;
    one that was being handled when another was raised counts less than that one.

    Parameters
    ----------
    text
        The end of what the job said.
    """
    chains: list[list[Raised]] = []
    end_before = 0
    for found in _TRACEBACK.finditer(text):
        between = text[end_before : found.start()]
        end_before = found.end()
        raised = _read(found)
        if raised is None:
            continue
        if chains and _CAUSED in between:
            chains[-1].append(raised)
        elif chains and "During handling of the above exception" in between:
            chains[-1] = [raised]
        elif not _head(between).startswith(_HARMLESS):
            chains.append([raised])
    for chain in chains:
        own = [raised for raised in chain if not raised.wraps]
        if own:
            chosen = next((raised for raised in own if raised.meaningful), own[-1])
            causes = (
                f"from {raised.type}: {raised.message}" for raised in reversed(own[: own.index(chosen)])
            )
            return replace(chosen, lines=(*chosen.lines, *causes))
    if said := _FAILED.search(text):
        name = said["type"].rpartition(".")[2]
        return Raised(type=name, message=said["message"].strip(), lines=(said[0][-300:],))
    return chains[0][0] if chains else None


def find_quantum(text: str) -> tuple[str, Mapping[str, str | int]] | None:
    """Find the task and the data id of the quantum that failed, or was the last to begin."""
    found = _FAILED.search(text) or _QUANTUM.search(text)
    if not found:
        # A job that was killed says at most what it was at.
        begun = list(_BEGUN.finditer(text))
        if not begun:
            return None
        found = begun[-1]
    try:
        data_id = yaml.safe_load(found["data_id"])
    except yaml.YAMLError:
        return found["label"], {}
    return found["label"], data_id if isinstance(data_id, dict) else {}


def _read(found: re.Match[str]) -> Raised | None:
    if not (what := _RAISED.match(found["what"].strip())):
        return None
    frames = list(_FRAME.finditer(found["frames"]))[-_SHOWN_FRAMES:]
    places = [f"{frame['file']}:{frame['line']} in {frame['function']}" for frame in frames]
    return Raised(
        type=what["type"].rpartition(".")[2],
        message=(what["message"] or "").strip(),
        lines=(*places, found["what"].strip()),
    )


def _head(text: str) -> str:
    """Find the line under which a traceback stands."""
    lines = text.rstrip().splitlines()
    return lines[-1] if lines else ""
