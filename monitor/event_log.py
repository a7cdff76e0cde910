"""HTCondor's event logs: the history of jobs, read as it is appended.

HTCondor's own reader, `htcondor2.JobEventLog`, makes a mapping of every event; that takes 15 s for the log of
100,000 jobs, this a tenth of it.
"""

__all__ = ["EventLog"]

import logging
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..common.reading import open_binary
from .history import History, OpenAttempt
from .jobs import AttemptOutcome, JobState
from .log_clock import LogClock, find_zone

_log = logging.getLogger(__name__)

_END = b"\n...\n"
_HEAD = re.compile(
    rb"(\d{3}) \((\d+)\.\d+\.\d+\) (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?"
)
_BEGINNING = re.compile(rb"\d{3} \(")
_NODE = re.compile(rb'DAGNodeName = "([^"]*)"|DAG Node: (\S+)')
_EXIT = re.compile(rb"Normal termination \(return value (-?\d+)\)|Abnormal termination \(signal (\d+)\)")
_CPU = re.compile(rb"Usr (\d+) (\d\d):(\d\d):(\d\d), Sys (\d+) (\d\d):(\d\d):(\d\d)  -  Run Remote Usage")
_MEMORY = re.compile(rb"Memory \(MB\) +: +(\d+|\d*\.\d+)? +(\d+)")
_USED = re.compile(rb"(\d+)  -  MemoryUsage of job")
_SLOT = re.compile(rb"SlotName: (\S+)")
_HOST = re.compile(rb"host: <?([^>?\s]+)[^\n]*?(?:alias=([^&>]+))?[&>]")
_GRANTED = re.compile(rb"\tMemory = (\d+)")
_HOLD = re.compile(rb"\tCode (\d+) Subcode (\d+)")

#: The event of a job that is not run, since the script before it said so.
_NOT_RUN = b"034"


class EventLog:
    """An event log that is read as it grows.

    Parameters
    ----------
    path
        The file; it may not be there yet.
    warn
        Whether to warn of one that is damaged, as is due for the log of a DAG.
    """

    def __init__(self, path: Path, *, warn: bool = True):
        self.path = path
        self._offset = 0
        self._beginning = b""
        self._clock: LogClock | None = None
        #: Whether it was warned of, or is not to be.
        self.told_damaged = not warn
        #: What happened, by cluster, in the order of submission.
        self.histories: dict[int, History] = {}

    def read(self) -> set[int]:
        """Read what was appended since the last time.

        Returns
        -------
        changed
            The clusters of which there is something new.
        """
        changed: set[int] = set()
        try:
            with open_binary(self.path) as stream:
                beginning = stream.read(len(self._beginning) or 256)
                if self._beginning and beginning != self._beginning:
                    # DAGMan starts a new log when it is resumed.
                    changed |= set(self.histories)
                    self._offset, self.histories, beginning = 0, {}, beginning[:256]
                    self._clock = None
                if len(beginning) == 256:
                    self._beginning = beginning
                stream.seek(self._offset)
                before = os.fstat(stream.fileno()).st_mtime
                text = stream.read()
                written = before if os.fstat(stream.fileno()).st_mtime == before else None
        except FileNotFoundError:
            return changed
        if len(beginning) > 9 and not _BEGINNING.match(beginning) and not self.told_damaged:
            self.told_damaged = True
            _log.warning(
                "%s is damaged: it does not begin with an event of HTCondor, and what became of jobs is not known "
                "from it; `apcampaign doctor --fix` fills it in when its DAG has ended",
                self.path,
            )
        whole = text.rfind(_END)  # what follows is being written
        if whole < 0:
            return changed
        events = text[:whole].split(_END)
        heads = [_HEAD.match(event) for event in events]
        for head, event in zip(heads, events, strict=True):
            if head:
                self._clock = self._clock or _clock_of(heads, written)
                cluster = int(head[2])
                # DAGMan, whose clock may be that of whoever submitted, writes only events whose time is of no use.
                time = self._clock.seconds(head[3] + (head[4] or b"")) if head[1] in _TIMED else 0.0
                self._note(head[1], cluster, time, event)
                changed.add(cluster)
        self._offset += whole + len(_END)
        return changed

    def _note(self, kind: bytes, cluster: int, time: float, event: bytes) -> None:
        if kind == _NOT_RUN:
            return
        history = self.histories.get(cluster)
        if history is None:
            # Only some events name the node; a job whose submission was in a lost part of the log has no name yet.
            if named := _NODE.search(event):
                node = (named[1] or named[2]).decode()
                history = self.histories[cluster] = History(node, cluster)
            else:
                return
        if handler := _HANDLERS.get(kind):
            handler(history, time, event)


def _submitted(history: History, time: float, event: bytes) -> None:
    history.add_attempt(time)


def _executing(history: History, time: float, event: bytes) -> None:
    attempt = history.open_attempt(time)
    attempt.started = time
    if (slot := _SLOT.search(event)) and b"@" in slot[1]:
        attempt.host = slot[1].split(b"@", 1)[1].decode()
    elif where := _HOST.search(event):
        attempt.host = (where[2] or where[1]).decode()
    if granted := _GRANTED.search(event):
        attempt.memory_request = float(granted[1])
    history.state = JobState.RUNNING


def _terminated(history: History, time: float, event: bytes) -> None:
    attempt = _close(history, time, event)
    good = attempt.exit_code == 0
    attempt.outcome = AttemptOutcome.DONE if good else AttemptOutcome.FAILED
    history.state = JobState.DONE if good else JobState.FAILED


def _evicted(history: History, time: float, event: bytes) -> None:
    attempt = _close(history, time, event)
    if b"terminated and was requeued" in event:
        attempt.outcome = AttemptOutcome.REQUEUED
    else:
        attempt.outcome, attempt.reason = AttemptOutcome.EVICTED, _reason(event)
    _released(history, time, event)


def _lost(history: History, time: float, event: bytes) -> None:
    attempt = _close(history, time, event)
    attempt.outcome, attempt.reason = AttemptOutcome.EVICTED, _reason(event)
    _released(history, time, event)


def _held(history: History, time: float, event: bytes) -> None:
    history.drop_eviction(time)
    attempt = _close(history, time, event)
    attempt.outcome, attempt.reason = AttemptOutcome.HELD, _reason(event)
    if codes := _HOLD.search(event):
        attempt.hold_code, attempt.hold_subcode = int(codes[1]), int(codes[2])
    history.state = JobState.HELD


def _released(history: History, time: float, event: bytes) -> None:
    history.open_attempt(time)
    history.state = JobState.IDLE


def _aborted(history: History, time: float, event: bytes) -> None:
    if history.state is not JobState.HELD:
        history.drop_eviction(time)
        attempt = _close(history, time, event)
        attempt.outcome, attempt.reason = AttemptOutcome.REMOVED, _reason(event)
    history.state = JobState.FAILED


def _post_script(history: History, time: float, event: bytes) -> None:
    # A script that fails is no failure of the job: that of BPS's last job repeats how the DAG ended.
    history.accepted = bool((found := _EXIT.search(event)) and found[1] == b"0")


def _image_size(history: History, time: float, event: bytes) -> None:
    if used := _USED.search(event):
        attempt = history.open_attempt(time)
        attempt.memory = max(attempt.memory or 0.0, float(used[1]))


_HANDLERS = {
    b"000": _submitted,
    b"001": _executing,
    b"004": _evicted,
    b"005": _terminated,
    b"006": _image_size,
    b"007": _lost,  # the shadow had an exception
    b"009": _aborted,
    b"012": _held,
    b"013": _released,
    b"016": _post_script,
    b"024": _lost,  # could not be reconnected
}


_TIMED = frozenset(_HANDLERS) - {b"016"}


def _clock_of(heads: Sequence[re.Match[bytes] | None], written: float | None) -> LogClock:
    """Find out how the clock of a log goes, by the last event of it."""
    last = next(head for head in reversed(heads) if head)
    return LogClock(find_zone(datetime.fromisoformat(last[3].decode()), written))


def _close(history: History, time: float, event: bytes) -> OpenAttempt:
    """Note what all ends of an attempt have in common."""
    attempt = history.open_attempt(time)
    attempt.ended = time
    if found := _EXIT.search(event):
        if found[1]:
            attempt.exit_code = int(found[1])
        else:
            attempt.signal = int(found[2])
    if memory := _MEMORY.search(event):
        if memory[1]:
            attempt.memory = max(float(memory[1]), attempt.memory or 0.0)
        attempt.memory_request = float(memory[2])
    if cpu := _CPU.search(event):
        attempt.cpu_seconds = _seconds(cpu)
    return attempt


def _seconds(cpu: re.Match[bytes]) -> float:
    days, hours, minutes, seconds = (int(cpu[i]) + int(cpu[i + 4]) for i in range(1, 5))
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _reason(event: bytes) -> str | None:
    """Find HTCondor's explanation, which is in the first line after the head that is no code."""
    lines = (line.strip() for line in event.decode(errors="replace").splitlines()[1:])
    return next((line for line in lines if line and not line.startswith(("Code ", "("))), None)
