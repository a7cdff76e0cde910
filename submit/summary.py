"""What came of a campaign: quanta, difference images, rows of the APDB."""

__all__ = ["StepSummary", "Summary", "summarise", "verify_runs"]

from dataclasses import asdict, dataclass
from typing import Any

from ..apdb import Verification, count_rows, read_expectation, verify_apdb
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
    verification
        Whether it holds what Butler says was associated; `None` before anything was.
    """

    campaign: str
    steps: tuple[StepSummary, ...]
    apdb_config: str | None
    apdb_rows: dict[str, int]
    verification: Verification | None

    @property
    def good(self) -> bool:
        """Whether both steps ran, all their quanta were successful, and the APDB holds just that."""
        return (
            {step.step for step in self.steps} == set(Step)
            and all(step.good for step in self.steps)
            and self.verification is not None
            and self.verification.good
        )

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON and YAML."""
        return {
            "campaign": self.campaign,
            "good": self.good,
            "steps": [{**asdict(step), "step": str(step.step), "good": step.good} for step in self.steps],
            "apdb_config": self.apdb_config,
            "apdb_rows": self.apdb_rows,
            "verification": self.verification.as_dict() if self.verification else None,
        }


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
    diffim = next((record for record in newest if record.apdb_config), None)
    apdb_config = diffim.apdb_config if diffim else None
    return Summary(
        campaign=campaign.name,
        steps=tuple(_summarise_run(record) for record in newest),
        apdb_config=apdb_config,
        apdb_rows=dict(count_rows(apdb_config)) if apdb_config else {},
        verification=verify_runs(list_runs(paths, Step.DIFFIM)) if diffim else None,
    )


def verify_runs(runs: list[RunRecord]) -> Verification | None:
    """Compare the APDB with what Butler says was associated by the runs that filled it.

    The output collection would not do: it may hold runs that filled another APDB.
    """
    from lsst.daf.butler import Butler

    newest = runs[-1]
    if newest.apdb_config is None:
        return None
    with Butler.from_config(newest.butler) as butler:
        known = set(butler.collections.query("*"))
    same = [
        run.output_run for run in runs if run.apdb_config == newest.apdb_config and run.output_run in known
    ]
    return verify_apdb(newest.apdb_config, read_expectation(newest.butler, same)) if same else None


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
