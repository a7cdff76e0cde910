"""What an attempt has left: its log, and HTCondor's own log of the job. What of that cannot be read is said."""

__all__ = ["Gap", "read_log", "read_memory"]

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import SEEK_END
from pathlib import Path

from ...common.reading import open_binary
from ..event_log import EventLog
from ..jobs import Attempt, Job

_TAIL = 128 * 1024  # bytes of a log that are read


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something that is not known of a failed job.

    Parameters
    ----------
    unknown
        What is not known.
    reason
        The file that would have told, and what is wrong with it.
    """

    unknown: str
    reason: str

    def as_dict(self) -> Mapping[str, str]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def read_log(job: Job, attempt: Attempt) -> tuple[Path | None, str, str]:
    """Read the end of the standard output and error of an attempt.

    Returns
    -------
    path
        The file; `None` if there is none.
    text
        Its end; empty if it cannot be read.
    wrong
        What is wrong with it; empty if nothing is.
    """
    path = job.find_log(attempt)
    if path is not None:
        try:
            with open_binary(path) as stream:
                stream.seek(max(0, stream.seek(0, SEEK_END) - _TAIL))
                text = stream.read().decode(errors="replace")
        except FileNotFoundError:  # it may be moved at this moment
            path = None
        except OSError as error:
            return path, "", f"{path} cannot be read: {error.strerror}"
        else:
            if not text.strip():
                return path, text, f"{path} is empty"
            return path, text, "" if text.endswith("\n") else f"{path} breaks off within a line"
    if any(later.cluster == attempt.cluster for later in _after(job, attempt)):
        return None, "", f"the log of that attempt of {job.name} is no longer in {job.folder}"
    return None, "", f"there is no log of {job.name} in {job.folder}"


def read_memory(job: Job, attempt: Attempt) -> tuple[Attempt, str]:
    """Complete an attempt by its memory: the DAG's log has it only of those that ended by themselves.

    Returns
    -------
    attempt
        The attempt, with the memory if the job's own log has it.
    wrong
        What is wrong with that log; empty if nothing is, or it was not needed.
    """
    if attempt.memory is not None or not attempt.cluster:
        return attempt, ""
    own = EventLog(job.folder / f"{job.name}.{attempt.cluster}.log", warn=False)
    try:
        own.read()
    except OSError as error:
        return attempt, f"{own.path} cannot be read: {error.strerror}"
    history = own.histories.get(attempt.cluster)
    found = history.attempts() if history else ()
    # HTCondor logs the size only when it grows, so that a later attempt may have no entry of its own.
    sizes = [
        other.memory
        for other in found
        if other.memory is not None and (other.started or 0) <= (attempt.started or 0)
    ]
    ended = sum(other.ended is not None for other in found)
    later = sum(other.cluster == attempt.cluster for other in _after(job, attempt))
    told = len([other for other in job.attempts if other.cluster == attempt.cluster]) - later
    wrong = "" if attempt.ended is None or ended >= told else _describe_damage(own, begun=bool(found))
    return (replace(attempt, memory=max(sizes)) if sizes else attempt), wrong


def _after(job: Job, attempt: Attempt) -> tuple[Attempt, ...]:
    return job.attempts[job.attempts.index(attempt) + 1 :]


def _describe_damage(log: EventLog, *, begun: bool) -> str:
    try:
        size = log.path.stat().st_size
    except OSError:
        return f"{log.path} is not there"
    if not size:
        return f"{log.path} is empty"
    return f"{log.path} {'breaks off before its end' if begun else 'has no event of that job'}"
