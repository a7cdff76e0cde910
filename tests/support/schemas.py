"""The schema of Rubin's APDB, which takes longer to read than all else that a small APDB needs."""

__all__ = ["read_schemas_once"]

import functools
from typing import Any

import wrapt


def read_schemas_once() -> None:
    """Let this process keep a schema once it is read."""
    wrapt.register_post_import_hook(_keep, "felis.datamodel")


def _keep(module: Any) -> None:
    read = module.Schema.from_uri

    @functools.cache
    def read_once(location: str, *context: tuple[str, object]) -> Any:
        return read(location, dict(context))

    def from_uri(location: object, context: dict[str, object] | None = None) -> Any:
        return read_once(str(location), *(context or {}).items())

    module.Schema.from_uri = staticmethod(from_uri)
