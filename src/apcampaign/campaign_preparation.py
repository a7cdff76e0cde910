"""What `Campaign` does before anything is submitted: look ahead, and make the APDB."""

__all__ = ["CampaignPreparation"]

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .campaign_handle import CampaignHandle, StepName, selected_steps

if TYPE_CHECKING:
    from .apdb import ApdbCreated, InitPlan
    from .bps.lint import Finding
    from .campaign_apdb import CampaignApdb
    from .submit.forecast import Forecast
    from .submit.preflight import Inspection, Preflight


class CampaignPreparation(CampaignHandle):
    """Checks, forecasts, configurations, and the APDB."""

    def check(self, step: StepName | None = None, *, templates: str | None = None) -> "Preflight":
        """Find what would go wrong before anything is submitted. Changes nothing.

        Parameters
        ----------
        step
            Check one step only.
        templates
            A collection with templates; by default the campaign's own first step makes them.
        """
        from .submit.preflight import check_campaign

        return check_campaign(self._workspace, steps=selected_steps(step), templates=templates)

    def check_stack(self) -> "list[Finding]":
        """Compare Rubin's pipelines, as they are set up, with what apcampaign relies on. Changes nothing."""
        from .submit.preflight import check_stack

        return check_stack(self.settings.instrument)

    def inspect(self) -> "Inspection":
        """Look at what the repository holds for the campaign: collections, visits, bands, coverage of patches.

        Raises
        ------
        RepositoryError
            If the repository cannot be read.
        """
        from .submit.preflight import inspect_repository

        return inspect_repository(self.settings)

    def forecast(self, slots: int | None = None, *, templates: str | None = None) -> "Forecast":
        """Forecast quanta, jobs, core-hours, disk and time. Changes nothing.

        Parameters
        ----------
        slots
            On how many slots; by default those that the site has now.
        templates
            A collection with templates; by default the campaign's own first step makes them.

        Raises
        ------
        ApcampaignError
            If the repository, a pipeline or a data query cannot be used.
        """
        from .submit.forecast import make_forecast

        return make_forecast(self._workspace, slots=slots, templates=templates)

    def write_configs(self, folder: str | Path = "configs", *, apdb_config: str | None = None) -> list[Path]:
        """Write the pair of BPS submit configs, for ``bps submit`` by hand.

        Parameters
        ----------
        folder
            Where they go.
        apdb_config
            The APDB's configuration: a URI or ``label:NAME``; the campaign's by default.

        Returns
        -------
        files
            The files, in the order in which they are to be submitted.
        """
        from .bps import write_pair

        apdb_config = apdb_config or self._workspace.planned_apdb_config
        return write_pair(self.settings, self._workspace.site, Path(folder), apdb_config=apdb_config)

    def plan_apdb(self, url: str | None = None, **options: Any) -> "InitPlan":
        """Decide how an empty APDB is made; `apcampaign.apdb.init_apdb` executes the returned plan.

        Parameters
        ----------
        url
            ``postgresql://user@host/database`` or ``sqlite:///file``; the campaign's by default.
        options
            As for `apcampaign.apdb.plan_init`.

        Raises
        ------
        ApdbError
            If it cannot be made there.
        """
        from .apdb import ApdbTarget, namespace_for, plan_init
        from .common.errors import SettingsError

        settings = self.settings.apdb
        if settings.config and not url:
            raise SettingsError(f"the campaign uses the ready APDB {settings.config}; there is none to make")
        url = url or settings.url
        if not url:
            raise SettingsError(
                "an APDB needs a database",
                remedy="name one: postgresql://user@host/database or sqlite:///file",
            )
        namespace = None
        if not url.startswith("sqlite"):
            namespace = settings.namespace or namespace_for(self.name)
        arguments = {
            "instrument": self.settings.instrument,
            "config": self._workspace.paths.apdb_config,
            "campaign": self.name,
        }
        return plan_init(ApdbTarget.from_url(url, namespace), **{**arguments, **options})

    def create_apdb(self, url: str | None = None, **options: Any) -> "ApdbCreated":
        """Make an empty APDB for the campaign; parameters and errors as `plan_apdb`.

        Raises
        ------
        PreconditionError
            If one is there that is to be dropped, and a campaign that fills it is active.
        """
        from .apdb import init_apdb
        from .submit.preconditions.apdb_hold import hold_apdb, read_fillers

        plan = self.plan_apdb(url, **options)
        with hold_apdb(read_fillers(self._workspace.runs, plan.target)) if plan.dropped else nullcontext():
            return init_apdb(plan)

    @property
    def apdb(self) -> "CampaignApdb":
        """The campaign's APDB.

        Raises
        ------
        ApdbError
            If it has not been made.
        """
        from .campaign_apdb import CampaignApdb

        return CampaignApdb(self._workspace.find_apdb_config(), self._workspace.runs)
