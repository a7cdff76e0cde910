"""Runs a command in a fork of this process, undisturbed or with a fault (see `faults`)."""

__all__ = ["Outcome", "environment", "run_command", "warm_up"]

import contextlib
import io
import json
import logging
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from apcampaign.scripts.cli import main as apcampaign

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from system_faults import Call, Fault, SystemFaults

HANGS = 40  # seconds after which a command is taken for one that never ends


@dataclass(frozen=True)
class Outcome:
    """What a command has said, what it has ended with, and what it has done to files."""

    code: int
    said: str
    files: Mapping[Path, tuple[int, int]]
    calls: tuple[Call, ...] = ()
    seconds: float = 0.0

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """What it has said, by what of it is the same each time."""
        return {_plain(line): line for line in self.said.splitlines() if _plain(line)}


def _plain(line: str) -> str:
    return re.sub(r"[^\w.,;:/%+*()'`=\[\]-]+|\d[\d.:]*", " ", line).strip()


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_command(
    folder: Path,
    words: tuple[str, ...],
    faults: SystemFaults | None = None,
    at: int | None = None,
    fault: Fault = 0,
) -> Outcome:
    """Run a command in a fork of this process; one that does not end is killed."""
    with tempfile.TemporaryDirectory() as place:
        said, calls = Path(place) / "said", Path(place) / "calls"
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(folder, words, said, calls, faults, at, fault)
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() - begin > HANGS:
                os.killpg(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.005)
        done = [Call(*each) for each in json.loads(calls.read_text())] if calls.exists() else []
        return Outcome(
            code=os.waitstatus_to_exitcode(ended[1]),
            said=said.read_text(errors="replace"),
            files={},
            calls=tuple(done),
            seconds=time.monotonic() - begin,
        )


def _become(
    folder: Path,
    words: tuple[str, ...],
    said: Path,
    calls: Path,
    faults: SystemFaults | None,
    at: int | None,
    fault: Fault,
) -> None:
    """Be the command, with what it says in a file; does not return."""
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(stream, number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        sys.argv = ["apcampaign", *words]
        try:
            if faults is None:
                apcampaign()
            else:
                with faults.failing(at, fault):
                    apcampaign()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 98
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        if faults is not None:
            calls.write_text(json.dumps(faults.calls))
    finally:
        os._exit(code)


def warm_up(folder: Path, words: tuple[str, ...]) -> None:
    """Import here what the command imports, so that no fork has to."""
    before, here, mask = sys.argv, Path.cwd(), os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    sys.argv = ["apcampaign", *words]
    os.chdir(folder)
    with (
        suppress(SystemExit),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        apcampaign()
    sys.argv = before
    os.chdir(here)
    os.umask(mask)
    logging.getLogger("apcampaign").handlers.clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)
