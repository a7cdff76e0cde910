"""WMS checks: it answers, and its largest slots fit the largest requests."""

__all__ = ["check_slots", "find_cores"]

import os
from collections.abc import Iterator, Mapping, Sequence

from ...bps import Site, Wms
from ...bps.lint import Finding, Severity
from ...common.condor import Slot, allows_environment, open_schedd, query_slots
from ...common.errors import SchedulerError
from ...common.own_servers import find_stopped_pool
from .requests import JobRequests
from .run_spec import RunSpec, make_finding


def find_cores(site: Site) -> int | None:
    """Find how many cores a site's settings give to its jobs; `None` if they do not specify it."""
    sites = site.settings.get("site")
    section = sites.get(site.settings["computeSite"]) if isinstance(sites, Mapping) else None
    cores = section.get("cores") if isinstance(section, Mapping) else None
    return cores if isinstance(cores, int) else None


def check_slots(site: Site, specs: Sequence[RunSpec]) -> Iterator[Finding]:
    """Report a WMS that does not answer, or has no slot for a job.

    Parameters
    ----------
    site
        Where the jobs would run.
    specs
        The runs.
    """
    if site.wms is Wms.HTCONDOR:
        yield from _check_htcondor(site, specs)
    elif site.wms is Wms.PARSL:
        yield from _check_cores(site)
    elif site.wms is Wms.PANDA and not os.environ.get("PANDA_URL"):
        yield make_finding(
            Severity.ERROR,
            "wms",
            "$PANDA_URL is not set",
            "the plugin refuses to submit",
            "set up the client of PanDA first, as its guide says",
            key="site",
        )


def _check_cores(site: Site) -> Iterator[Finding]:
    """Compare the cores that Parsl may use with those of this machine."""
    cores, wanted = os.cpu_count() or 1, find_cores(site)
    if wanted is not None and wanted > cores:
        name = site.settings["computeSite"]
        yield make_finding(
            Severity.WARNING,
            "slots",
            f"Parsl is to use {wanted} cores, and this machine has {cores}",
            "the jobs slow each other down",
            f"set site.{name}.cores to {cores}",
            key="site",
        )


def _check_htcondor(site: Site, specs: Sequence[RunSpec]) -> Iterator[Finding]:
    try:
        with open_schedd() as schedd:
            schedd.query(constraint="false", projection=["ClusterId"])
    except SchedulerError as error:
        yield make_finding(
            Severity.ERROR,
            "wms",
            error.what,
            "BPS notices it only after the quantum graph is built",
            error.remedy
            if find_stopped_pool()
            else "work on a submit host where `condor_q` answers, or start a pool of your own with "
            "`apcampaign sandbox condor start`; daemons of version 23 accept newer bindings only with "
            "SEC_FS_ENFORCE_CHANNEL_BINDING=False",
            key="site",
        )
        return
    if not allows_environment():
        yield make_finding(
            Severity.ERROR,
            "wms",
            "HTCondor lets no job take the environment of whoever submits it along (SUBMIT_ALLOW_GETENV is false)",
            "the nodes of the campaign DAG and the jobs of BPS need it: HTCondor takes none of them, after the "
            "quantum graph is built",
            "ask whoever administers the submit host to allow it, or work on another one",
            key="site",
        )
    if site.settings.get("provisionResources"):
        return  # the slots come with the run
    try:
        slots = query_slots()
    except SchedulerError as error:
        yield make_finding(
            Severity.WARNING,
            "wms",
            f"the slots of the pool cannot be listed: {error.what}",
            "whether the jobs fit is not checked",
            "see whether `condor_status` works here",
            key="site",
        )
        return
    yield from _check_fit(slots, specs)


def _check_fit(slots: Sequence[Slot], specs: Sequence[RunSpec]) -> Iterator[Finding]:
    """Report jobs that no slot of the pool could run even if it were empty."""
    if not slots:
        yield make_finding(
            Severity.ERROR,
            "slots",
            "the HTCondor pool has no slots",
            "the jobs stay idle for ever",
            "start workers, or set provisionResources: true where the site can get them",
            key="site",
        )
        return
    memory, cpus = max(slot.memory for slot in slots), max(slot.cpus for slot in slots)
    for spec in specs:
        for request in JobRequests.read(spec).list_all():
            if not any(slot.fits(request.memory, request.cpus) for slot in slots):
                yield make_finding(
                    Severity.ERROR,
                    "slots",
                    f"{request.label} of {spec.name} asks for {request.memory} MiB and {request.cpus} cores; "
                    f"the largest slots have {memory:.0f} MiB and {cpus} cores",
                    "HTCondor leaves it idle without a message: the run hangs",
                    f"lower requestMemory and requestCpus of {request.label}, or use a larger pool",
                    key="site",
                )
