"""Why an attempt at a job ended badly: from HTCondor's words and from what the job said."""

__all__ = ["Cause", "Kind", "find_cause", "shorten_reason"]

import re
import signal as signals
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .exceptions import find_exception, find_quantum
from .jobs import Attempt, Ending, Job


class Kind(StrEnum):
    """Kinds of causes, which differ in what to do next."""

    EXCEPTION = "exception"
    MISSING_INPUT = "missing input"
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
_MISSING_WORDS = re.compile(
    r"not found in|does not exist|no such file|could not be found|missing input", re.I
)
_NO_MEMORY = re.compile(r"std::bad_alloc|Cannot allocate memory|Out of memory|MemoryError")
_NO_COMMAND = re.compile(
    r".*(?:command not found|No such file or directory|Permission denied)$", re.MULTILINE
)
_CRASH = re.compile(r"^Fatal Python error: .*|^.*Segmentation fault.*|^terminate called.*", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR|CRITICAL|FATAL|apcampaign:)\s.*", re.MULTILINE)
_NEARLY = 0.9  # of the memory that was asked for


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why an attempt ended badly.

    Parameters
    ----------
    kind
        What kind of cause it is.
    what
        The cause in a line.
    task, data_id
        The task and the data id of the quantum that failed, where the log tells.
    exit_code, signal
        What the job ended with.
    lines
        The telling lines of its log, or HTCondor's words.
    """

    kind: Kind
    what: str
    task: str | None = None
    data_id: Mapping[str, str | int] = field(default_factory=dict)
    exit_code: int | None = None
    signal: int | None = None
    lines: tuple[str, ...] = ()

    @property
    def signature(self) -> tuple[str, str]:
        """What causes have in common that differ in numbers, names of files and data ids only."""
        if self.kind is Kind.OUT_OF_MEMORY:
            return str(self.kind), ""
        text = re.sub(r"\{[^{}]*\}|\([^()]*=[^()]*\)", "{}", self.what)
        text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|0x[0-9a-f]+", "#", text)
        text = re.sub(r"(?:[a-z]+:/)?(?:/[\w.+@%~-]+){2,}", "/…", text)
        return str(self.kind), re.sub(r"\d+(?:\.\d+)?", "#", text)


def find_cause(job: Job, attempt: Attempt, text: str) -> Cause:
    """Find why an attempt ended badly.

    Parameters
    ----------
    job
        The job.
    attempt
        One of its attempts, which did not end well.
    text
        The end of what it said; empty if that is not known.
    """
    exit_code, signal = attempt.exit_code, attempt.signal
    if attempt.reason and (found := _SIGNAL.search(attempt.reason)):
        signal = int(found[1]) if found[1] else int(found[2]) - 128
    elif exit_code is not None and exit_code > 128:
        signal = exit_code - 128
    kind, what, lines = _classify(job, attempt, text, exit_code, signal)
    quantum = find_quantum(text) if text else None
    return Cause(
        kind=kind,
        what=what,
        task=quantum[0] if quantum else None,
        data_id=quantum[1] if quantum else {},
        exit_code=exit_code,
        signal=signal,
        lines=lines,
    )


def _classify(
    job: Job, attempt: Attempt, text: str, exit_code: int | None, signal: int | None
) -> tuple[Kind, str, tuple[str, ...]]:
    """Find kind, cause and telling lines."""
    reason = attempt.reason or ""
    words = (reason,) if reason else ()
    memory = _tell_memory(job, attempt)
    if attempt.ending is Ending.HELD:
        code, subcode = attempt.hold_code, attempt.hold_subcode
        if code == _OUT_OF_RESOURCES and "disk" not in reason.lower():
            return Kind.OUT_OF_MEMORY, memory, words
        if code == _NOT_EXECUTED and subcode in (_ENOENT, _EACCES):
            return Kind.MISSING_EXECUTABLE, shorten_reason(reason), words
        if code in _DURATIONS:
            return Kind.WALLTIME, _tell_time(attempt, "held"), words
        if code == _POLICY and subcode == _BPS_SIGNAL and signal is not None:
            return _classify_signal(job, attempt, text, signal)
        if _TIME.search(reason):
            return Kind.WALLTIME, _tell_time(attempt, "held"), words
        return Kind.HELD, reason or f"HTCondor's hold code {code}", words
    if attempt.ending is Ending.REMOVED:
        if _TIME.search(reason):
            return Kind.WALLTIME, _tell_time(attempt, "removed"), words
        return Kind.REMOVED, reason or "removed", words
    if attempt.ending is Ending.EVICTED:
        return Kind.EVICTED, reason or "its machine was lost or wanted for something else", words
    if attempt.ending is Ending.FAILED and exit_code is None and signal is None and reason:
        return Kind.SUBMISSION, reason, words
    if signal is not None:
        return _classify_signal(job, attempt, text, signal)
    return _classify_words(job, attempt, text, exit_code)


def _classify_signal(job: Job, attempt: Attempt, text: str, signal: int) -> tuple[Kind, str, tuple[str, ...]]:
    name = _name_signal(signal)
    crash = _CRASH.search(text)
    lines = (crash[0].strip(),) if crash else ((attempt.reason,) if attempt.reason else ())
    wanted, used = attempt.memory_request or job.request_memory, attempt.memory
    memory = _tell_memory(job, attempt)
    if _NO_MEMORY.search(text) or (used and wanted and used >= _NEARLY * wanted):
        return Kind.OUT_OF_MEMORY, f"{memory} ({name})", lines
    if signal == signals.SIGKILL:
        # The kernel's way when memory runs out, and BPS takes it for that. HTCondor may not see the peak.
        return Kind.OUT_OF_MEMORY, f"{name}, probably for want of memory: {memory} when last looked at", lines
    return Kind.SIGNAL, crash[0].strip() if crash else name, lines


def _classify_words(
    job: Job, attempt: Attempt, text: str, exit_code: int | None
) -> tuple[Kind, str, tuple[str, ...]]:
    """Find the cause in what a job said that ended by itself."""
    if raised := find_exception(text):
        what = f"{raised.type}: {raised.message}" if raised.message else raised.type
        if raised.type == "MemoryError" or _NO_MEMORY.search(raised.message):
            return Kind.OUT_OF_MEMORY, f"{what}; {_tell_memory(job, attempt)}", raised.lines
        if _MISSING.search(raised.type) or (
            raised.type in ("LookupError", "RuntimeError", "OSError")
            and _MISSING_WORDS.search(raised.message)
        ):
            return Kind.MISSING_INPUT, what, raised.lines
        return Kind.EXCEPTION, what, raised.lines
    if exit_code in (126, 127):
        refused = _NO_COMMAND.findall(text)
        said = refused[-1].strip() if refused else f"exit code {exit_code}"
        return Kind.MISSING_EXECUTABLE, said, tuple(text.splitlines()[-2:])
    if found := _NO_MEMORY.search("\n".join(text.splitlines()[-5:])):
        return Kind.OUT_OF_MEMORY, f"{found[0]}; {_tell_memory(job, attempt)}", tuple(text.splitlines()[-2:])
    errors = _ERROR.findall(text)
    lines = tuple(errors[-1:]) or tuple(text.splitlines()[-3:])
    what = f"exit code {exit_code}" if exit_code is not None else "it ended without success"
    if not text:
        what += ", and there is no log of it"
    elif errors:
        # Our own commands say it in several lines, of which the first is the sentence.
        said = errors[0] if errors[0].startswith("apcampaign:") else errors[-1]
        what += f": {said.partition(' - ')[2] or said.removeprefix('apcampaign: ')}"
    else:
        what += ", and its log names no error"
    return Kind.EXIT, what, lines


def _tell_memory(job: Job, attempt: Attempt) -> str:
    wanted = attempt.memory_request or job.request_memory
    used = "an unknown amount" if not attempt.memory else f"{attempt.memory:.0f} MiB"
    return f"it used {used}" + (f" of the {wanted:.0f} MiB that it had" if wanted else "")


def _tell_time(attempt: Attempt, ending: str) -> str:
    seconds = attempt.wall_seconds
    after = "" if seconds is None else f" after {seconds:.0f} s"
    return f"{ending}{after}: {attempt.reason}"


def shorten_reason(reason: str) -> str:
    """Cut HTCondor's words for a program that it cannot start, arguments and all, down to its name and why."""
    found = re.search(r"Failed to execute '([^']+)'.*?(?:errno=\d+: '([^']+)'|$)", reason)
    return f"{found[1]}: {found[2] or 'it cannot be executed'}" if found else reason


def _name_signal(number: int) -> str:
    try:
        return f"signal {number} ({signals.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
