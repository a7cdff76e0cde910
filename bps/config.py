"""The BPS submit config of one planned run, as a mapping, and its YAML."""

__all__ = ["UNORDERED", "build_config", "build_query", "dump_config"]

import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import CampaignError
from ..pipelines import find_pipeline
from .campaign import Campaign, Ordering, StepSettings
from .data import merge, read_mapping
from .plan import PlannedRun, Step
from .query import make_query
from .site import Site

_HEADER = """\
# BPS submit config of the {step} step of campaign {campaign}, made by apcampaign.
# Change the campaign file and make it again rather than change this.
"""


#: What is to be said of a campaign without an order of visits.
UNORDERED = (
    "warning: diffim: ordering: none: associations do not wait for each other, so a visit may read the APDB "
    "before an earlier one of the same sky has written it, and its history goes missing; take 'overlap'"
)


def build_config(
    campaign: Campaign,
    run: PlannedRun,
    site: Site,
    *,
    submit_path: Path,
    apdb_config: str | None = None,
    environment: Mapping[str, str],
    edges_added: bool = False,
) -> dict[str, Any]:
    """Make the BPS submit config of a run.

    Parameters
    ----------
    campaign, run, site
        What to run and where.
    submit_path
        The folder BPS shall make and fill.
    apdb_config
        URI of the APDB configuration, or ``label:NAME``; needed by the diffim step.
    environment
        The variables of whoever submits; those that the site passes on become the jobs'.
    edges_added
        Whether the order of visits will be put into the workflow as edges of its own before it is
        submitted. Then the association of one (visit, detector) is one job and BPS is not asked for an
        order, which it would only give to tasks that are not clustered.

    Returns
    -------
    config
        A mapping of plain values, ready for `dump_config`.

    Raises
    ------
    CampaignError
        If the diffim step has no APDB, or a path could not survive BPS's substitutions.
    PipelineError
        If the pipeline file does not exist.
    """
    settings: StepSettings = getattr(campaign, run.step)
    payload = {
        "payloadName": f"{campaign.name}/{run.step}",
        "butlerConfig": campaign.butler,
        "inCollection": ",".join(run.inputs),
        "output": run.output,
        "outputRun": run.output_run,
        "dataQuery": build_query(campaign, run.step),
    }
    ours: dict[str, Any] = {
        "pipelineYaml": find_pipeline(settings.pipeline),
        "project": "apcampaign",
        "campaign": campaign.name,
        "operator": campaign.operator,
        "submitPath": str(submit_path.resolve()),
        "payload": payload,
    }
    step_data = read_mapping(Path(str(resources.files(__package__))) / "steps" / f"{run.step}.yaml")
    options = ["--skip-existing-in", ",".join(run.skip_existing)] if run.skip_existing else []
    if run.step is Step.DIFFIM:
        if apdb_config is None:
            raise CampaignError(
                "apdb: the diffim step needs an APDB; give its 'url' and make it with `apcampaign apdb init`, "
                "or give the 'config' of a ready one"
            )
        options += ["-c", f"parameters:apdb_config={apdb_config}"]
        # Parsl cannot run the empty nodes of which BPS makes an order.
        if edges_added or campaign.diffim.ordering is Ordering.NONE or not site.uses_htcondor:
            _join_association(step_data)
    if options:
        ours["extraQgraphOptions"] = shlex.join(options)
    for name, text in (
        ("butler", campaign.butler),
        ("apdb", apdb_config or ""),
        ("submitPath", str(submit_path)),
    ):
        if any(character in text for character in "{}\"' \n"):
            raise CampaignError(
                f"{name}: {text!r} holds a space, quote or brace, which BPS cannot carry; use another path"
            )
    passed = {name: environment[name] for name in site.passed_variables if environment.get(name)}
    return merge(
        {"environment": passed} if passed else {},
        step_data,
        site.settings,
        ours,
        campaign.bps,
        settings.bps,
    )


def build_query(campaign: Campaign, step: Step) -> str:
    """Make the data query of a step."""
    settings: StepSettings = getattr(campaign, step)
    return settings.data_query or make_query(
        instrument=campaign.instrument,
        skymap=campaign.skymap,
        tracts=campaign.tracts,
        bands=campaign.bands,
        where=(campaign.where, settings.where),
    )


def _join_association(step_data: dict[str, Any]) -> None:
    """Let the reader and the writer of one (visit, detector) share a job, in place of BPS's order."""
    ordering = step_data.pop("ordering")["association"]
    step_data["cluster"]["association"] = {
        "pipetasks": ordering["labels"],
        "dimensions": ordering["dimensions"],
        "equalDimensions": ordering["equalDimensions"],
        "findDependencyMethod": ordering["findDependencyMethod"],
    }


def dump_config(config: Mapping[str, Any]) -> str:
    """Write a submit config as YAML, keys in the order given."""
    header = _HEADER.format(
        step=config["payload"]["payloadName"].rpartition("/")[2], campaign=config["campaign"]
    )
    return header + yaml.safe_dump(dict(config), sort_keys=False, width=100, allow_unicode=True)
