"""Building of a graph in a copy of this process, which BPS then takes over.

BPS has a command build the graph (``createQuantumGraph``), ``pipetask qgraph``: a new process that imports what
this one has imported already, 1.5 s of CPU, which is a tenth of what a part of 8,000 quanta takes. So a fork of
this process does what the command would, and the command that BPS gets only hands over the graph and the log.

The fork does without Python's garbage collector: a graph is millions of small objects that all stay to the end.
Looking through them for circles again and again takes a quarter of the time, and finds next to nothing: the peak
of memory is the same (`docs/benchmarks.md`).
"""

__all__ = ["build_graph"]

import gc
import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_COMMAND = "createQuantumGraph"


@contextmanager
def build_graph(config: Path) -> Iterator[Mapping[str, str]]:
    """Build the graph of a run.

    Parameters
    ----------
    config
        Its BPS config.

    Yields
    ------
    options
        For BPS's drivers, in place of the command of the config. It ends as that would have ended, with what that
        would have said. Where the config's command is not ``pipetask``, nothing is built, and BPS has to call it.
    """
    # The fork has what is imported here.
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
    from lsst.ctrl.mpexec.cli.pipetask import main as pipetask

    with tempfile.TemporaryDirectory(dir=config.parent, prefix=".graph-") as name:
        folder = Path(name)
        graph, log, script = folder / "graph.qg", folder / "graph.log", folder / "hand-over.sh"
        settings = BpsConfig(str(config), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
        settings.generate_config()
        _, command = settings.search(_COMMAND, opt={"curvals": {"qgraphFile": str(graph)}})
        program, *arguments = shlex.split(command)
        if program != "pipetask":
            yield {}
            return

        def build() -> None:
            with log.open("wb") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            gc.disable()
            sys.argv = [program, *arguments]
            pipetask()

        process = multiprocessing.get_context("fork").Process(target=build)
        process.start()
        process.join()
        code = process.exitcode or 0
        script.write_text(
            f"cat {shlex.quote(str(log))}\n"
            f'[ ! -e {shlex.quote(str(graph))} ] || mv {shlex.quote(str(graph))} "$1"\n'
            f"exit {code if code >= 0 else 128 - code}\n"
        )
        yield {_COMMAND: f"{shlex.join(['sh', str(script)])} {{qgraphFile}}"}
