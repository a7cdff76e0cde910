"""Settings of a campaign (`CampaignConfig`), validated when they are read."""

__all__ = ["CampaignConfig", "DiffimSettings", "Ordering", "Step", "StepSettings"]

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PositiveInt, model_validator

from ..common.identity import user_name
from .apdb_settings import ApdbSettings
from .injection import InjectionSettings, check_apart
from .model import MisfitError, Model, NotTruth, split_list
from .notify import NotifySettings
from .options import config_overrides
from .values import (
    Bands,
    BpsSettings,
    Collection,
    Collections,
    CollectionTemplate,
    GraphOptions,
    Name,
    Nights,
    Operator,
    RunOptions,
    SkippedCollections,
    Tracts,
    Values,
    Where,
)


class Step(StrEnum):
    """A step of a campaign."""

    TEMPLATES = "templates"
    DIFFIM = "diffim"


def _in_order(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in Step if step in steps)


Steps = Annotated[
    tuple[Step, ...], BeforeValidator(split_list), AfterValidator(_in_order), Field(min_length=1)
]


def _pipeline(default: str) -> Any:
    return Field(default=default, min_length=1, validation_alias=AliasChoices("pipeline", "pipelineYaml"))


class StepSettings(Model):
    """Settings of one step.

    Parameters
    ----------
    pipeline
        A pipeline that comes with apcampaign, or a path; with ``#subset`` to run only a part of it.
        ``pipelineYaml`` is accepted as another name of this key.
    input_collections
        Collections with this step's raw images, if other than the campaign's.
    where
        More conditions for this step's data query, joined by AND to those of the campaign.
    data_query
        The whole data query of this step, instead of the one made from ``instrument``, ``skymap``,
        ``tracts``, ``bands``, ``dayObs`` and ``where``.
    parameters
        Values for parameters of the pipeline, such as ``{release_id: 3}``.
    config
        Values for fields of its tasks, such as ``{"calibrateImage:id_generator.release_id": 3}``.
    graph_options
        More options for ``pipetask qgraph``, such as ``--dataset-query-constraint off``.
    run_options
        More options for ``pipetask run-qbb``, which runs the quanta of all jobs.
    parts
        Into how many parts each stage of the step is divided, each part with a graph of its own. ``auto``:
        parts of about 8,000 quanta from 16,000 on; ``1``: the step stays whole.
    bps
        BPS settings for this step only, merged last.
    """

    pipeline: str = _pipeline("ApTemplate-DC2.yaml")
    input_collections: Collections | None = Field(default=None, alias="inCollection")
    where: Where | None = None
    data_query: Where | None = Field(default=None, alias="dataQuery")
    parameters: Values = Field(default_factory=dict)
    config: Values = Field(default_factory=dict)
    graph_options: GraphOptions = Field(default="", alias="qgraphOptions")
    run_options: RunOptions = Field(default="", alias="runOptions")
    parts: Literal["auto"] | Annotated[PositiveInt, NotTruth] = "auto"
    bps: BpsSettings = Field(default_factory=dict)

    @property
    def overrides(self) -> list[str]:
        """Its parameters and configuration as arguments of `pipetask`."""
        return config_overrides(self.parameters, self.config)

    @model_validator(mode="after")
    def _readable_overrides(self) -> "StepSettings":
        for key, values in (("parameters", self.parameters), ("config", self.config)):
            for name, text in values.items():
                given = {name: text}
                try:
                    config_overrides(*((given, {}) if key == "parameters" else ({}, given)))
                except ValueError as error:
                    raise MisfitError((key, name), str(error)) from None
        return self

    @model_validator(mode="after")
    def _one_query(self) -> "StepSettings":
        if self.where and self.data_query:
            raise MisfitError(
                ("dataQuery",),
                "give 'where' (added to the campaign's query) or 'dataQuery' (instead of it), not both",
            )
        return self


class Ordering(StrEnum):
    """For which others an association waits.

    ``overlap``: for those of earlier visits of the same sky. ``total``: for the previous one, wherever it is: one
    (visit, detector) after another. ``none``: for none, so that history is missing from the APDB.
    """

    OVERLAP = "overlap"
    TOTAL = "total"
    NONE = "none"


class DiffimSettings(StepSettings):
    """Settings of difference imaging.

    Parameters
    ----------
    ordering
        For which others an association waits.
    templates
        The collection with the templates, of a campaign that does not make its own.
    skip_existing
        Collections whose quanta are not run again; by default the output of the campaign's own templates
        step, with what that has calibrated.
    """

    pipeline: str = _pipeline("ApPipe-DC2.yaml")
    ordering: Ordering = Ordering.OVERLAP
    templates: Collection | None = None
    skip_existing: SkippedCollections | None = Field(default=None, alias="skipExistingIn")


class CampaignConfig(Model):
    """The configuration of one alert production campaign.

    Parameters
    ----------
    name
        The campaign's name: part of folders, collections and the APDB's namespace.
    butler
        Path, URI or alias of the Butler repository.
    instrument
        As registered in the repository; with another one than DC2's, ``skymap`` and the steps' ``pipeline``
        have no default.
    skymap
        As registered in the repository.
    steps
        The steps that the campaign has; both by default. ``[diffim]``: it makes no templates, and takes those
        of ``diffim: {templates: …}``.
    tracts
        Tracts to build templates of, and whose visits to difference, such as ``[3828, 3829]`` or
        ``3828..3830``; all if not given.
    bands
        Names of bands, such as ``[g, r, VR]`` or ``g r VR``; ``gri`` is ``[g, r, i]``; all if not given. The
        APDB has columns for u, g, r, i, z and y only: visits in others are for templates.
    input_collections
        Collections with raw images, calibrations, reference catalogues and skymap.
    output_collection
        The prefix of the campaign's collections; each step appends ``/templates`` or ``/diffim``.
    day_obs
        The observing night to process, ``YYYYMMDD``, or several, such as ``20260905..20260907``; all if not
        given. The file may name a single one elsewhere: ``{day_obs}`` in any value but those of ``bps``.
    where
        More conditions for the data queries of both steps, joined by AND. The query of a step can have
        131,071 bytes, except for difference imaging, which gets a table of its raw images.
    operator
        Whose campaign it is, by default the login name: letters, digits, ``.``, ``_`` and ``-``.
    templates
        The step that builds the templates.
    diffim
        The step that subtracts them from the science images, and fills the APDB.
    injection
        Synthetic sources that difference imaging injects into the science images.
    apdb
        The database that the second step fills.
    allow_missing_templates
        How many percent of the (patch, band) that the science visits need may lack a template.
    prepare_slots
        How many graphs the campaign DAG builds at a time on the submit host, if steps are divided into parts.
    prepare_memory
        MiB: batch jobs with so much memory build these graphs, where there is a file system that they share
        with the submit host, and not the submit host itself. ``auto``: as much as graphs of that size have taken,
        and half as much again; 680 MiB for 8,000 quanta.
    site
        Where jobs run: a built-in site, such as ``s3df``, or the path of a site file.
    notify
        Who is notified when it has ended or is in trouble.
    bps
        Any other BPS settings, for both steps, merged last.
    """

    name: Name
    butler: str = Field(min_length=1)
    instrument: str = Field(default="LSSTCam-imSim", pattern=r"^[A-Za-z0-9_-]+$")
    skymap: str = Field(default="DC2", pattern=r"^[A-Za-z0-9_.-]+$")
    steps: Steps = tuple(Step)
    tracts: Tracts | None = None
    bands: Bands | None = None
    input_collections: Collections = Field(alias="inCollection")
    output_collection: CollectionTemplate = Field(default="u/{operator}/{name}", alias="outCollection")
    day_obs: Nights | None = Field(default=None, alias="dayObs")
    where: Where | None = None
    operator: Operator = Field(default_factory=user_name, validate_default=True)
    templates: StepSettings = StepSettings()
    diffim: DiffimSettings = DiffimSettings()
    injection: InjectionSettings | None = None
    apdb: ApdbSettings = ApdbSettings()
    allow_missing_templates: Annotated[float, NotTruth] = Field(
        default=0.0, ge=0, le=100, alias="allowMissingTemplates"
    )
    prepare_slots: Annotated[PositiveInt, NotTruth] = Field(default=1, alias="prepareSlots")
    prepare_memory: Literal["auto"] | Annotated[PositiveInt, NotTruth] | None = Field(
        default=None, alias="prepareMemory"
    )
    site: str = Field(default="local", min_length=1)
    notify: NotifySettings = NotifySettings()
    bps: BpsSettings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _templates_from_somewhere(self) -> "CampaignConfig":
        makes, given = Step.TEMPLATES in self.steps, self.diffim.templates
        if Step.DIFFIM in self.steps and not makes and given is None:
            raise MisfitError(
                ("steps",),
                "the 'steps' make no templates; write the collection that holds them as 'templates' of 'diffim'",
            )
        if makes and given is not None:
            raise MisfitError(
                ("diffim", "templates"),
                "this is for a campaign that makes no templates; write steps: [diffim], or remove it",
            )
        return self

    @model_validator(mode="after")
    def _nothing_of_another_camera(self) -> "CampaignConfig":
        defaults = {name: field.default for name, field in CampaignConfig.model_fields.items()}
        if self.instrument == defaults["instrument"]:
            return self
        missing = [] if "skymap" in self.model_fields_set else ["skymap"]
        missing += [
            f"{step}.pipeline"
            for step in self.steps
            if "pipeline" not in getattr(self, step).model_fields_set
        ]
        if missing:
            raise MisfitError(
                ("instrument",),
                f"the default of {' and '.join(missing)} is for {defaults['instrument']}, and the instrument is "
                f"{self.instrument}; write what is for that",
            )
        return self

    @model_validator(mode="after")
    def _injected_apart(self) -> "CampaignConfig":
        if self.injection is not None:
            check_apart(subtracts=Step.DIFFIM in self.steps, shares_apdb=self.apdb.filled)
        return self

    @property
    def root_collection(self) -> str:
        """The collection name that every step's output starts with."""
        return self.output_collection.format(operator=self.operator, name=self.name)
