"""What makes the tests of APDBs, each of which opens several, faster."""

import functools
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def _read_schemas_once() -> Iterator[None]:
    """Keep the schema of Rubin's APDB once it is read: its YAML takes longer than all else a small APDB does."""
    from felis.datamodel import Schema

    read = Schema.from_uri

    @functools.cache
    def read_once(location: str, *context: tuple[str, object]) -> Schema:
        return read(location, dict(context))

    def from_uri(location: object, context: dict[str, object] | None = None) -> Schema:
        return read_once(str(location), *(context or {}).items())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Schema, "from_uri", staticmethod(from_uri))
        yield
