"""Exceptions in a job's log: the innermost one with a meaningful message, and the quantum that raised it."""

__all__ = ["LoggedException", "find_exception", "find_quantum"]

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
_HANDLED = "During handling of the above exception, another exception occurred:"
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
#: Exceptions that are mistakes of whatever handled another one, which is the cause.
_OF_HANDLERS = {"UnboundLocalError", "NameError"}
#: Messages that say nothing by themselves: a bare key, a number, nothing.
_BARE = re.compile(r"^$|^'[^']*'$|^\"[^\"]*\"$|^[\d.()\s,-]+$")
_SHOWN_FRAMES = 2


@dataclass(frozen=True, kw_only=True)
class LoggedException:
    """An exception in a log.

    Parameters
    ----------
    type
        Its class, without the module.
    message
        The first line of its message.
    lines
        The relevant lines: where it was raised, and what.
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


def find_exception(text: str) -> LoggedException | None:
    """Find the exception that ended a job.

    Of exceptions that were raised from one another it is the innermost with a message that says something. Of two
    of which one was raised while the other was being handled it is the later one, unless that is a mistake of the
    handler, such as an `UnboundLocalError` in its cleaning up.

    Parameters
    ----------
    text
        The end of the job's log.
    """
    chains: list[list[LoggedException]] = []
    end_before = 0
    for traceback in _TRACEBACK.finditer(text):
        between = text[end_before : traceback.start()]
        end_before = traceback.end()
        raised = _read(traceback)
        if raised is None:
            continue
        if chains and _CAUSED in between:
            chains[-1].append(raised)
        elif chains and _HANDLED in between:
            if raised.type not in _OF_HANDLERS:
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
    if found := _FAILED.search(text):
        name = found["type"].rpartition(".")[2]
        return LoggedException(type=name, message=found["message"].strip(), lines=(found[0][-300:],))
    return chains[0][0] if chains else None


def find_quantum(text: str) -> tuple[str, Mapping[str, str | int]] | None:
    """Find the task and the data id of the quantum that failed, or was the last to begin."""
    found = _FAILED.search(text) or _QUANTUM.search(text)
    if not found:
        # The log of a job that was killed says at most which quantum it had begun.
        begun = list(_BEGUN.finditer(text))
        if not begun:
            return None
        found = begun[-1]
    try:
        data_id = yaml.safe_load(found["data_id"])
    except yaml.YAMLError:
        return found["label"], {}
    return found["label"], data_id if isinstance(data_id, dict) else {}


def _read(found: re.Match[str]) -> LoggedException | None:
    if not (what := _RAISED.match(found["what"].strip())):
        return None
    frames = list(_FRAME.finditer(found["frames"]))[-_SHOWN_FRAMES:]
    places = [f"{frame['file']}:{frame['line']} in {frame['function']}" for frame in frames]
    return LoggedException(
        type=what["type"].rpartition(".")[2],
        message=(what["message"] or "").strip(),
        lines=(*places, found["what"].strip()),
    )


def _head(text: str) -> str:
    """Find the line above a traceback."""
    lines = text.rstrip().splitlines()
    return lines[-1] if lines else ""
