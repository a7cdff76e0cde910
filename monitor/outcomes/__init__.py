"""Outcomes of runs: quanta, products, templates, time and memory, read from repositories and metadata.

The flow: `count_quanta` counts the outcomes of runs' quanta, `count_products` counts what the steps have made
in the end, and `check_templates` finds which templates the science visits need and which of them are there.
`read_outcomes` also tells which quanta did not make all that they were to make, `find_missing_images` which
science images have no difference image, and why, and `find_left` what earlier runs have not done.
`find_troubled_quanta` finds the quanta that did not make what they should also while a run is active;
`read_task_usage` reads the time and the memory that tasks took. Nothing is changed.
"""

from .left_behind import LeftBehind, LeftImage, find_left
from .left_quanta import LeftQuantum, find_left_quanta
from .missing import MissingImage, find_missing_images
from .products import DIFFERENCE_IMAGE, PRODUCTS, TEMPLATE, count_products
from .provenance import QuantaTrouble, Unregistered, find_troubled_quanta, read_unregistered
from .quanta import (
    FAILED,
    Outcomes,
    QuantaCount,
    QuantumTrouble,
    add_counts,
    count_quanta,
    count_quanta_by_run,
    read_outcomes,
)
from .task_usage import Spread, TaskUsage, read_clusters, read_task_usage
from .templates import TemplateCoverage, check_templates, find_templates, require_templates

__all__ = [
    "DIFFERENCE_IMAGE",
    "FAILED",
    "PRODUCTS",
    "TEMPLATE",
    "LeftBehind",
    "LeftImage",
    "LeftQuantum",
    "MissingImage",
    "Outcomes",
    "QuantaCount",
    "QuantaTrouble",
    "QuantumTrouble",
    "Spread",
    "TaskUsage",
    "TemplateCoverage",
    "Unregistered",
    "add_counts",
    "check_templates",
    "count_products",
    "count_quanta",
    "count_quanta_by_run",
    "find_left",
    "find_left_quanta",
    "find_missing_images",
    "find_templates",
    "find_troubled_quanta",
    "read_clusters",
    "read_outcomes",
    "read_task_usage",
    "read_unregistered",
    "require_templates",
]
