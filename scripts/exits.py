"""How the command ends: its exit codes, and errors as sentences or as JSON."""

__all__ = ["ExitCode", "run"]

import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Protocol, Self

import click

from ..common.errors import ApcampaignError, BusyError, FileError, PreconditionError
from ..common.explain import DEBUG, explain
from ..common.secrets import redact
from ..common.text import printable
from .make_targets import name_make_targets


class ExitCode(IntEnum):
    """What the exit code of every command says; ``docs/commands.md`` shows them.

    Attributes
    ----------
    meaning
        What it says, in Markdown.
    """

    meaning: str

    YES = 0, "yes: done, nothing found, complete"
    NO = (
        1,
        "no: the answer to the question is no (findings of `check` and `lint`, failures, a summary that is not "
        "complete), or something that must hold does not, and nothing was done",
    )
    USAGE = (
        2,
        "the command line is wrong: an unknown command or option, a value that an option does not take",
    )
    UNKNOWN = (
        3,
        "it is not known, or was not done: no such campaign file, a mistake in it, no runs, a repository, "
        "database or HTCondor that does not answer, a file that cannot be read or written, a bug",
    )
    NOT_NOW = (
        4,
        "not now: something of the campaign is active, or somebody else is submitting it; nothing was done, and "
        "the same command can be given again later",
    )
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    NOBODY_READS = 141, "whoever reads the output, such as `head`, has had enough of it"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make one that is its number."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made


class _Command(Protocol):
    def main(self, *, prog_name: str, standalone_mode: bool) -> Any: ...


def run(command: _Command) -> int:
    """Run the command line, and tell how it has ended.

    Returns
    -------
    code
        The exit code. Errors have been shown: as sentences on standard error and, where JSON was asked for, as
        JSON on standard output too.
    """
    try:
        code = _run(command)
        if sys.stdout:  # nothing where a shell has closed it
            sys.stdout.flush()
        return code
    except click.Abort as error:
        interrupted = isinstance(error.__cause__, KeyboardInterrupt)
        click.echo("interrupted" if interrupted else "nothing was done", err=True)
        return ExitCode.INTERRUPTED if interrupted else ExitCode.NO
    except click.ClickException as error:
        error.show()
        wrong = ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.UNKNOWN
        return _fail(wrong, "UsageError", **_take_apart(error))
    except BrokenPipeError:
        # Whoever reads has had enough.
        _drop_output()
        return ExitCode.NOBODY_READS
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            _drop_output()  # it may be what cannot be written; files are named
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                return _explain(
                    FileError(
                        f"what this command says cannot be written: {error.strerror}",
                        remedy="free some space, or let it go elsewhere",
                    )
                )
        return _explain(error)


def _take_apart(error: click.ClickException) -> dict[str, str]:
    """Find in what click says what is wrong, what was expected, and what to do."""
    what, *rest = error.format_message().split("; ")
    expected = "; ".join(part.removeprefix("expected ") for part in rest if part.startswith("expected "))
    remedy = "; ".join(part for part in rest if not part.startswith("expected "))
    if isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        expected = expected or f"one of {', '.join(map(str, error.param.type.choices))}"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        remedy = remedy or f"did you mean {' or '.join(error.possibilities)}?"
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        remedy = remedy or f"see `{context.command_path} --help`"
    return {"what": what, "expected": expected, "remedy": remedy}


def _explain(raised: Exception) -> int:
    """Show an error as a sentence, and its traceback where that was asked for."""
    if os.environ.get(DEBUG):
        click.echo(redact(printable(traceback.format_exc())), err=True)
    error = explain(raised)
    for line in redact(name_make_targets(printable(str(error)))).splitlines():
        click.echo(f"apcampaign: {line}", err=True)
    return _fail(
        _find_code(error),
        type(error).__name__,
        error.what,
        expected=error.expected,
        remedy=error.remedy,
        findings=error.findings if isinstance(error, PreconditionError) else (),
    )


def _find_code(error: ApcampaignError) -> ExitCode:
    if isinstance(error, BusyError):
        return ExitCode.NOT_NOW
    return ExitCode.NO if isinstance(error, PreconditionError) else ExitCode.UNKNOWN


def _drop_output() -> None:
    """Let what is still buffered go nowhere, where Python would complain about it at its end."""
    if sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(command: _Command) -> int:
    streams = sys.stdout, sys.stderr
    try:
        ended = command.main(prog_name="apcampaign", standalone_mode=False)
    except SystemExit as error:
        # Where nobody reads, rich and click end with 1, which is «no»; click has replaced the streams before.
        if isinstance(error.__context__, BrokenPipeError) or sys.stdout is not streams[0]:
            sys.stdout, sys.stderr = streams
            raise BrokenPipeError from None
        ended = error.code
    # Otherwise it is what the command returns, which is nothing.
    return ended if isinstance(ended, int) else ExitCode.YES


def _fail(
    code: ExitCode,
    kind: str,
    what: str,
    *,
    expected: str = "",
    remedy: str = "",
    findings: Sequence[Any] = (),
) -> ExitCode:
    if _asks_for_json(sys.argv[1:]):
        parts = {"what": what, "expected": expected, "remedy": remedy}
        error: dict[str, Any] = {"kind": kind, **{name: redact(text) for name, text in parts.items()}}
        if findings:
            error["findings"] = [finding.as_dict() for finding in findings]
        click.echo(json.dumps({"error": error, "exit_code": code}, indent=2))
    return code


def _asks_for_json(arguments: Sequence[str]) -> bool:
    return "--json" in arguments or "--format=json" in arguments or "--format json" in " ".join(arguments)
