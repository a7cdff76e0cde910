"""The pair of BPS submit configs of a campaign, for templates and for difference imaging, as files.

They are for ``bps submit`` by hand, and named after the pipelines (``ApTemplate-DC2-bps.yaml``,
``ApPipe-DC2-bps.yaml``).
"""

__all__ = ["write_pair"]

import logging
import os
from pathlib import Path

from ..common.files import write_atomically
from .campaign import CampaignConfig, Ordering
from .config import build_config, describe_order, dump_config
from .planning import plan_campaign
from .site import Site

_log = logging.getLogger(__name__)


def write_pair(campaign: CampaignConfig, site: Site, folder: Path, *, apdb_config: str) -> list[Path]:
    """Write the submit configs of a campaign's runs, each named after its pipeline.

    Their order of visits is BPS's own (``ordering``), since a file alone cannot carry that of `apcampaign
    submit`.

    Parameters
    ----------
    campaign, site
        What to run, and where.
    folder
        Where the files go, and below it BPS's submit directories.
    apdb_config
        The APDB's configuration: a URI or ``label:NAME``.

    Returns
    -------
    files
        The files, in the order in which they are to be submitted.

    Raises
    ------
    SettingsError
        If a config cannot be made.
    """
    written = []
    for run in plan_campaign(campaign):
        config = build_config(
            campaign,
            run,
            site,
            submit_path=folder / "submit" / run.step / run.folder,
            apdb_config=apdb_config,
            environment=os.environ,
        )
        # BPS's own time, so that a file can be submitted more than once.
        config["payload"]["outputRun"] = f"{run.output}/{{timestamp}}"
        config["submitPath"] = f"{(folder / 'submit' / run.step).resolve()}/{{timestamp}}"
        if warning := describe_order(
            config, wanted=run.fills_apdb and campaign.diffim.ordering is not Ordering.NONE
        ):
            _log.warning("%s", warning)
        file = folder / f"{Path(run.pipeline.partition('#')[0]).stem}-bps.yaml"
        write_atomically(file, dump_config(config))
        written.append(file)
    return written
