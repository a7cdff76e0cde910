"""Causes of failures: memory, wall time, signals, exceptions, …, from HTCondor's codes and the job's log."""

__all__ = ["Cause", "FailureKind", "find_cause", "shorten_reason"]

import re
import signal as signals
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...common.text import format_duration
from ..jobs import Attempt, AttemptOutcome, Job
from .tracebacks import find_exception, find_quantum


class FailureKind(StrEnum):
    """Kinds of causes, which differ in their remedies."""

    EXCEPTION = "exception"
    MISSING_INPUT = "missing input"
    ALREADY_WRITTEN = "in the APDB already"
    OUT_OF_MEMORY = "out of memory"
    WALLTIME = "walltime"
    MISSING_EXECUTABLE = "missing executable"
    SIGNAL = "killed by a signal"
    REMOVED = "removed"
    HELD = "held"
    EVICTED = "interrupted"
    EXIT = "exit code"
    SUBMISSION = "not submitted"


# HTCondor's HoldReasonCode.
_POLICY, _NOT_EXECUTED, _OUT_OF_RESOURCES = 3, 6, 34
_DURATIONS = {46, 47}
_BPS_SIGNAL = 34  # the subcode with which BPS holds what a signal ended
_ENOENT, _EACCES = 2, 13
_SIGNAL = re.compile(r"raised a signal (\d+)|[Ee]xit code \((\d+)\)")
_TIME = re.compile(
    r"wall ?time|max\w* ?run ?time|(?:job|execute) duration|too long"
    r"|CurrentTime|\btime\(\)|JobCurrentStartDate|EnteredCurrentStatus",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"^FileNotFoundError$|DatasetNotFound|MissingDataset|^NoSuchKey$|^InputsNotFound|^NotFound(Error)?$"
)
_MISSING_MESSAGE = re.compile(
    r"not found in|does not exist|no such file|could not be found|missing input", re.I
)
#: What ap_association says of an image that an attempt before has written to the APDB.
_WRITTEN = re.compile(
    r"re-running data with an already populated apdb|image cannot be retried", re.IGNORECASE
)
_NO_MEMORY = re.compile(r"std::bad_alloc|Cannot allocate memory|Out of memory|MemoryError")
_NO_COMMAND = re.compile(
    r".*(?:command not found|No such file or directory|Permission denied)$", re.MULTILINE
)
_CRASH = re.compile(r"^Fatal Python error: .*|^.*Segmentation fault.*|^terminate called.*", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR|CRITICAL|FATAL|apcampaign:)\s.*", re.MULTILINE)
_NEARLY = 0.9  # of the memory that was requested


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why an attempt failed.

    Parameters
    ----------
    kind
        What kind of cause it is.
    message
        The cause in a line.
    task, data_id
        The task and the data id of the quantum that failed, where the log tells.
    exit_code, signal
        The job's exit code, or the signal that killed it.
    lines
        The relevant lines of its log, or what HTCondor says.
    """

    kind: FailureKind
    message: str
    task: str | None = None
    data_id: Mapping[str, str | int] = field(default_factory=dict)
    exit_code: int | None = None
    signal: int | None = None
    lines: tuple[str, ...] = ()

    @property
    def signature(self) -> tuple[str, str]:
        """The same for causes that differ only in numbers, names of files and data ids."""
        if self.kind is FailureKind.OUT_OF_MEMORY:
            return str(self.kind), ""
        text = re.sub(r"\{[^{}]*\}|\([^()]*=[^()]*\)", "{}", self.message)
        text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|0x[0-9a-f]+", "#", text)
        text = re.sub(r"(?:[a-z]+:/)?(?:/[\w.+@%~-]+){2,}", "/…", text)
        return str(self.kind), re.sub(r"\d+(?:\.\d+)?", "#", text)


#: Kind, message and relevant lines.
_Found = tuple[FailureKind, str, tuple[str, ...]]


def find_cause(job: Job, attempt: Attempt, text: str) -> Cause:
    """Find why an attempt failed.

    Parameters
    ----------
    job
        The job.
    attempt
        One of its attempts, which did not succeed.
    text
        The end of its log; empty if there is none.
    """
    exit_code, signal = attempt.exit_code, attempt.signal
    if attempt.reason and (found := _SIGNAL.search(attempt.reason)):
        signal = int(found[1]) if found[1] else int(found[2]) - 128
    elif exit_code is not None and exit_code > 128:
        signal = exit_code - 128
    kind, message, lines = _classify(job, attempt, text, exit_code, signal)
    quantum = find_quantum(text) if text else None
    return Cause(
        kind=kind,
        message=message,
        task=quantum[0] if quantum else None,
        data_id=quantum[1] if quantum else {},
        exit_code=exit_code,
        signal=signal,
        lines=lines,
    )


def _classify(job: Job, attempt: Attempt, text: str, exit_code: int | None, signal: int | None) -> _Found:
    reason = attempt.reason or ""
    lines = (reason,) if reason else ()
    if attempt.outcome is AttemptOutcome.HELD:
        code, subcode = attempt.hold_code, attempt.hold_subcode
        if code == _OUT_OF_RESOURCES and "disk" not in reason.lower():
            return FailureKind.OUT_OF_MEMORY, _describe_memory(job, attempt), lines
        if code == _NOT_EXECUTED and subcode in (_ENOENT, _EACCES):
            return FailureKind.MISSING_EXECUTABLE, shorten_reason(reason), lines
        if code in _DURATIONS:
            return FailureKind.WALLTIME, _describe_time(attempt, "held"), lines
        if code == _POLICY and subcode == _BPS_SIGNAL and signal is not None:
            return _classify_signal(job, attempt, text, signal)
        if _TIME.search(reason):
            return FailureKind.WALLTIME, _describe_time(attempt, "held"), lines
        return FailureKind.HELD, reason or f"HTCondor's hold code {code}", lines
    if attempt.outcome is AttemptOutcome.REMOVED:
        if _TIME.search(reason):
            return FailureKind.WALLTIME, _describe_time(attempt, "removed"), lines
        return FailureKind.REMOVED, reason or "removed", lines
    if attempt.outcome is AttemptOutcome.EVICTED:
        return FailureKind.EVICTED, reason or "its machine was lost, or was needed for something else", lines
    if attempt.outcome is AttemptOutcome.FAILED and exit_code is None and signal is None and reason:
        return FailureKind.SUBMISSION, reason, lines
    if signal is not None:
        return _classify_signal(job, attempt, text, signal)
    return _classify_log(job, attempt, text, exit_code)


def _classify_signal(job: Job, attempt: Attempt, text: str, signal: int) -> _Found:
    name = _name_signal(signal)
    crash = _CRASH.search(text)
    lines = (crash[0].strip(),) if crash else ((attempt.reason,) if attempt.reason else ())
    requested, used = job.find_request(attempt), attempt.memory
    memory = _describe_memory(job, attempt)
    if job.step is None and not _NO_MEMORY.search(text):
        # A node of the campaign DAG on the submit host: for HTCondor it requests just what it has used.
        outside = ", from outside: by its host, HTCondor or a person" * (signal == signals.SIGKILL)
        return FailureKind.SIGNAL, crash[0].strip() if crash else f"{name}{outside}", lines
    if _NO_MEMORY.search(text) or (used and requested and used >= _NEARLY * requested):
        return FailureKind.OUT_OF_MEMORY, f"{memory} ({name})", lines
    if signal == signals.SIGKILL:
        # What the kernel does when memory runs out, and BPS takes it for that. HTCondor may have missed the peak.
        return (
            FailureKind.OUT_OF_MEMORY,
            f"{name}, probably out of memory: {memory} when last looked at",
            lines,
        )
    return FailureKind.SIGNAL, crash[0].strip() if crash else name, lines


def _classify_log(job: Job, attempt: Attempt, text: str, exit_code: int | None) -> _Found:
    """Find the cause in the log of a job that ended by itself."""
    if raised := find_exception(text):
        message = f"{raised.type}: {raised.message}" if raised.message else raised.type
        if raised.type == "MemoryError" or _NO_MEMORY.search(raised.message):
            return FailureKind.OUT_OF_MEMORY, f"{message}; {_describe_memory(job, attempt)}", raised.lines
        if _MISSING.search(raised.type) or (
            raised.type in ("LookupError", "RuntimeError", "OSError")
            and _MISSING_MESSAGE.search(raised.message)
        ):
            return FailureKind.MISSING_INPUT, message, raised.lines
        written = _WRITTEN.search(raised.message)
        return FailureKind.ALREADY_WRITTEN if written else FailureKind.EXCEPTION, message, raised.lines
    if exit_code in (126, 127):
        refused = _NO_COMMAND.findall(text)
        message = refused[-1].strip() if refused else f"exit code {exit_code}"
        return FailureKind.MISSING_EXECUTABLE, message, tuple(text.splitlines()[-2:])
    if found := _NO_MEMORY.search("\n".join(text.splitlines()[-5:])):
        return (
            FailureKind.OUT_OF_MEMORY,
            f"{found[0]}; {_describe_memory(job, attempt)}",
            tuple(text.splitlines()[-2:]),
        )
    errors = _ERROR.findall(text)
    lines = tuple(errors[-1:]) or tuple(text.splitlines()[-3:])
    message = f"exit code {exit_code}" if exit_code is not None else "it ended without success"
    if not text:
        message += ", and no log says why"
    elif errors:
        # Our own commands print several lines, of which the first is the sentence.
        error = errors[0] if errors[0].startswith("apcampaign:") else errors[-1]
        message += f": {error.partition(' - ')[2] or error.removeprefix('apcampaign: ')}"
    else:
        message += ", and its log names no error"
    return FailureKind.EXIT, message, lines


def _describe_memory(job: Job, attempt: Attempt) -> str:
    requested = job.find_request(attempt)
    used = "an unknown amount" if not attempt.memory else f"{attempt.memory:.0f} MiB"
    return f"it used {used}" + (f" of the {requested:.0f} MiB that it had requested" if requested else "")


def _describe_time(attempt: Attempt, outcome: str) -> str:
    seconds = attempt.wall_seconds
    after = "" if seconds is None else f" after {format_duration(seconds)}"
    return f"{outcome}{after}: {attempt.reason}"


def shorten_reason(reason: str) -> str:
    """Cut what HTCondor says of a program that it cannot start, arguments and all, down to its name and why."""
    found = re.search(r"Failed to execute '([^']+)'.*?(?:errno=\d+: '([^']+)'|$)", reason)
    return f"{found[1]}: {found[2] or 'it cannot be executed'}" if found else reason


def _name_signal(number: int) -> str:
    try:
        return f"signal {number} ({signals.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
