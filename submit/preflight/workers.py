"""The workload manager: it answers, and its largest slot fits the largest request."""

__all__ = ["Request", "check_workers", "largest_requests"]

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...bps import Site
from ...bps.data import merge
from ...bps.lint import Finding, Severity, load_vocabulary
from .subject import Subject, problem


@dataclass(frozen=True)
class Request:
    """What a job asks for: memory in MiB, and cores."""

    label: str
    memory: int
    cpus: int


def largest_requests(subject: Subject) -> list[Request]:
    """Find what the jobs of a run ask for, by label."""
    wms = str(subject.config.get("wmsServiceClass", ""))
    settings = merge(load_vocabulary().defaults_for(wms), subject.config)
    general = {**settings, **settings.get("payload", {})}
    sections: dict[str, Mapping[str, Any]] = {
        "finalJob": settings.get("finalJob") or {},
        "every other task": {},
        **(settings.get("cluster") or {}),
        **(settings.get("pipetask") or {}),
    }
    found = []
    for label, section in sections.items():
        values = {**general, **section} if isinstance(section, dict) else general
        memory, cpus = values.get("requestMemory"), values.get("requestCpus")
        if isinstance(memory, int | float) and isinstance(cpus, int | float):
            found.append(Request(label, int(memory), int(cpus)))
    return found


def check_workers(site: Site, subjects: list[Subject]) -> Iterator[Finding]:
    """Report a workload manager that does not answer, or has no slot for a job."""
    if site.uses_htcondor:
        yield from _check_htcondor(site, subjects)
    elif ".parsl." in site.wms_service:
        cores = os.cpu_count() or 1
        settings = (site.settings.get("site") or {}).get(site.settings["computeSite"]) or {}
        wanted = settings.get("cores") if isinstance(settings, dict) else None
        if isinstance(wanted, int) and wanted > cores:
            yield problem(
                Severity.WARNING,
                "slots",
                f"Parsl is to use {wanted} cores, and this machine has {cores}",
                "the jobs slow each other down",
                f"set site.{site.settings['computeSite']}.cores to {cores}",
                key="site",
            )


def _check_htcondor(site: Site, subjects: list[Subject]) -> Iterator[Finding]:
    try:
        import htcondor2

        schedd = htcondor2.Schedd()
        schedd.query(constraint="false", projection=["ClusterId"])
    except Exception as error:
        yield problem(
            Severity.ERROR,
            "wms",
            f"HTCondor does not answer here: {type(error).__name__}: {error}",
            "BPS notices it only after the quantum graph is built",
            "work on a submit host where `condor_q` answers (for a pool of your own: scripts/condor-pool start); "
            "daemons of 23 talk to newer bindings only with SEC_FS_ENFORCE_CHANNEL_BINDING=False",
            key="site",
        )
        return
    if site.settings.get("provisionResources"):
        return  # the slots come with the run
    try:
        slots = htcondor2.Collector().query(
            htcondor2.AdType.Startd,
            constraint='SlotType =!= "Dynamic"',
            projection=["Name", "TotalSlotMemory", "TotalSlotCpus", "Memory", "Cpus"],
        )
    except Exception as error:
        yield problem(
            Severity.WARNING,
            "wms",
            f"HTCondor does not say which slots there are: {type(error).__name__}: {error}",
            "whether the jobs fit is not known",
            "see whether `condor_status` answers",
            key="site",
        )
        return
    sizes = [
        (
            int(slot.get("TotalSlotMemory", slot.get("Memory", 0))),
            int(slot.get("TotalSlotCpus", slot.get("Cpus", 0))),
        )
        for slot in slots
    ]
    if not sizes:
        yield problem(
            Severity.ERROR,
            "slots",
            "the HTCondor pool has no slots",
            "the jobs wait for ever",
            "start workers, or set provisionResources: true where the site can get them",
            key="site",
        )
        return
    memory, cpus = max(size[0] for size in sizes), max(size[1] for size in sizes)
    for subject in subjects:
        for request in largest_requests(subject):
            if not any(request.memory <= size[0] and request.cpus <= size[1] for size in sizes):
                yield problem(
                    Severity.ERROR,
                    "slots",
                    f"{request.label} of {subject.name} asks for {request.memory} MiB and {request.cpus} cores; "
                    f"the largest slots have {memory} MiB and {cpus} cores",
                    "HTCondor never starts it, and says nothing: the run hangs",
                    f"lower requestMemory and requestCpus of {request.label}, or use a larger pool",
                    key="site",
                )
