"""BPS plugin checks: it is installed, and has the site that it needs."""

__all__ = ["check_plugin", "check_site"]

from collections.abc import Iterator, Mapping
from typing import Any

from ...bps import Wms
from ...bps.data import merge
from ...bps.lint import Finding, Severity, load_vocabulary
from ...bps.lint.installed import has_class
from .run_spec import RunSpec, make_finding


def check_plugin(spec: RunSpec) -> Iterator[Finding]:
    """Report a plugin that is not installed; one that is merely misspelt is the linter's."""
    service = spec.wms_service
    vocabulary = load_vocabulary()
    if not service or has_class(service) is not None or vocabulary.near_plugin(service):
        return
    installed = sorted(name.rpartition(".")[2] for name in vocabulary.plugin_defaults)
    yield make_finding(
        Severity.ERROR,
        "wms",
        f"the BPS plugin of {service} is not installed here (installed: {', '.join(installed) or 'none'})",
        "BPS imports it as soon as it reads the config, and stops with a traceback",
        "set up the package that holds it, or choose another site",
        key=f"{spec.name}: wmsServiceClass",
    )


def check_site(spec: RunSpec) -> Iterator[Finding]:
    """Report a run for Parsl whose site has no settings."""
    if spec.wms is not Wms.PARSL:
        return
    settings = merge(load_vocabulary().defaults_for(spec.wms_service), spec.config)
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
    yield make_finding(
        Severity.ERROR,
        "compute-site",
        what,
        "Parsl's plugin takes its executors from there: BPS stops with a traceback, mostly after the quantum "
        "graph is built",
        remedy,
        key=f"{spec.name}: {key}",
    )


def _is_usable(section: Any) -> bool:
    return isinstance(section, Mapping) and isinstance(section.get("class"), str)
