"""The run that is checked (`RunSpec`): planned by a campaign, or described by any submit file."""

__all__ = ["RunSpec", "finding_from_error", "make_finding", "make_run_spec", "outputs_before"]

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...bps import (
    GRAPH_OPTIONS,
    InjectionSettings,
    Plan,
    PlannedRun,
    Step,
    StepSettings,
    Wms,
    build_config,
    read_config_overrides,
    wms_kind,
)
from ...bps.lint import Finding, Severity
from ...common.errors import ApcampaignError
from ...common.secrets import redact
from ...ledger import Workspace


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A run to be.

    Parameters
    ----------
    name
        Its name in the campaign's plan, or that of the submit file.
    butler
        The repository.
    inputs
        Collections to search.
    planned
        Those of them that runs before this one make.
    output, output_run
        Where its outputs go.
    query
        Its data query.
    pipeline
        Its pipeline file, with ``#subset`` if only a part is run.
    overrides
        What its options say about configurations: (label, field, value), with the label ``parameters`` for
        parameters of the pipeline.
    wanted
        Values that its data query asks for, by dimension.
    skip_existing
        Collections whose quanta it does not run again.
    config
        The BPS settings.
    rebases
        Whether its submission makes an output that exists already read the inputs of this run.
    campaign
        The name of its campaign; empty for a submit file.
    injection
        What the campaign says about injected sources, if it does.
    """

    name: str
    butler: str
    inputs: tuple[str, ...]
    planned: frozenset[str] = frozenset()
    output: str
    output_run: str
    query: str
    pipeline: str
    overrides: tuple[tuple[str, str, str], ...] = ()
    wanted: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    skip_existing: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    rebases: bool = False
    campaign: str = ""
    injection: InjectionSettings | None = None

    @property
    def existing_inputs(self) -> list[str]:
        """The inputs that must be in the repository already."""
        return [name for name in self.inputs if name not in self.planned]

    @property
    def wms_service(self) -> str:
        """The BPS plugin class that would run its jobs; empty where BPS's default does."""
        return str(self.config.get("wmsServiceClass") or "")

    @property
    def wms(self) -> Wms:
        """The WMS that would run its jobs."""
        return wms_kind(self.wms_service)


def make_run_spec(
    workspace: Workspace,
    run: PlannedRun,
    environment: Mapping[str, str],
    *,
    planned: Collection[str] = (),
) -> RunSpec:
    """Make the specification of a planned run, with the BPS config that it would get.

    Parameters
    ----------
    workspace
        The campaign.
    run
        The run.
    environment
        The submitter's variables.
    planned
        Collections that are made before it is prepared (`outputs_before`).

    Raises
    ------
    ApcampaignError
        If the config cannot be made.
    """
    # The APDB may not have been made yet; the pipeline only needs a name.
    apdb = workspace.planned_apdb_config
    config = build_config(
        workspace.campaign,
        run,
        workspace.site,
        submit_path=workspace.paths.run(run).submit,
        apdb_config=apdb,
        environment=environment,
        edges_added=True,
    )
    payload = config["payload"]
    settings: StepSettings = getattr(workspace.campaign, run.step)
    written = settings.data_query is not None  # nobody knows what it asks for
    wanted: dict[str, tuple[int | str, ...]] = {
        "band": workspace.campaign.bands or (),
        "tract": workspace.campaign.tracts or (),
    }
    return RunSpec(
        name=run.name,
        butler=str(payload["butlerConfig"]),
        inputs=run.inputs,
        planned=frozenset(planned) & frozenset(run.inputs),
        output=run.output,
        output_run=run.output_run,
        query=str(payload["dataQuery"]),
        pipeline=str(config["pipelineYaml"]),
        overrides=tuple(read_config_overrides(str(config.get(GRAPH_OPTIONS, "")))),
        wanted={} if written else wanted,
        skip_existing=run.skip_existing,
        config=config,
        rebases=True,
        campaign=workspace.campaign.name,
        injection=workspace.campaign.injection if run.step is Step.DIFFIM else None,
    )


def outputs_before(plan: Plan, run: PlannedRun) -> frozenset[str]:
    """Find the collections that are made before a run of a plan is prepared."""
    return frozenset(other.output for other in plan if other.name in plan.parents(run))


def make_finding(
    severity: Severity, rule: str, what: str, why: str, remedy: str, *, key: str | None = None
) -> Finding:
    """Make a finding about something that is in no file."""
    return Finding(severity=severity, rule=rule, what=what, why=why, remedy=remedy, key=key)


def finding_from_error(
    error: ApcampaignError, rule: str, why: str, *, remedy: str, key: str | None = None
) -> Finding:
    """Make a finding of an error; the remedy given is for an error that has none of its own."""
    what = f"{error.what}; expected {error.expected}" if error.expected else error.what
    return make_finding(Severity.ERROR, rule, redact(what), why, redact(error.remedy or remedy), key=key)
