"""Comparison of two campaigns, or of two submissions of one: what differs, by how much, and how significantly.

The flow: a `ComparableReader` reads each side into a `Comparable`: settings, software, configurations as the runs
have stored them, inputs, outcomes, costs, templates, and the catalogues of the APDB. What cannot be read is noted
there. `compare` decides on the two values, and asks nobody: it matches the catalogues on the sky
(`compare_sources`, `compare_objects`, on pandas DataFrames) and lists every `Difference` (`results`, `origins`),
the most important first. The `Comparison` gives the verdict; `render_comparison` draws it as a page like the
report's.
"""

from .catalogue_reader import Scorer
from .catalogue_values import CatalogueComparison, Counts, Shift
from .catalogues import compare_objects, compare_sources
from .comparison import Comparison
from .decide import compare
from .matching import Pairs, match_positions
from .model import Aspect, Comparable, Difference, Injected, Tolerances, Unread
from .reader import ComparableReader, select_runs
from .render import render_comparison
from .write import write_comparison

__all__ = [
    "Aspect",
    "CatalogueComparison",
    "Comparable",
    "ComparableReader",
    "Comparison",
    "Counts",
    "Difference",
    "Injected",
    "Pairs",
    "Scorer",
    "Shift",
    "Tolerances",
    "Unread",
    "compare",
    "compare_objects",
    "compare_sources",
    "match_positions",
    "render_comparison",
    "select_runs",
    "write_comparison",
]
