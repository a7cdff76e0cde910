"""BPS plugin check: it is installed."""

__all__ = ["check_plugin"]

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
