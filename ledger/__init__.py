"""Records of a campaign's runs: what was submitted, and where its outputs and its files are.

The flow: a `Workspace` is a campaign with its site and its files (`CampaignPaths`, and below it the
`RunPaths` of each run and the `DagPaths` of each campaign DAG). What is submitted leaves a record there
(`RunRecord`, `DagRecord`, each written atomically, and `write_workflow`: the run's jobs); `read_ledger` reads
them all at once into a `Ledger`, which tells the current runs of a step. `submission_lock` keeps two
submissions apart.

Truth lives in Butler, the APDB and HTCondor; the records only say where to look for it.
"""

from .ledger import Ledger, read_ledger
from .lock import is_submitting, submission_lock
from .paths import CampaignPaths, DagPaths, RunPaths
from .records import DagRecord, RunRecord, hash_config, read_dag_record, read_run, write_dag_record, write_run
from .versions import installed_versions
from .workflow import Node, Workflow, read_dag, read_workflow, write_workflow
from .workspace import Workspace

__all__ = [
    "CampaignPaths",
    "DagPaths",
    "DagRecord",
    "Ledger",
    "Node",
    "RunPaths",
    "RunRecord",
    "Workflow",
    "Workspace",
    "hash_config",
    "installed_versions",
    "is_submitting",
    "read_dag",
    "read_dag_record",
    "read_ledger",
    "read_run",
    "read_workflow",
    "submission_lock",
    "write_dag_record",
    "write_run",
    "write_workflow",
]
