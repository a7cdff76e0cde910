"""BPS's own stages, one run at a time: prepare it, submit it, ask how it stands."""

__all__ = ["prepare_run", "run_state", "submit_run"]

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..bps import Campaign, PlannedRun, Site, Step, build_config, dump_config
from ..common.errors import SubmissionError
from ..common.files import write_atomically
from .footprints import read_footprints
from .ledger import RunRecord, write_run
from .monitor.workflow import write_workflow
from .order import order_edges
from .paths import RunPaths
from .surroundings import batch_environment

#: The cluster of jobs that read and write the APDB (see `apcampaign.bps.build_config`).
ASSOCIATION = "association"


def prepare_run(
    campaign: Campaign, run: PlannedRun, site: Site, paths: RunPaths, *, apdb_config: str | None = None
) -> tuple[RunRecord, Any]:
    """Let BPS build a run's graph and workflow, and put the order of visits into it.

    Parameters
    ----------
    campaign, run, site
        What to run and where.
    paths
        Where its files go; the folder must not hold a run yet.
    apdb_config
        The APDB that a diffim run fills.

    Returns
    -------
    record, workflow
        The run's page in the ledger, written, and BPS's workflow for `submit_run`.

    Raises
    ------
    SubmissionError
        If BPS fails; its message is the telling part of what BPS said.
    """
    if paths.record.exists():
        raise SubmissionError(f"{paths.folder} already holds a run; wait a second and try again")
    with batch_environment() as environment:
        config = build_config(
            campaign,
            run,
            site,
            submit_path=paths.submit,
            apdb_config=apdb_config,
            environment=environment,
            edges_added=True,
        )
        write_atomically(paths.config, dump_config(config))
        with _bps_speaks_to(paths.prepare_log):
            from lsst.ctrl.bps.drivers import transform_driver
            from lsst.ctrl.bps.prepare import prepare

            try:
                bps_config, workflow = transform_driver(str(paths.config), runWmsSubmissionChecks=True)
                if run.step is Step.DIFFIM:
                    _add_order(workflow, campaign)
                wms_workflow = prepare(bps_config, workflow, str(paths.submit))
            except Exception as error:
                raise SubmissionError(_explain(error, paths)) from error
    write_workflow(paths, workflow, run.output_run)
    record = RunRecord(
        campaign=campaign.name,
        step=run.step,
        timestamp=run.timestamp,
        butler=campaign.butler,
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        config=str(paths.config),
        submit_dir=str(paths.submit),
        graph=str(paths.graph(run.output_run)),
        wms_service=site.wms_service,
        apdb_config=apdb_config,
        jobs=dict(workflow.job_counts),
        quanta=dict(workflow.quanta_counts),
    )
    write_run(paths, record)
    return record, (bps_config, wms_workflow)


def submit_run(paths: RunPaths, record: RunRecord, prepared: Any) -> RunRecord:
    """Hand a prepared run to the workload manager.

    A workload manager without a queue of its own, such as Parsl, runs it to its end before this returns.

    Raises
    ------
    SubmissionError
        If the workload manager does not take it.
    """
    bps_config, wms_workflow = prepared
    with batch_environment(), _bps_speaks_to(paths.prepare_log):
        from lsst.ctrl.bps.submit import submit

        try:
            with contextlib.chdir(paths.folder):  # where Parsl puts its own files
                submitted = submit(bps_config, wms_workflow)
        except Exception as error:
            raise SubmissionError(_explain(error, paths)) from error
    wms_id = (submitted or wms_workflow).run_id
    record = record.model_copy(update={"wms_id": None if wms_id is None else str(wms_id)})
    write_run(paths, record)
    return record


def run_state(record: RunRecord) -> str | None:
    """Ask the workload manager how a run stands.

    Returns
    -------
    state
        The name of one of BPS's states, such as ``RUNNING`` or ``SUCCEEDED``; `None` if this workload
        manager cannot tell.
    """
    from lsst.ctrl.bps.status import status

    with batch_environment():
        try:
            state, _ = status(record.wms_service, record.submit_dir)
        except NotImplementedError:
            return None
    return str(state.name)


def _add_order(workflow: Any, campaign: Campaign) -> None:
    """Make the association of each (visit, detector) wait for earlier ones on the same sky."""
    from lsst.daf.butler import Butler

    jobs = {
        (int(job.tags["visit"]), int(job.tags["detector"])): job.name
        for job in workflow.get_jobs_by_label(ASSOCIATION)
    }
    keys = sorted(jobs)
    with Butler.from_config(campaign.butler) as butler:
        footprints, ranks = read_footprints(butler, campaign.instrument, keys)
    for parent, child in order_edges(footprints, ranks):
        workflow.add_job_relationships(jobs[keys[parent]], jobs[keys[child]])


@contextlib.contextmanager
def _bps_speaks_to(path: Path) -> Iterator[None]:
    """Send what BPS logs and prints to a file: our own words are what the user sees."""
    path.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    level = root.level
    with path.open("a", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        others = [other for other in root.handlers if other is not handler]
        for other in others:
            root.removeHandler(other)
        try:
            yield
        finally:
            root.removeHandler(handler)
            for other in others:
                root.addHandler(other)
            root.setLevel(level)


def _explain(error: Exception, paths: RunPaths) -> str:
    """Find the telling lines of a failure inside BPS."""
    lines = [f"BPS could not prepare or submit the run: {error}".splitlines()[0]]
    graph_log = paths.submit / "quantumGraphGeneration.out"
    if graph_log.exists() and not list(paths.submit.glob("*.qg")):
        text = graph_log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [
            line for line in text if re.match(r"[\w.]*(Error|Exception)\b", line) or " CRITICAL " in line
        ]
        empty = [line for line in text if "empty" in line.lower() or "no data" in line.lower()]
        lines += [f"  {line.strip()}" for line in (telling[-2:] or empty[-3:] or text[-3:])]
        lines.append(f"All of it is in {graph_log}")
    else:
        lines.append(f"All that BPS said is in {paths.prepare_log}")
    return os.linesep.join(lines)
