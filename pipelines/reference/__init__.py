"""What apcampaign relies on in Rubin's public pipelines, as a dated table, and comparisons with it.

``table.yaml`` lists for each pipeline its parameters, subsets, contracts and tasks, and for each task its
class, its overrides of configuration, its dimensions, and what it reads and writes. `load_table` reads it;
`read_pipeline` finds the same facts in a pipeline of the stack that is set up (or of plain checkouts, where
the classes of the tasks cannot be imported: then without dimensions and dataset types);
`compare_pipelines` tells in plain words what is different. ``tools/renew-table`` writes the table anew.
"""

from .comparison import Difference, Weight, compare_pipelines
from .reading import read_pipeline
from .table import (
    Dataset,
    PackageVersion,
    PipelineFacts,
    PublicTable,
    TaskFacts,
    dump_table,
    load_table,
    parse_table,
)

__all__ = [
    "Dataset",
    "Difference",
    "PackageVersion",
    "PipelineFacts",
    "PublicTable",
    "TaskFacts",
    "Weight",
    "compare_pipelines",
    "dump_table",
    "load_table",
    "parse_table",
    "read_pipeline",
]
