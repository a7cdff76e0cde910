"""Faults for batch jobs: on a job's PYTHONPATH, this breaks what ``faults.json`` beside it asks for.

Each fault is a mapping with ``kind`` and what that needs; a file beside it counts how often it has struck.

- ``die-after-store``: the process is killed right after it has written to the APDB, for one ``visit`` and
  ``detector``, the first time.
- ``fail``: the process ends with exit code 3 when it begins a quantum of ``label``, the first ``times`` times,
  for one ``visit``, ``detector``, ``group``, ``tract`` or ``patch`` if given. In the same way:
- ``overtaken``: the process waits, at most five minutes, when it begins a quantum of ``label`` until ``by``
  (``visit.detector``) has been written to the APDB.
- ``hungry``: the process is killed, as the kernel does when memory runs out, when it begins a quantum of ``label``
  in a slot with less than ``needs`` MiB.
- ``kill``: it is killed.
- ``raise``: the task raises an exception with a ``message``; what shares its job goes on.
- ``lose-input``: the files of the quantum's inputs are gone of which the dataset type ends with ``dataset_type``.
- ``hang``: it sleeps for five minutes.
"""

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
#: Kinds that strike when the task has its inputs, not when the quantum begins.
LATE = {"raise", "lose-input"}
_KEYS = ("visit", "group", "detector", "patch", "tract")


def strikes(fault: dict[str, Any], limit: int) -> bool:
    """Count, and tell whether the fault shall strike once more."""
    for number in range(limit):
        try:
            (FOLDER / f"{fault['name']}.{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def slot_memory() -> int:
    """Read how many MiB of memory HTCondor has given to this job."""
    for line in Path(os.environ["_CONDOR_MACHINE_AD"]).read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == "Memory":
            return int(value)
    raise RuntimeError("the slot does not say how much memory it has")


def install() -> None:
    import wrapt

    faults = json.loads((FOLDER / "faults.json").read_text())

    @wrapt.when_imported("lsst.dax.apdb.sql.apdbSql")
    def _(module: Any) -> None:
        def store(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)
            sources = args[2] if len(args) > 2 else kwargs["sources"]
            if not len(sources):
                return result
            key = (int(sources["visit"].iloc[0]), int(sources["detector"].iloc[0]))
            (FOLDER / f"stored.{key[0]}.{key[1]}").touch()
            for fault in faults:
                meant = fault["kind"] == "die-after-store" and key == (fault["visit"], fault["detector"])
                if meant and strikes(fault, 1):
                    os.kill(os.getpid(), signal.SIGKILL)
            return result

        wrapt.wrap_function_wrapper(module, "ApdbSql.store", store)

    def strike(fault: dict[str, Any]) -> None:
        if fault["kind"] == "fail":
            os._exit(3)
        if fault["kind"] in ("kill", "hungry"):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault["kind"] == "overtaken":
            deadline = time.monotonic() + 300
            while not (FOLDER / f"stored.{fault['by']}").exists() and time.monotonic() < deadline:
                time.sleep(0.5)
        if fault["kind"] == "hang":
            time.sleep(300)

    def strike_late(fault: dict[str, Any], quantum: Any, butler: Any) -> Any:
        if fault["kind"] == "raise":
            try:
                return {}["psf"]
            except KeyError as error:
                raise RuntimeError(fault.get("message", "planted")) from error
        for dataset_type, refs in quantum.inputs.items():
            for ref in refs if dataset_type.name.endswith(fault["dataset_type"]) else ():
                Path(butler._datastore.getURI(ref).ospath).unlink()
        return None

    @wrapt.when_imported("lsst.pipe.base.single_quantum_executor")
    def _(module: Any) -> None:
        def struck(label: str, quantum: Any, *, late: bool) -> Iterator[dict[str, Any]]:
            for fault in faults:
                if (
                    fault.get("label") == label
                    and (fault["kind"] in LATE) == late
                    and all(quantum.dataId.get(key) == fault[key] for key in _KEYS if key in fault)
                    and (fault["kind"] != "hungry" or slot_memory() < fault["needs"])
                    and (fault["kind"] == "overtaken" or strikes(fault, fault.get("times", 100)))
                ):
                    yield fault

        def execute(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            task_node = args[0] if args else kwargs["task_node"]
            quantum = args[1] if len(args) > 1 else kwargs["quantum"]
            for fault in struck(task_node.label, quantum, late=False):
                strike(fault)
            return wrapped(*args, **kwargs)

        def run_quantum(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            _, quantum, task_node, butler = args[:4]
            for fault in struck(task_node.label, quantum, late=True):
                strike_late(fault, quantum, butler)
            return wrapped(*args, **kwargs)

        wrapt.wrap_function_wrapper(module, "SingleQuantumExecutor.execute", execute)
        wrapt.wrap_function_wrapper(module, "SingleQuantumExecutor._run_quantum", run_quantum)


gc.set_threshold(1_000_000)
if "run-qbb" in sys.orig_argv:
    install()
