"""Commands in processes that have imported already what most of them import.

Most of the CPU time of a command goes into its imports. A server that does nothing else makes them once, and each
command is a fork of it: a process of its own, with its own environment, working directory, output and exit code.
"""

__all__ = ["run_forked"]

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND = Path(sys.executable).parent / "apcampaign"
#: What most commands import; nothing of it looks at the environment before it is used. HTCondor's bindings would.
_IMPORTED = (
    "apcampaign.campaign",
    "apcampaign.lifecycle",
    "apcampaign.report",
    "apcampaign.scripts.cli",
    "apcampaign.scripts.options.campaign",
    "apcampaign.submit",
    "apcampaign.submit.preflight",
    "lsst.ctrl.bps",
    "lsst.ctrl.bps.parsl",
    "lsst.daf.butler",
    "lsst.dax.apdb",
    "lsst.pipe.base.quantum_graph",
    "rich.console",
)
_GRACE = 30.0  # seconds
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([*_IMPORTED, __name__])


def run_forked(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run ``apcampaign`` with some words, as `subprocess.run` would.

    Raises
    ------
    subprocess.TimeoutExpired
        If it has not ended in so many seconds; it is killed.
    """
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        process = _SERVER.Process(target=_begin, args=(words, str(cwd), dict(env), str(out), str(err)))
        process.start()
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(list(words), timeout)
        except BaseException:  # the tests may be interrupted
            process.terminate()  # it ends what it has started
            process.join(_GRACE)
            process.kill()
            process.join()
            raise
        return subprocess.CompletedProcess(
            [str(COMMAND), *words], process.exitcode, out.read_text(), err.read_text()
        )


def _begin(words: Sequence[str], folder: str, environment: Mapping[str, str], out: str, err: str) -> None:
    for file, descriptor in ((out, 1), (err, 2)):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(handle, descriptor)
        os.close(handle)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [str(COMMAND), *words]
    from apcampaign.scripts.cli import main

    main()
