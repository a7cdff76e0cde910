"""Which (visit, detector)s an APDB holds."""

__all__ = ["read_stored"]

from .associations import stored_associations
from .findings import VisitDetector
from .opening import Reference, find_apdb
from .tables import open_tables, snapshot


def read_stored(reference: Reference, namespace: str | None = None) -> frozenset[VisitDetector]:
    """Read which (visit, detector)s have rows in an APDB; parameters and errors as `find_apdb`."""
    place = find_apdb(reference, namespace)
    _, tables = open_tables(place)
    with snapshot(place) as connection:
        return frozenset((row.visit, row.detector) for row in stored_associations(connection, tables))
