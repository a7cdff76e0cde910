"""The campaign as a run had it that was submitted by hand, and what else of the two is not the same."""

__all__ = ["Expected", "campaign_as_run", "describe_differences", "is_same_place"]

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ...bps import GRAPH_OPTIONS, CampaignConfig, PlannedRun, Step, dump_campaign
from ...bps.options import RUN_OPTIONS
from ...common.errors import SettingsError
from .settings import RunSettings

_APDB = "parameters:apdb_config="


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a step would be run with if it were submitted now, by hand.

    Parameters
    ----------
    run
        The run.
    config
        Its BPS config, as `apcampaign generate` writes it.
    """

    run: PlannedRun
    config: Mapping[str, Any]


def campaign_as_run(campaign: CampaignConfig, run: RunSettings, expected: Expected) -> CampaignConfig:
    """Give the campaign with the data query, the inputs and the pipeline of a run, where it says otherwise.

    It is what `apcampaign resume` goes on with.

    Raises
    ------
    SettingsError
        If the campaign file has no way to say them.
    """
    content = yaml.safe_load(dump_campaign(campaign))
    planned = expected.run
    step = content.setdefault(str(planned.step), {})
    before = repr(content)
    if run.query != " ".join(planned.query.split()):
        step.pop("where", None)
        step["dataQuery"] = run.query
    if run.inputs != planned.inputs:
        inputs = list(run.inputs)
        if planned.step is Step.DIFFIM:
            if inputs[:1] != list(planned.inputs[:1]):
                content["steps"] = [str(Step.DIFFIM)]
                step["templates"] = inputs[0]
            inputs = inputs[1:]
        step["inCollection"] = inputs
    if not _is_same_pipeline(run, expected) and _pipeline_file(run.pipeline).exists():
        step["pipeline"] = run.pipeline
    if repr(content) == before:
        return campaign
    try:
        return CampaignConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(
            f"{run.output_run} was run with what a campaign file cannot say: "
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error


def describe_differences(run: RunSettings, expected: Expected) -> Iterator[str]:
    """Say in which settings a run is not what the campaign would run."""
    planned = expected.run
    own, campaigns = "`apcampaign resume` keeps its own", "`apcampaign resume` takes the campaign's"
    query, inputs = " ".join(planned.query.split()), ",".join(planned.inputs)
    if run.query != query:
        yield f"data query: its own is {run.query or 'empty'}, the campaign's {query}; {own}"
    if run.inputs != planned.inputs:
        yield f"inputs: its own are {','.join(run.inputs) or 'none'}, the campaign's {inputs}; {own}"
    if not _is_same_pipeline(run, expected):
        kept = own if _pipeline_file(run.pipeline).exists() else f"it is not here: {campaigns}"
        yield f"pipeline: its own is {run.pipeline}, the campaign's {expected.config['pipelineYaml']}; {kept}"
    for key, theirs in ((GRAPH_OPTIONS, run.graph_options), (RUN_OPTIONS, run.run_options)):
        ours = str(expected.config.get(key) or "")
        if _split(theirs) != _split(ours):
            yield f"{key}: its own are '{theirs}', the campaign's '{ours}'; {campaigns}"


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two names of a file, a repository or an APDB's configuration mean the same."""
    one, other = (
        os.path.expandvars(name).removeprefix("file://").removesuffix("/butler.yaml").rstrip("/")
        for name in (one, other)
    )
    if one == other:
        return True
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _is_same_pipeline(run: RunSettings, expected: Expected) -> bool:
    """Tell whether a run has the campaign's pipeline, perhaps that of another installation."""
    theirs, ours = run.pipeline, str(expected.config["pipelineYaml"])
    if is_same_place(theirs, ours):
        return True
    if theirs.partition("#")[2] != ours.partition("#")[2]:
        return False
    try:
        return _pipeline_file(theirs).read_bytes() == _pipeline_file(ours).read_bytes()
    except OSError:
        return False


def _pipeline_file(name: str) -> Path:
    return Path(os.path.expandvars(name.partition("#")[0]).removeprefix("file://"))


def _split(options: str) -> list[str]:
    """Split options, without that for the APDB, which is compared as a place."""
    try:
        words = shlex.split(options)
    except ValueError:
        return [options]
    left_out = {
        place
        for place, (word, value) in enumerate(pairwise(words))
        if word in ("-c", "--config") and value.startswith(_APDB)
    }
    return [
        word
        for place, word in enumerate(words)
        if place not in left_out and place - 1 not in left_out and not word.startswith(f"--config={_APDB}")
    ]
