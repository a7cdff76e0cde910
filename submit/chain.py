"""The chain: both steps of a campaign in one HTCondor DAG, which needs nobody to be logged in."""

__all__ = ["NODES", "resubmit_chain", "submit_chain", "write_chain"]

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..bps import Campaign, Plan, Step
from ..bps.loading import dump_campaign
from ..common.errors import SubmissionError
from ..common.files import write_atomically
from .paths import CampaignPaths, ChainPaths
from .surroundings import batch_environment

#: The nodes between the runs, in the order of execution, and what each does.
NODES = {
    "gate": "check that the templates are there",
    "prepare-diffim": "build the graph of the diffim step against the new templates",
    "summary": "verify the APDB and say what came of it",
}

# By default DAGMan looks every five seconds whether a node has ended; whole seconds, and 0 stops it.
_DAGMAN_CONFIG = "DAGMAN_USER_LOG_SCAN_INTERVAL = 1\n"


def write_chain(
    campaign: Campaign, plan: Plan, paths: CampaignPaths, *, past_failures: bool = False
) -> ChainPaths:
    """Write the files of a chain: the campaign as it is now, a submit description a node, and the DAG.

    Parameters
    ----------
    campaign
        The campaign, with everything that overrode its file.
    plan
        Its runs: templates, unless they are there, then diffim. The first must be prepared already; the
        second is prepared by a node of the chain.
    paths
        Where the campaign's files are.
    past_failures
        Whether associations that failed in the newest diffim run shall not hold up later ones.
    """
    by_step = {run.step: run for run in plan.runs}
    diffim = by_step[Step.DIFFIM]
    chain = paths.chain(diffim.timestamp)
    write_atomically(chain.campaign, dump_campaign(campaign))
    again = ["--again"] if diffim.output in diffim.skip_existing else []
    again += ["--past-failures"] if past_failures else []
    for node in NODES:
        words = _command(chain, node, paths) + (again if node == "prepare-diffim" else [])
        write_atomically(chain.node(node, "sub"), _submit_description(chain, node, words))
    write_atomically(chain.dagman_config, _DAGMAN_CONFIG)
    lines = [
        f"# Campaign {campaign.name}: templates, then difference imaging against them.",
        f"CONFIG {_word(chain.dagman_config)}",
    ]
    if templates := by_step.get(Step.TEMPLATES):
        lines.append(_subdag("templates", paths.run(templates).dag(templates.output_run)))
        if campaign.allow_missing_templates:
            # Without this, the first failed patch would end the chain whatever the gate allows.
            script = [sys.executable, *_command(chain, "accept-templates", paths), "$RETURN"]
            lines.append(f"SCRIPT POST templates {' '.join(script)}")
    lines += [
        _job(chain, "gate"),
        _job(chain, "prepare-diffim"),
        _subdag("diffim", paths.run(diffim).dag(diffim.output_run)),
        *(["PARENT templates CHILD gate"] if Step.TEMPLATES in by_step else []),
        "PARENT gate CHILD prepare-diffim",
        "PARENT prepare-diffim CHILD diffim",
        # FINAL: it also runs, and tells why, when something before it failed.
        _job(chain, "summary", kind="FINAL"),
        "",
    ]
    write_atomically(chain.dag, "\n".join(lines))
    return chain


def submit_chain(chain: ChainPaths, campaign: Campaign) -> str:
    """Hand a chain to HTCondor.

    Returns
    -------
    cluster
        The id of the chain's DAGMan job.

    Raises
    ------
    SubmissionError
        If HTCondor does not take it.
    """

    def describe(htcondor2: Any) -> Any:
        description = htcondor2.Submit.from_dag(str(chain.dag), {})
        # The whole environment, so that the nodes find what this process finds.
        description["getenv"] = "True"
        description["batch_name"] = f"apcampaign+{campaign.name}"
        description["initialdir"] = str(chain.folder)
        write_atomically(chain.submission, str(description))
        return description

    return _submit(chain, describe)


def resubmit_chain(chain: ChainPaths) -> str:
    """Hand a chain that has ended to HTCondor again; DAGMan goes on from its newest rescue DAG.

    Returns and raises as `submit_chain`.
    """

    def describe(htcondor2: Any) -> Any:
        return htcondor2.Submit(chain.submission.read_text(encoding="utf-8"))

    for leftover in (chain.metrics, chain.summary):
        leftover.unlink(missing_ok=True)  # they would tell of the attempt before
    return _submit(chain, describe)


def _submit(chain: ChainPaths, describe: Callable[[Any], Any]) -> str:
    with batch_environment():
        try:
            import htcondor2

            result = htcondor2.Schedd().submit(describe(htcondor2))
        except Exception as error:
            raise SubmissionError(
                f"HTCondor did not take the chain {chain.dag}: {type(error).__name__}: {error}; "
                "see whether `condor_q` works here"
            ) from error
    return str(result.cluster())


def _command(chain: ChainPaths, node: str, paths: CampaignPaths) -> list[str]:
    """The words after ``python`` that run a node."""
    words = ["-m", "apcampaign.scripts.cli", "node", node, _word(chain.folder), "--runs"]
    return [*words, _word(paths.runs.resolve())]


def _submit_description(chain: ChainPaths, node: str, command: Sequence[str]) -> str:
    """Describe a node's job: it runs on the submit host, in the environment of whoever submitted the chain."""
    settings = {
        "universe": "local",
        "executable": sys.executable,
        "arguments": _arguments(command),
        "getenv": "True",
        "initialdir": str(chain.folder),
        "output": f"{node}.out",
        "error": f"{node}.err",
        "log": "nodes.log",
        "+apcampaign_node": f'"{node}"',
    }
    return "\n".join([*(f"{key} = {value}" for key, value in settings.items()), "queue", ""])


def _arguments(words: Sequence[str]) -> str:
    """Quote the arguments of a job in HTCondor's way: spaces in single quotes, quotes doubled."""
    quoted = []
    for word in words:
        word = word.replace('"', '""').replace("'", "''")
        quoted.append(f"'{word}'" if any(c.isspace() or c == "'" for c in word) else word)
    return f'"{" ".join(quoted)}"'


def _job(chain: ChainPaths, node: str, kind: str = "JOB") -> str:
    return f"{kind} {node} {_word(chain.node(node, 'sub'))}"


def _subdag(name: str, dag: Path) -> str:
    # BPS writes all paths in a run's DAG relative to its submit directory.
    return f"SUBDAG EXTERNAL {name} {_word(dag)} DIR {_word(dag.parent)}"


def _word(path: Path) -> str:
    text = os.fspath(path)
    if shlex.quote(text) != text:
        raise SubmissionError(
            f"{text!r} holds a space or a quote, which a DAG cannot carry; use another folder for the runs"
        )
    return text
