"""What came of a campaign: quanta, difference images, rows of the APDB."""

__all__ = ["StepSummary", "Summary", "summarise"]

from dataclasses import asdict, dataclass
from typing import Any

from ..apdb import count_rows
from ..bps import Campaign, Step
from ..common.errors import SubmissionError
from .ledger import RunRecord, list_runs
from .paths import CampaignPaths
from .quanta import QuantaCount, count_quanta
from .stages import run_state

#: The product of each step that is counted.
PRODUCTS = {Step.TEMPLATES: "template_coadd", Step.DIFFIM: "difference_image"}


@dataclass(frozen=True, kw_only=True)
class StepSummary:
    """What came of one run.

    Parameters
    ----------
    step, output_run, submit_dir
        Which run.
    state
        What the workload manager says, or `None` if it cannot tell.
    quanta
        Outcomes by task label.
    product, products
        The dataset type that counts, and how many there are.
    """

    step: Step
    output_run: str
    submit_dir: str
    state: str | None
    quanta: dict[str, QuantaCount]
    product: str
    products: int

    @property
    def good(self) -> bool:
        """Whether all quanta were successful: what the last job says does not count."""
        return bool(self.quanta) and all(count.good for count in self.quanta.values())


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What came of a campaign.

    Parameters
    ----------
    campaign
        Its name.
    steps
        The newest run of each step that has one.
    apdb_config
        The APDB that the campaign fills.
    apdb_rows
        Rows by table.
    """

    campaign: str
    steps: tuple[StepSummary, ...]
    apdb_config: str | None
    apdb_rows: dict[str, int]

    @property
    def good(self) -> bool:
        """Whether both steps ran and all their quanta were successful."""
        return {step.step for step in self.steps} == set(Step) and all(step.good for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON and YAML."""
        content = asdict(self)
        content["good"] = self.good
        content["steps"] = [
            {**asdict(step), "step": str(step.step), "good": step.good} for step in self.steps
        ]
        return content


def summarise(campaign: Campaign, paths: CampaignPaths) -> Summary:
    """Ask the repository and the APDB what came of a campaign's newest runs.

    Raises
    ------
    SubmissionError
        If no step has a run, or a repository cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    newest = [runs[-1] for step in Step if (runs := list_runs(paths, step))]
    if not newest:
        raise SubmissionError(f"campaign {campaign.name} has no runs in {paths.folder}; submit one first")
    apdb_config = next((record.apdb_config for record in newest if record.apdb_config), None)
    return Summary(
        campaign=campaign.name,
        steps=tuple(_summarise_run(record) for record in newest),
        apdb_config=apdb_config,
        apdb_rows=dict(count_rows(apdb_config)) if apdb_config else {},
    )


def _summarise_run(record: RunRecord) -> StepSummary:
    from lsst.daf.butler import Butler, MissingCollectionError, MissingDatasetTypeError

    product = PRODUCTS[record.step]
    with Butler.from_config(record.butler) as butler:
        try:
            refs = butler.query_datasets(product, collections=record.output_run, limit=None, explain=False)
            products = len(refs)
        except (MissingCollectionError, MissingDatasetTypeError):
            products = 0
    return StepSummary(
        step=record.step,
        output_run=record.output_run,
        submit_dir=record.submit_dir,
        state=run_state(record),
        quanta=count_quanta(record),
        product=product,
        products=products,
    )
