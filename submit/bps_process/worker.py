"""The child's side of a BPS process: lets BPS prepare or submit one run, as a `Request` asks.

``python -m apcampaign.submit.bps_process.worker`` reads a `Request` from its standard input and does it. The
record of the run in the ledger is the result, and an error goes as JSON to the file that the request names.
Whatever BPS logs and prints goes where its caller sends it (`apcampaign.submit.bps_process.driver`).
"""

__all__ = ["Request"]

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...bps import PlannedRun, Wms, build_config, dump_config
from ...bps.lint.includes import INCLUDE
from ...common.errors import ApcampaignError, BpsError, EmptyGraphError
from ...common.explain import explain
from ...common.files import keep_others_out, write_atomically
from ...common.processes import collect_seldom, end_with_parent
from ...common.reading import read_text
from ...ledger import RunPaths, RunRecord, Workspace, hash_config, read_workflow, write_run, write_workflow
from ...ordering import Order, add_order, refuse_already_associated, write_data_ids
from ..outputs.collections import choose_inputs, rebase_output_chain
from .graph import build_graph
from .job_command import write_out_command
from .passing import let_dagman_pass, let_parsl_pass

#: What ``pipetask qgraph`` says last of a graph without quanta; it writes it, and ends with 1.
_NO_QUANTA = "QuantumGraph contains no quanta"

_GRACE = 10.0  # seconds in which it ends, once nobody is there any more who has asked

_log = logging.getLogger(__name__)


class Request(BaseModel):
    """What BPS is to do.

    Parameters
    ----------
    folder
        Where the run's files go; it holds the campaign as it is now (`RunPaths.campaign`).
    runs
        The folder of all campaigns' runs.
    run
        The run.
    apdb_config
        The APDB that the run fills.
    deferred
        The (visit, detector)s that others need not wait for, and the place of each (see
        `apcampaign.ordering.add_order`).
    refuse_associated
        Whether to refuse a run that would associate what its APDB holds already.
    submit
        Whether to hand the run to its WMS when it is prepared.
    error
        Where an error goes.
    parent
        The id of the process that asks: without it nothing goes on.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    runs: Path
    run: PlannedRun
    apdb_config: str | None = None
    deferred: tuple[tuple[int, int, int], ...] = ()
    refuse_associated: bool = False
    submit: bool = False
    error: Path
    parent: int


class _BpsClock:
    """Counts the CPU time of what BPS does: ``with`` it."""

    def __init__(self) -> None:
        self.bps = self.graph = 0.0
        self._begin = os.times()

    def __enter__(self) -> None:
        self._begin = os.times()

    def __exit__(self, *_: object) -> None:
        end = os.times()
        self.bps += end.user + end.system - self._begin.user - self._begin.system
        self.graph += sum(end[2:4]) - sum(self._begin[2:4])

    def describe(self) -> str:
        """Say where the time has gone; building the graph is all that BPS has other processes for."""
        ours = time.process_time() - self.bps
        return f"CPU time: graph {self.graph:.1f} s, BPS {self.bps:.1f} s, apcampaign {ours:.1f} s"


def _work(request: Request) -> int:
    """Do what a request says, in a process that does nothing else; 0 if it was done."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    keep_others_out()
    collect_seldom()
    # A command in the background of a shell ignores interrupts; but by them it ends this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_with_parent(request.parent, _GRACE)
    try:
        _execute(request)
    except Exception as raised:
        error = explain(raised)
        if error is not raised:
            logging.getLogger(__name__).exception("not expected")
        content = {"kind": type(error).__name__, "what": error.what}
        content |= {"expected": error.expected, "remedy": error.remedy}
        write_atomically(request.error, json.dumps(content))
        return 1
    return 0


def _execute(request: Request) -> None:
    files = RunPaths(request.folder)
    workspace = Workspace.open(files.campaign, request.runs, environment={})
    record, prepared = _prepare(workspace, files, request)
    if request.submit:
        _submit(files, record, prepared)


def _prepare(workspace: Workspace, files: RunPaths, request: Request) -> tuple[RunRecord, Any]:
    """Let BPS build graph and workflow, and put the order of visits into it."""
    campaign, apdb_config, clock = workspace.campaign, request.apdb_config, _BpsClock()
    with clock:
        from lsst.ctrl.bps.drivers import cluster_qgraph_driver
        from lsst.ctrl.bps.prepare import prepare
        from lsst.ctrl.bps.transform import transform

    run = choose_inputs(campaign.butler, request.run)
    config_hash = _write_config(workspace, files, run, apdb_config)
    if not run.part:
        rebase_output_chain(campaign.butler, run)
    try:
        # Not BPS's `transform_driver`, which does the same: the clustered graph tells which quanta a job has.
        with clock, build_graph(files.config) as options:
            bps_config, clustered = cluster_qgraph_driver(
                str(files.config), runWmsSubmissionChecks=True, **options
            )
            workflow, bps_config = transform(bps_config, clustered, str(files.submit))
        order = Order()
        if apdb_config is not None:
            deferred = {(visit, detector): place for visit, detector, place in request.deferred}
            order = add_order(workflow, clustered, campaign, apdb_config, deferred)
        # What comes after a part goes on without what has failed in it, whatever waits for what within it.
        passes = workspace.site.wms if order.edges or (run.part and order.writers) else None
        if passes is Wms.PARSL:
            let_parsl_pass(files, workflow, order, str(apdb_config), retries=_count_retries(bps_config))
        with clock:
            wms_workflow = prepare(bps_config, workflow, str(files.submit))
        if passes is Wms.HTCONDOR:
            let_dagman_pass(files, run.output_run, workflow, order, str(apdb_config))
    except ApcampaignError:
        raise
    except Exception as error:
        raise _bps_error(error, files) from error
    write_workflow(
        files, workflow, run.output_run, order=order.edges if passes in (Wms.HTCONDOR, Wms.PARSL) else ()
    )
    record = RunRecord(
        campaign=campaign.name,
        step=run.step,
        part=run.part,
        stage=run.stage,
        division=run.division,
        timestamp=run.timestamp,
        butler=campaign.butler,
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        config=str(files.config),
        submit_dir=str(files.submit),
        graph=str(files.graph(run.output_run)),
        wms_service=workspace.site.wms_service,
        apdb_config=apdb_config,
        query=run.query,
        jobs=dict(workflow.job_counts),
        quanta=dict(workflow.quanta_counts),
        config_hash=config_hash,
    )
    if request.refuse_associated and apdb_config is not None:
        refuse_already_associated(record)
    write_run(files, record)
    _log.info("%s", clock.describe())
    return record, (bps_config, wms_workflow)


def _count_retries(bps_config: Any) -> int:
    """Tell how often Parsl tries a failed job again: it does once, unless its site says otherwise."""
    from lsst.ctrl.bps.parsl.configuration import get_bps_config_value
    from lsst.ctrl.bps.parsl.site import SiteConfig

    retries: int = get_bps_config_value(SiteConfig.get_site_subconfig(bps_config), "retries", int, 1)
    return retries


def _write_config(workspace: Workspace, files: RunPaths, run: PlannedRun, apdb_config: str | None) -> str:
    """Write the BPS config of a run, and the table of its raw images if it has one; give the config's hash."""
    data_ids = files.data_ids if run.graph_query else None
    if data_ids is not None:
        write_data_ids(workspace.campaign.butler, run, data_ids)
    config = build_config(
        workspace.campaign,
        run,
        workspace.site,
        submit_path=files.submit,
        apdb_config=apdb_config,
        data_ids=data_ids,
        environment=os.environ,
        edges_added=True,
    )
    config_hash = hash_config(config)
    # A file that is included may have another command for some jobs.
    ours = INCLUDE not in config and workspace.site.wms in (Wms.HTCONDOR, Wms.PARSL)
    if ours and (command := write_out_command(config)):
        config["runQuantumCommand"] = command
    write_atomically(files.config, dump_config(config))
    return config_hash


def _submit(files: RunPaths, record: RunRecord, prepared: Any) -> None:
    """Hand a prepared run to its WMS; one without a queue, such as Parsl, runs it to its end."""
    bps_config, wms_workflow = prepared
    from lsst.ctrl.bps.submit import submit

    try:
        with contextlib.chdir(files.folder):  # where Parsl puts its own files
            submitted = submit(bps_config, wms_workflow)
    except Exception as error:
        if record.wms is Wms.PARSL and isinstance(error, subprocess.CalledProcessError):
            _note_failure(files, record)
        raise _bps_error(error, files) from error
    wms_id = (submitted or wms_workflow).run_id
    write_run(files, record.model_copy(update={"wms_id": None if wms_id is None else str(wms_id)}))


def _note_failure(files: RunPaths, record: RunRecord) -> None:
    """Note which of the first and the last job has failed: Parsl runs them by itself, and its log has neither."""
    workflow = read_workflow(files, record.output_run)
    begun = [name for name in workflow.nodes if (files.submit / "logs" / name / f"{name}.stderr").exists()]
    if begun:
        write_atomically(files.order / "failed" / begun[-1], "")


def _bps_error(error: Exception, files: RunPaths) -> BpsError:
    """Find the telling lines of a failure inside BPS."""
    lines = [f"BPS could not prepare or submit the run: {error}".splitlines()[0]]
    graph_log = files.submit / "quantumGraphGeneration.out"
    text = read_text(graph_log, errors="replace").splitlines() if graph_log.exists() else []
    no_quanta = any(_NO_QUANTA in line for line in text[-10:])
    if text and (no_quanta or not list(files.submit.glob("*.qg"))):
        telling = [
            line for line in text if re.match(r"[\w.]*(Error|Exception)\b", line) or " CRITICAL " in line
        ]
        empty = [line for line in text if "empty" in line.lower() or "no data" in line.lower()]
        lines += [f"  {line.strip()}" for line in (telling[-2:] or empty[-3:] or text[-3:])]
        lines.append(f"All of it is in {graph_log}")
    else:
        lines.append(f"All that BPS said is in {files.prepare_log}")
    return (EmptyGraphError if no_quanta else BpsError)("\n".join(lines))


if __name__ == "__main__":
    sys.exit(_work(Request.model_validate_json(sys.stdin.read())))
