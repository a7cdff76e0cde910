"""BPS submit config of one planned run, as a mapping and as YAML."""

__all__ = ["NARROW", "UNORDERED", "build_config", "describe_order", "dump_config"]

import shlex
from collections.abc import Iterator, Mapping
from importlib import resources
from itertools import batched, chain
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import SettingsError
from ..pipelines import find_pipeline
from .campaign import CampaignConfig, Ordering, Step, StepSettings
from .clusters import by_group, join_added_tasks, leave_out_absent_tasks
from .data import merge, read_mapping
from .lint.includes import INCLUDE, expand, read_with_includes
from .lint.labels import read_labels
from .lint.tree import plain
from .options import GRAPH_OPTIONS, RUN_OPTIONS, check_settings, join_options
from .plan import PlannedRun
from .plugin import find_missing_scripts
from .release import check_release
from .site import Site, Wms

#: BPS lets the next graph of an output collection search that collection instead of its own inputs. Several parts
#: are prepared and run at a time: they have none, and join that of their step when they have ended.
_NO_CHAIN = {"pipetaskOutput": "", "finalJob": {"updateOutputChain": ""}}

_HEADER = """\
# BPS submit config of the {step} step of campaign {campaign}, made by apcampaign.
# Change the campaign file and make it again rather than change this.
"""

#: A task that has failed for one detector and written what it could has succeeded: what needs the rest has no work
#: for this detector, and the others of the visit go on. Without it the visit's summary, and so all coadds and
#: associations of its sky, would wait for that detector for ever. Rubin's AP and DRP campaigns set it too.
_PARTIAL_OUTPUTS = "--no-raise-on-partial-outputs"

#: What BPS replaces, splits at, or leaves to the shells in which HTCondor's jobs run.
_NOT_IN_PATHS = frozenset(" {}\"'$&;|<>()*?[]`\\")

#: The warning about a campaign whose associations do not wait for each other.
UNORDERED = (
    "warning: diffim: ordering: none: associations do not wait for each other, so a visit may be associated "
    "before an earlier one of the same sky, and miss its history; use 'overlap'"
)

#: The warning about files whose data query cuts the templates, which only a submission can prevent.
NARROW = (
    "warning: diffim: its data query limits templates as well as visits, so detectors at the border of the "
    "tracts get a part of theirs; `apcampaign submit` reads templates from all tracts"
)


def describe_order(config: Mapping[str, Any], *, wanted: bool) -> str | None:
    """Say what is to be known of the order that BPS is asked for in a config; `None` if there is nothing.

    Parameters
    ----------
    config
        The config.
    wanted
        Whether the campaign wants an order of its visits.
    """
    groups = (config.get("ordering") or {}).values()
    if wanted and not groups:
        service = str(config["wmsServiceClass"]).rpartition(".")[2]
        return (
            f"warning: {service} cannot run BPS's 'ordering', so that the file has none: a visit may be "
            "associated before an earlier one of the same sky, and miss its history; use `apcampaign submit`, "
            "which orders them"
        )
    if not (missing := find_missing_scripts()) or all(
        each.get("implementation") != "noop" for each in groups
    ):
        return None
    return (
        f"warning: the HTCondor plugin installed here lacks {' and '.join(missing)} (its wheel on PyPI has none, "
        "lsst_distrib has them), so that the order of visits is 'implementation: noop', which stops at the first "
        "failure; with the plugin of lsst_distrib write 'implementation: group' and 'blocking: false', or use "
        "`apcampaign submit`, which needs neither"
    )


def build_config(
    campaign: CampaignConfig,
    run: PlannedRun,
    site: Site,
    *,
    submit_path: Path,
    apdb_config: str | None = None,
    data_ids: Path | None = None,
    environment: Mapping[str, str],
    edges_added: bool = False,
) -> dict[str, Any]:
    """Make the BPS submit config of a run.

    Parameters
    ----------
    campaign, run, site
        What to run and where.
    submit_path
        The folder that BPS will create and fill.
    apdb_config
        URI of the APDB configuration, or ``label:NAME``; the diffim step needs it.
    data_ids
        The file with the data IDs of its raw images, if its graph gets them so.
    environment
        The variables of whoever submits; jobs get those that the site passes on.
    edges_added
        Whether the order of visits will be added to the workflow as edges before it is submitted. Then the
        association of one (visit, detector) is one job, and BPS is not asked for an order: its own is by visit,
        whatever sky they see.

    Returns
    -------
    config
        A mapping of plain values, ready for `dump_config`.

    Raises
    ------
    SettingsError
        If the diffim step has no APDB, a path has characters that BPS would change, a file that the settings
        include sets what is not for the user to set, or the jobs would not run with the release that is named.
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
        "dataQuery": run.query if data_ids is None else run.graph_query,
    }
    pipeline = find_pipeline(run.pipeline, f"{run.step}.pipeline")
    ours: dict[str, Any] = {
        "pipelineYaml": pipeline,
        "project": "apcampaign",
        "campaign": campaign.name,
        "operator": campaign.operator,
        "submitPath": str(submit_path.resolve()),
        "payload": payload,
    }
    step_data = _read_step(run.step)
    labels = read_labels(Path(expand(pipeline.partition("#")[0], environment)), environment)
    if run.step is Step.DIFFIM:
        step_data = merge(step_data, _cluster_diffim(campaign, site, edges_added=edges_added))
        if labels is not None:
            join_added_tasks(step_data["cluster"], labels, (site.settings, campaign.bps, settings.bps))
    empty = [] if labels is None else leave_out_absent_tasks(step_data, labels)
    options = {
        GRAPH_OPTIONS: _graph_options(run, settings, data_ids, apdb_config),
        RUN_OPTIONS: f"{_PARTIAL_OUTPUTS} {settings.run_options}".strip(),
    }
    _check_paths(
        {
            "butler": campaign.butler,
            "apdb": apdb_config or "",
            "submitPath": str(submit_path),
            "--data-id-table": str(data_ids or ""),
        }
    )
    passed = {name: environment[name] for name in site.passed_variables if environment.get(name)}
    theirs = site.settings, campaign.bps, settings.bps
    included = [content for layer in theirs for content in _read_included(layer, environment)]
    config = merge(
        {"environment": passed} if passed else {},
        step_data,
        site.settings,
        ours,
        _NO_CHAIN if run.part else {},
        campaign.bps,
        settings.bps,
        join_options(options, *included, *theirs),
    )
    for name in empty:
        if not config["cluster"][name]["pipetasks"]:
            del config["cluster"][name]
    if run.step is Step.DIFFIM and not edges_added:
        config["cluster"] = by_group(config["cluster"], step_data["cluster"])
    # What a file says counts where it is included, unless it is said otherwise.
    check_release(merge(*included, config))
    return config


def _cluster_diffim(campaign: CampaignConfig, site: Site, *, edges_added: bool) -> dict[str, Any]:
    """Give the settings by which difference imaging is clustered, and ordered if BPS is to do that."""
    if edges_added:
        return _read_step("diffim-edges")
    settings = _read_step("diffim-groups")
    # Parsl can run neither groups of jobs nor empty ones, with which BPS orders them.
    if campaign.diffim.ordering is Ordering.NONE or site.wms is not Wms.HTCONDOR:
        del settings["ordering"]
    elif find_missing_scripts():
        settings["ordering"]["association"]["implementation"] = "noop"
    return settings


def _read_step(name: str) -> dict[str, Any]:
    return read_mapping(Path(str(resources.files(__package__))) / "steps" / f"{name}.yaml")


def _graph_options(
    run: PlannedRun, settings: StepSettings, data_ids: Path | None, apdb_config: str | None
) -> str:
    """Write the options with which a run's graph is built: the campaign's values, ours, the campaign's options."""
    options = settings.overrides
    if run.part:
        # A value for a task that the part does not have would be an error.
        known = {"parameters", *run.pipeline.partition("#")[2].split(",")}
        pairs = [pair for pair in batched(options, 2) if pair[1].partition(":")[0] in known]
        options = [*chain.from_iterable(pairs)]
    if data_ids is not None:
        options += ["--data-id-table", str(data_ids.resolve())]
    if run.skip_existing:
        options += ["--skip-existing-in", ",".join(run.skip_existing)]
    if run.fills_apdb:
        if apdb_config is None:
            raise SettingsError(
                "apdb: the diffim step needs an APDB",
                remedy="give its 'url' and create it with `apcampaign apdb init`, or give the 'config' of an "
                "existing one",
            )
        options += ["-c", f"parameters:apdb_config={apdb_config}"]
    return f"{shlex.join(options)} {settings.graph_options}".strip()


def _check_paths(paths: Mapping[str, str]) -> None:
    for name, text in paths.items():
        if found := next((each for each in text if each in _NOT_IN_PATHS or not each.isprintable()), None):
            shown = "a space" if found == " " else repr(found)
            raise SettingsError(
                f"{name}: {text!r} holds {shown}, which BPS or the shells of its jobs would not pass on as it is",
                remedy="use another path",
            )


def _read_included(settings: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Read the files that BPS settings include, as far as they can be read here.

    Raises
    ------
    SettingsError
        If one of them sets what is not for the user to set.
    """
    names = settings.get(INCLUDE) or []
    for name in [names] if isinstance(names, str) else names:
        path = Path(expand(str(name), environment))
        if not path.is_file():
            continue
        content = plain(read_with_includes(path, environment)[0])
        try:
            yield check_settings(content)
        except ValueError as error:
            raise SettingsError(f"{path}: {error}") from None


def dump_config(config: Mapping[str, Any]) -> str:
    """Write a submit config as YAML, keys in the order given."""
    header = _HEADER.format(
        step=config["payload"]["payloadName"].rpartition("/")[2], campaign=config["campaign"]
    )
    return header + yaml.safe_dump(dict(config), sort_keys=False, width=100, allow_unicode=True)
