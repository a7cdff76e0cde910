"""`Campaign`, the Python API: everything that the commands do with one campaign, returned as values.

Its methods are in modules by what they are for, ``campaign_*.py``.
"""

__all__ = ["Campaign"]

from collections.abc import Mapping, Sequence
from pathlib import Path

from .campaign_lifecycle import CampaignLifecycle
from .campaign_monitoring import CampaignMonitoring
from .campaign_preparation import CampaignPreparation
from .campaign_results import CampaignResults
from .campaign_submission import CampaignSubmission


class Campaign(
    CampaignPreparation, CampaignSubmission, CampaignMonitoring, CampaignResults, CampaignLifecycle
):
    """One alert production campaign.

    Open one with `Campaign.open`. What is asked is read anew each time; nothing is kept, so several may be
    open for one campaign, here and elsewhere.

    Parameters
    ----------
    workspace
        The campaign and its files.

    Notes
    -----
    Errors that the user can act on are subclasses of `apcampaign.common.errors.ApcampaignError`, with the
    attributes ``what``, ``expected`` and ``remedy``. What is being done is logged under the name ``apcampaign``.
    """

    @classmethod
    def open(
        cls,
        file: str | Path = "campaign.yaml",
        *,
        runs: str | Path = "runs",
        butler: str | None = None,
        tracts: Sequence[int] | str | None = None,
        bands: Sequence[str] | str | None = None,
        day_obs: Sequence[int] | int | str | None = None,
        site: str | None = None,
        namespace: str | None = None,
        allow_missing_templates: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "Campaign":
        """Open a campaign.

        Parameters
        ----------
        file
            The campaign file.
        runs
            The folder of all campaigns' runs.
        butler, tracts, bands, day_obs, site, namespace, allow_missing_templates
            What overrides the file; ``day_obs`` as YYYYMMDD or ranges of such,
            ``allow_missing_templates`` in percent.
        environment
            Variables that override the file (docs/campaign.md); by default those of this process.

        Raises
        ------
        SettingsError
            If the file cannot be read or used; it names all mistakes.
        """
        from .ledger import Workspace

        flags = {
            ("butler",): butler,
            ("tracts",): tracts,
            ("bands",): bands,
            ("dayObs",): day_obs,
            ("site",): site,
            ("apdb", "namespace"): namespace,
            ("allowMissingTemplates",): allow_missing_templates,
        }
        return cls(Workspace.open(Path(file), Path(runs), flags=flags, environment=environment))
