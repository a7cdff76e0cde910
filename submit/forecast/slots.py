"""On how many slots a campaign would run."""

__all__ = ["count_slots"]

from ...bps import Site

#: What is assumed where nobody says.
_ASSUMED = 100


def count_slots(site: Site) -> tuple[int, str]:
    """Count the cores that a site has for jobs now.

    Returns
    -------
    slots, note
        The number, and where it is from.
    """
    if site.settings.get("provisionResources"):
        return (
            _ASSUMED,
            f"{_ASSUMED} slots are assumed, since {site.name} gets them when a run begins (--slots)",
        )
    if not site.uses_htcondor:
        settings = (site.settings.get("site") or {}).get(site.settings["computeSite"]) or {}
        cores = settings.get("cores") if isinstance(settings, dict) else None
        if isinstance(cores, int):
            return cores, f"{site.name} has {cores} slots"
        return _ASSUMED, f"{_ASSUMED} slots are assumed: the site does not say (--slots)"
    try:
        import htcondor2

        ads = htcondor2.Collector().query(
            htcondor2.AdType.Startd,
            constraint='SlotType =!= "Dynamic"',
            projection=["TotalSlotCpus", "Cpus"],
        )
        cores = sum(int(ad.get("TotalSlotCpus", ad.get("Cpus", 0))) for ad in ads)
    except Exception:  # whatever its bindings raise, there is a number to be assumed
        cores = 0
    if not cores:
        return _ASSUMED, f"{_ASSUMED} slots are assumed: HTCondor does not say how many there are (--slots)"
    return cores, f"the HTCondor pool has {cores} cores"
