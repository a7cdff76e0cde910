"""Provenance of a campaign's results: settings, collections, versions, files."""

__all__ = ["list_files", "list_provenance"]

from collections.abc import Sequence

import yaml

from ..bps import CampaignConfig
from ..common.reading import read_text
from ..common.secrets import redact
from ..ledger import CampaignPaths, Ledger, RunRecord, newest_of
from ..monitor.submitted import find_current_dag


def list_provenance(
    campaign: CampaignConfig, ledger: Ledger, records: Sequence[RunRecord]
) -> dict[str, dict[str, str]]:
    """List what tells where the results are from.

    Parameters
    ----------
    campaign
        The campaign as it was submitted.
    ledger
        Its records.
    records
        Its current runs, at least one.

    Returns
    -------
    provenance
        Values by name, by title.
    """
    shown: dict[str, dict[str, str]] = {
        "Campaign": {
            "name": campaign.name,
            "operator": campaign.operator,
            "repository": campaign.butler,
            "instrument": campaign.instrument,
            "skymap": campaign.skymap,
            "tracts": ", ".join(map(str, campaign.tracts or ("all",))),
            "bands": ", ".join(campaign.bands or ("all",)),
            "site": campaign.site,
            "files": str(ledger.paths.folder),
        }
    }
    if dag := find_current_dag(ledger):
        shown["Campaign"]["campaign DAG"] = str(dag[0].folder)
    for record in records:
        shown[f"Run: {record.name}"] = {
            "inputs": ", ".join(record.inputs),
            "output": record.output,
            "RUN collection": record.output_run,
            "submit directory": record.adopted_from or record.submit_dir,
            "quantum graph": record.graph,
            "BPS plugin": record.wms_service,
            **({"id": record.wms_id} if record.wms_id else {}),
            **({"APDB": record.apdb_config} if record.apdb_config else {}),
        }
    newest = newest_of(records)
    shown["Versions"] = dict(newest.versions)
    return shown


def list_files(
    campaign: CampaignConfig, paths: CampaignPaths, records: Sequence[RunRecord]
) -> dict[str, str]:
    """List the texts of the campaign as it was submitted and of its runs' BPS configs, by title."""
    settings = campaign.model_dump(mode="json", by_alias=True, exclude_none=True)
    shown = {
        "The campaign as it was submitted": redact(yaml.safe_dump(settings, sort_keys=False)),
    }
    for record in records:
        path = paths.run(record).config
        if path.exists():
            text = read_text(path, errors="replace")
            shown[f"BPS config of {record.name}"] = redact(text)
    return shown
