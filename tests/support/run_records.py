"""Records of planned runs, as BPS's process writes them."""

__all__ = ["record_of"]

from apcampaign.bps import PlannedRun
from apcampaign.ledger import RunRecord, Workspace


def record_of(workspace: Workspace, run: PlannedRun, *, service: str, wms_id: str | None = None) -> RunRecord:
    """Make the record of a planned run that was prepared, without jobs and quanta."""
    files = workspace.paths.run(run)
    return RunRecord(
        campaign=workspace.campaign.name,
        step=run.step,
        timestamp=run.timestamp,
        butler=workspace.campaign.butler,
        inputs=run.inputs,
        output=run.output,
        output_run=run.output_run,
        config=str(files.config),
        submit_dir=str(files.submit),
        graph=str(files.graph(run.output_run)),
        wms_service=service,
        wms_id=wms_id,
        jobs={},
        quanta={},
    )
