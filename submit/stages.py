"""BPS's own stages, one run at a time: prepare it, submit it, ask how it stands."""

__all__ = ["prepare_again", "prepare_run", "run_state", "submit_run", "uses_htcondor"]

import contextlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..bps import Campaign, PlannedRun, Site, build_config, dump_config
from ..bps.loading import dump_campaign
from ..common.errors import ApcampaignError, SubmissionError
from ..common.files import write_atomically
from .collections import renew_output
from .ledger import RunRecord, hash_config, read_run, write_run
from .monitor.workflow import write_workflow
from .ordering import add_order
from .paths import RunPaths
from .surroundings import batch_environment


def prepare_run(
    campaign: Campaign,
    run: PlannedRun,
    site: Site,
    paths: RunPaths,
    *,
    apdb_config: str | None = None,
    late: Mapping[tuple[int, int], int] | None = None,
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
    late
        (visit, detector)s that others shall not wait for (see `apcampaign.submit.ordering.add_order`).

    Returns
    -------
    record, workflow
        The run's page in the ledger, written, and BPS's workflow for `submit_run`.

    Raises
    ------
    SubmissionError
        If BPS fails; its message is the telling part of what BPS said. If the order of visits cannot be made.
    ApdbError
        If the APDB cannot be read.
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
        renew_output(campaign.butler, run)
        write_atomically(paths.config, dump_config(config))
        write_atomically(paths.campaign, dump_campaign(campaign))
        with _bps_speaks_to(paths.prepare_log):
            from lsst.ctrl.bps.drivers import transform_driver
            from lsst.ctrl.bps.prepare import prepare

            try:
                bps_config, workflow = transform_driver(str(paths.config), runWmsSubmissionChecks=True)
                if apdb_config is not None:
                    add_order(workflow, campaign, apdb_config, late)
                wms_workflow = prepare(bps_config, workflow, str(paths.submit))
            except ApcampaignError:
                raise
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
        config_hash=hash_config(config),
    )
    write_run(paths, record)
    return record, (bps_config, wms_workflow)


def prepare_again(
    campaign: Campaign,
    run: PlannedRun,
    site: Site,
    paths: RunPaths,
    *,
    apdb_config: str | None = None,
    late: Mapping[tuple[int, int], int] | None = None,
) -> RunRecord:
    """Prepare a run, unless it is prepared, and whatever is left of an attempt that was cut off.

    HTCondor begins a job again that was running when its host went down. Parameters and errors as `prepare_run`.
    """
    if paths.record.exists():
        return read_run(paths)
    if paths.submit.exists():
        shutil.rmtree(paths.submit)
    record, _ = prepare_run(campaign, run, site, paths, apdb_config=apdb_config, late=late)
    return record


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


def uses_htcondor(record: RunRecord) -> bool:
    """Tell whether a run's jobs go to HTCondor."""
    return ".htcondor." in record.wms_service


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
