"""Associations of overlapping sky in time order, each exactly once.

The flow: an association is that of one (visit, detector) (`VisitDetector`). `read_footprints` asks Butler
which pixels of the sky each of them reads, and when; `Overlaps` holds that for the associations to come and
for those in the APDB, and `overlap_edges` finds which waits for which, without a repository. BPS makes jobs of
quanta with `apcampaign.ordering.clustering.cluster_by_visit`, and `add_order` puts these edges into its
workflow before it is submitted. Two guards refuse a prepared run that would associate
an image twice (`refuse_already_associated`) or out of time order (`refuse_out_of_order`).

After failures `read_associations` tells what a run has associated and what not. `find_skipped` finds those
that overlapping later visits did not wait for, `find_late` those that are earlier than what the APDB holds
of the same sky, `find_deferred` those that a next run is to put at the end of the order. Of images that are in no
graph of an association the parts before it tell: which they have made (`find_made`), and which not.
Where the APDB has lost one, `find_built_on` finds those that were made on it.
"""

from .associations import (
    READER,
    WRITER,
    Associations,
    VisitDetector,
    find_stored,
    read_associations,
    read_planned,
    read_planned_jobs,
    read_succeeded,
)
from .built_on import find_built_on
from .clustering import CLUSTER_BY_VISIT, find_tasks_between
from .data_ids import read_data_ids, select_raws, write_data_ids
from .guards import refuse_already_associated
from .overlaps import find_late
from .parts import find_made
from .skipped import SkippedAndWaiting, SkippedAssociation, describe_deferred, find_deferred, find_skipped
from .workflow import Order, add_order

__all__ = [
    "CLUSTER_BY_VISIT",
    "READER",
    "WRITER",
    "Associations",
    "Order",
    "SkippedAndWaiting",
    "SkippedAssociation",
    "VisitDetector",
    "add_order",
    "describe_deferred",
    "find_built_on",
    "find_deferred",
    "find_late",
    "find_made",
    "find_skipped",
    "find_stored",
    "find_tasks_between",
    "read_associations",
    "read_data_ids",
    "read_planned",
    "read_planned_jobs",
    "read_succeeded",
    "refuse_already_associated",
    "select_raws",
    "write_data_ids",
]
