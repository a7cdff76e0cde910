"""Slots that a campaign would run on."""

__all__ = ["count_slots"]

from ...bps import Site, Wms
from ...common.condor import query_slots
from ...common.errors import SchedulerError
from ...common.own_servers import find_stopped_pool
from ..preflight.resources import find_cores

#: The number of slots where it is not known.
_ASSUMED = 100


def count_slots(site: Site) -> tuple[int, str]:
    """Count the cores that a site has for jobs now.

    Returns
    -------
    slots, note
        The number, and where it comes from.
    """
    if site.settings.get("provisionResources"):
        return _ASSUMED, _assume(f"{site.name} gets its slots when a run begins")
    if site.wms is not Wms.HTCONDOR:
        cores = find_cores(site)
        if cores is None:
            return _ASSUMED, _assume(f"the site {site.name} does not specify its cores")
        return cores, f"{site.name} has {cores} slots"
    try:
        cores = sum(slot.cpus for slot in query_slots())
    except SchedulerError as error:
        return _ASSUMED, _assume(str(error) if find_stopped_pool() else error.what)
    if not cores:
        return _ASSUMED, _assume("the HTCondor pool has none now")
    return cores, f"the HTCondor pool has {cores} cores"


def _assume(reason: str) -> str:
    return f"{_ASSUMED} slots are assumed (change it with --slots), since {reason}"
