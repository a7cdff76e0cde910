"""Rule for the site that Parsl takes its executors from."""

__all__ = ["check_site"]

from collections.abc import Iterator, Mapping
from typing import Any

from ...data import merge
from ...site import Wms, wms_kind
from ..findings import Finding, Severity
from ..submit_file import SubmitFile
from ..tree import plain


def check_site(config: SubmitFile) -> Iterator[Finding]:
    """Report a run for Parsl whose site has no settings."""
    if wms_kind(config.wms) is not Wms.PARSL or not config.whole or not config.is_submission:
        return
    settings = merge(config.defaults, plain(config.root))
    name, sites = settings.get("computeSite"), settings.get("site")
    known = [key for key, section in sites.items() if _is_usable(section)] if isinstance(sites, dict) else []
    if name in known or (isinstance(name, str) and ("{" in name or "$" in name)):
        return
    if not isinstance(name, str) or not name:
        what, key = "Parsl is to run the jobs, and 'computeSite' does not name a site", "computeSite"
    else:
        what, key = f"Parsl is to run the jobs on {name!r}, and 'site.{name}' has no 'class'", f"site.{name}"
    if known:
        remedy = f"write computeSite: {known[0]}"
    else:
        example = "{class: lsst.ctrl.bps.parsl.sites.Local, cores: 2}"
        remedy = f"write computeSite: {name or 'local'}, and site: {{{name or 'local'}: {example}}}"
    anchor = config.root.find(*key.split(".")) or config.root.find(key.partition(".")[0])
    anchor = anchor or config.root.find("wmsServiceClass") or next(iter(config.root))
    yield anchor.finding(
        Severity.ERROR,
        "compute-site",
        what,
        "Parsl's plugin takes its executors from there: BPS stops with a traceback, mostly after the quantum "
        "graph is built",
        remedy,
    )


def _is_usable(section: Any) -> bool:
    return isinstance(section, Mapping) and isinstance(section.get("class"), str)
