"""Planning of a campaign: from its settings to the plan, one run for a step."""

__all__ = ["plan_campaign"]

from collections.abc import Collection, Mapping, Sequence

from ..common.errors import SettingsError
from .campaign import CampaignConfig, Step, StepSettings
from .plan import Plan, PlannedRun, make_timestamp
from .query import check_length, make_query


def plan_campaign(
    campaign: CampaignConfig,
    *,
    timestamp: str | None = None,
    steps: Collection[Step] | None = None,
    templates: str | None = None,
    skip_done: Mapping[Step, Sequence[str]] | None = None,
) -> Plan:
    """Name the runs of a campaign.

    Parameters
    ----------
    campaign
        What to run.
    timestamp
        When the runs are planned; now by default.
    steps
        The steps to execute; all that the campaign has by default.
    templates
        The collection with the templates for difference imaging; by default what the campaign names, or the output
        of its own first step.
    skip_done
        The RUN collections of earlier runs of a step, by step, whose quanta that are done are not to be run again.
        (The step's CHAINED output would not do: it also reads its inputs, such as the templates.)

    Raises
    ------
    SettingsError
        If a step is not one of the campaign's, or its data query is too long for a command.
    """
    steps = campaign.steps if steps is None else steps
    if other := sorted(set(steps) - set(campaign.steps)):
        raise SettingsError(
            f"steps: campaign {campaign.name} has no step {', '.join(other)}",
            expected=f"one of {', '.join(campaign.steps)}",
        )
    templates = templates or campaign.diffim.templates
    timestamp = timestamp or make_timestamp()
    root = campaign.root_collection
    runs = []
    for step in Step:
        if step not in steps:
            continue
        settings: StepSettings = getattr(campaign, step)
        inputs = settings.input_collections or campaign.input_collections
        output = f"{root}/{step}"
        skip = list((skip_done or {}).get(step, ()))
        if step is Step.DIFFIM:
            catalog = campaign.injection.catalog if campaign.injection else ()
            inputs = (templates or f"{root}/{Step.TEMPLATES}", *catalog, *inputs)
            if campaign.diffim.skip_existing is not None:
                skip += campaign.diffim.skip_existing
            elif inputs[0] != campaign.diffim.templates:  # others may have calibrated differently
                skip.append(inputs[0])  # what the first step has calibrated
        runs.append(
            PlannedRun(
                step=step,
                timestamp=timestamp,
                pipeline=settings.pipeline,
                query=_make_query(campaign, settings),
                graph_query=_make_graph_query(campaign, settings) if step is Step.DIFFIM else "",
                inputs=inputs,
                output=output,
                skip_existing=tuple(skip),
            )
        )
    for run in runs:
        # The query of raws that come in a table is no argument.
        check_length(run.graph_query or run.query, str(run.step))
    edges = {
        (before.name, after.name)
        for before in runs
        for after in runs
        if before.step is Step.TEMPLATES and after.needs_templates and not templates
    }
    return Plan(timestamp=timestamp, runs=tuple(runs), edges=frozenset(edges))


def _make_query(campaign: CampaignConfig, settings: StepSettings) -> str:
    return settings.data_query or make_query(
        instrument=campaign.instrument,
        skymap=campaign.skymap,
        tracts=campaign.tracts,
        bands=campaign.bands,
        nights=campaign.day_obs,
        where=(campaign.where, settings.where),
    )


def _make_graph_query(campaign: CampaignConfig, settings: StepSettings) -> str:
    """Make the query for a graph whose raws come in a table; empty if its own query can stay."""
    limited = campaign.tracts or campaign.day_obs or campaign.where or settings.where
    if settings.data_query or not limited:
        return ""
    return make_query(
        instrument=campaign.instrument, skymap=campaign.skymap, tracts=None, bands=None, where=()
    )
