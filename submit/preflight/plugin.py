"""Checks of the code that BPS imports by name: its plugin, and the algorithm of clustering."""

__all__ = ["check_algorithm", "check_plugin"]

import importlib
from collections.abc import Iterator

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


def check_algorithm(spec: RunSpec) -> Iterator[Finding]:
    """Report an algorithm of clustering that cannot be imported; of BPS's own the linter tells."""
    name = str(spec.config.get("clusterAlgorithm") or "")
    module, _, function = name.rpartition(".")
    if not module or "{" in name or name.startswith("lsst.ctrl.bps"):
        return
    try:
        getattr(importlib.import_module(module), function)
    except Exception as error:  # foreign code may raise anything
        yield make_finding(
            Severity.ERROR,
            "unknown-class",
            f"the clusterAlgorithm {name} cannot be imported: {error}",
            "BPS ends with a traceback after the graph is built",
            "correct the name, or set up the package that holds it",
            key=f"{spec.name}: clusterAlgorithm",
        )
