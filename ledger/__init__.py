"""Records of a campaign's runs: what was submitted, and where its outputs and its files are.

The flow: a `Workspace` is a campaign with its site and its files (`CampaignPaths`, and below it the
`RunPaths` of each run and the `DagPaths` of each campaign DAG). What is submitted leaves a record there
(`RunRecord`, `DagRecord`, each written atomically, and `write_workflow`: the run's jobs); `read_ledger` reads
them all at once into a `Ledger`, which tells the current runs of a step, also after their folder was moved
(`relocate_run`). A record that was damaged is made again by `restore_run` or `restore_dag_record`; what lies
beside it is read by `read_copy`. What was removed of a campaign has a record too (`RetirementRecord`): the runs
that are gone with it do not count any more. `read_quanta` compares the graph of a run with what the repository
holds of it. `submission_lock` keeps two submissions apart.

Truth lives in Butler, the APDB and HTCondor; the records only say where to look for it.
"""

from .continuation import find_continued
from .copies import check_campaign_copy, read_copy
from .dag_file import is_dag_whole, read_dag
from .graphs import has_graph
from .ledger import Ledger, read_ledger, read_sound_ledger
from .lock import is_submitting, read_holder, submission_lock
from .nodes import Node, Workflow
from .paths import CampaignPaths, DagPaths, RunPaths
from .quanta import Quantum, QuantumState, has_all_records, read_quanta
from .records import (
    DagRecord,
    RunRecord,
    hash_config,
    newest_of,
    read_dag_record,
    read_run,
    write_dag_record,
    write_run,
)
from .relocation import is_moved_dag, relocate_run
from .restoration import restore_dag_record, restore_run
from .retirement import (
    RetirementAct,
    RetirementKind,
    RetirementRecord,
    RetirementScope,
    read_retirements,
    sum_acts,
    write_retirement,
)
from .versions import installed_versions
from .workflow import keep_dimensions, read_workflow, write_nodes, write_workflow
from .workspace import Workspace

__all__ = [
    "CampaignPaths",
    "DagPaths",
    "DagRecord",
    "Ledger",
    "Node",
    "Quantum",
    "QuantumState",
    "RetirementAct",
    "RetirementKind",
    "RetirementRecord",
    "RetirementScope",
    "RunPaths",
    "RunRecord",
    "Workflow",
    "Workspace",
    "check_campaign_copy",
    "find_continued",
    "has_all_records",
    "has_graph",
    "hash_config",
    "installed_versions",
    "is_dag_whole",
    "is_moved_dag",
    "is_submitting",
    "keep_dimensions",
    "newest_of",
    "read_copy",
    "read_dag",
    "read_dag_record",
    "read_holder",
    "read_ledger",
    "read_quanta",
    "read_retirements",
    "read_run",
    "read_sound_ledger",
    "read_workflow",
    "relocate_run",
    "restore_dag_record",
    "restore_run",
    "submission_lock",
    "sum_acts",
    "write_dag_record",
    "write_nodes",
    "write_retirement",
    "write_run",
    "write_workflow",
]
