"""``pipetask`` without Python's garbage collector, for building graphs: ``python -m …graph OPTIONS qgraph …``.

A graph is millions of small objects that all stay to the end. Looking through them for circles again and again
takes a quarter of the time, and finds next to nothing: the peak of memory is the same (`docs/performance.md`).
"""

__all__: list[str] = []

import gc
import sys


def main() -> None:
    """Run ``pipetask`` with this process's arguments."""
    gc.disable()
    from lsst.ctrl.mpexec.cli.pipetask import main as pipetask

    sys.argv[0] = "pipetask"
    pipetask()


if __name__ == "__main__":
    main()
