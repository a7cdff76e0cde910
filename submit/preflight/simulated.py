"""Check of what a simulated sky does not have: the Solar System objects of the real one."""

__all__ = ["check_simulated_sky"]

import os
from collections.abc import Iterator
from typing import Any

from ...bps.lint import Finding, Severity
from .run_spec import RunSpec, make_finding
from .selection import Selection

_QUERY = "MPSkyEphemerisQueryTask"
#: With it, the service that is asked is the user's choice.
_SERVICE = "MP_SKY_URL"


def check_simulated_sky(spec: RunSpec, graph: Any, selection: Selection) -> Iterator[Finding]:
    """Report a task that asks for real Solar System objects, where the instrument is a simulated one."""
    instruments = [str(name) for (name,) in selection.project(("instrument",)) if "sim" in str(name).lower()]
    labels = [
        label for label, task in graph.tasks.items() if task.task_class_name.rpartition(".")[2] == _QUERY
    ]
    if instruments and labels and not os.environ.get(_SERVICE):
        (instrument, *_), (label, *_) = instruments, labels
        yield make_finding(
            Severity.WARNING,
            "simulated-sky",
            f"{label} asks for the Solar System objects of the real sky, and that of {instrument} is simulated",
            "real asteroids are associated with simulated sources; where the service cannot be reached, each "
            "(group, detector) waits for it until its time is out",
            f"exclude {label} where the pipeline imports it, as ApPipe-DC2.yaml does, or name "
            f"a service of your own in ${_SERVICE}",
            key=f"{spec.name}: pipeline",
        )
