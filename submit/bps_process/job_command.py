"""The command of jobs, written out: BPS would look up its variables for each job, a third of transforming."""

__all__ = ["write_out_command"]

import re
from collections.abc import Mapping
from typing import Any

_COMMAND = "runQuantumCommand"
_NAME = re.compile(r"(?<!\$)\{(\w+)\}")
#: What BPS fills in for each job.
_OF_A_JOB = frozenset({"qgraphFile", "qgraphNodeId"})


def write_out_command(config: Mapping[str, Any]) -> str | None:
    """Write out the command with which jobs run quanta, but for what each job has of its own.

    Parameters
    ----------
    config
        The BPS config of a run.

    Returns
    -------
    command
        For BPS, as its key ``runQuantumCommand``; `None` where it is not the same for all jobs.
    """
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig

    settings = BpsConfig(dict(config), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
    values = {"curr_site": config["computeSite"]}
    raw = {"curvals": values, "replaceVars": False, "expandEnvVars": False}
    used, kept, front = {_COMMAND, "computeSite", "computeCloud"}, set(_OF_A_JOB), [_COMMAND]
    while front:
        name = front.pop()
        found, value = settings.search(name, opt=dict(raw))
        if not found:
            kept.add(name)  # a tag of the job, or a mistake
            continue
        if "bpsEval" in str(value):
            return None
        new = set(_NAME.findall(str(value))) - used - kept
        used |= new
        front += new
    for kind in ("pipetask", "cluster"):
        _, sections = settings.search(kind, opt=dict(raw))
        # The job that initialises the run has a command of its own.
        for label in sections.names(topLevelOnly=True):
            # What is no section is a value for those without one.
            section = isinstance(sections[label], Mapping)
            if label in used or (
                section
                and label != "pipetaskInit"
                and any(f".{kind}.{label}.{name}" in settings for name in used)
            ):
                return None
    _, command = settings.search(_COMMAND, opt=raw | {"replaceVars": True, "skipNames": sorted(kept)})
    return str(command)
