"""Adoption: a run that was submitted with ``bps submit`` becomes a run of the campaign.

The flow: `read_adoption_state` reads the submit directories (`read_submit_directory`: settings, DAG, graph, logs,
queue) and what the campaign would run itself; `decide_adoption` says which step each is of, what is not as in the
campaign, and what keeps it from being adopted (`AdoptionPlan`); `execute_adoption` writes the records. The folder
of the run leads to its submit directory by a link, so that all readers of runs find it; nothing in it is changed.
"""

from .adoption import Adoption
from .decide import AdoptionState, decide_adoption
from .plan import AdoptionPlan, execute_adoption
from .state import plan_adoption, read_adoption_state
from .submit_directory import Progress, SubmitDirectory, read_submit_directory

__all__ = [
    "Adoption",
    "AdoptionPlan",
    "AdoptionState",
    "Progress",
    "SubmitDirectory",
    "decide_adoption",
    "execute_adoption",
    "plan_adoption",
    "read_adoption_state",
    "read_submit_directory",
]
