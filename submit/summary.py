"""What came of a campaign: quanta, difference images, rows of the APDB."""

__all__ = ["StepSummary", "Summary", "summarise", "verify_runs"]

from dataclasses import asdict, dataclass, field
from typing import Any

from ..apdb import Verification, count_rows, find_apdb, read_expectation, verify_apdb
from ..bps import Campaign, Step, plan_campaign
from ..common.errors import ForeignApdbError, SubmissionError
from .gate import GateResult, check_templates
from .ledger import RunRecord, list_runs
from .overtaken import Gaps, find_gaps
from .paths import CampaignPaths
from .products import PRODUCTS, count_products
from .quanta import QuantaCount, count_quanta
from .stages import run_state


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
        The dataset type that counts, and how many there are of all runs of the step.
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
    apdb_unchecked
        Why the APDB cannot be looked into, if it cannot.
    templates
        Which templates the science visits need, and which are missing; `None` before the second step.
    allowed
        How many percent may be missing.
    gaps
        The associations that wait for failed ones, and those that others did not wait for.
    """

    campaign: str
    steps: tuple[StepSummary, ...]
    apdb_config: str | None
    apdb_rows: dict[str, int]
    verification: Verification | None
    apdb_unchecked: str | None = None
    templates: GateResult | None = None
    allowed: float = 0.0
    gaps: Gaps = field(default_factory=Gaps)

    @property
    def tolerated(self) -> bool:
        """Whether templates are missing, but no more than may be."""
        gate = self.templates
        return gate is not None and bool(gate.missing) and gate.missing_percent <= self.allowed

    @property
    def good(self) -> bool:
        """Whether both steps ran, all their quanta were successful, and the APDB holds just that.

        Quanta of templates that may be missing need not be successful; an APDB that cannot be looked into is
        taken for good.
        """
        verified = self.apdb_unchecked is not None or (
            self.verification is not None and self.verification.good
        )
        return (
            {step.step for step in self.steps} == set(Step)
            and all(step.good or (step.step is Step.TEMPLATES and self.tolerated) for step in self.steps)
            and verified
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
            "gaps": asdict(self.gaps),
            "apdb_unchecked": self.apdb_unchecked,
            "missing_templates": sorted(self.templates.missing) if self.templates else None,
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
    unchecked = None
    if apdb_config:
        try:
            find_apdb(apdb_config)
        except ForeignApdbError as reason:
            unchecked = str(reason)
    look = apdb_config is not None and unchecked is None
    steps = tuple(_summarise_run(record) for record in newest)
    ended_badly = not all(step.good for step in steps if step.step is Step.DIFFIM)
    return Summary(
        campaign=campaign.name,
        steps=steps,
        apdb_config=apdb_config,
        apdb_rows=dict(count_rows(apdb_config)) if apdb_config and look else {},
        verification=verify_runs(list_runs(paths, Step.DIFFIM)) if look else None,
        apdb_unchecked=unchecked,
        templates=_check_templates(campaign, diffim) if diffim else None,
        allowed=campaign.allow_missing_templates,
        gaps=find_gaps(diffim, campaign.instrument) if diffim and look and ended_badly else Gaps(),
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


def _check_templates(campaign: Campaign, diffim: RunRecord) -> GateResult:
    """Look for the templates where the newest diffim run did."""
    run = plan_campaign(
        campaign, timestamp=diffim.timestamp, steps=[Step.DIFFIM], templates=diffim.inputs[0]
    ).runs[0]
    return check_templates(campaign, run)


def _summarise_run(record: RunRecord) -> StepSummary:
    return StepSummary(
        step=record.step,
        output_run=record.output_run,
        submit_dir=record.submit_dir,
        state=run_state(record),
        quanta=count_quanta(record),
        product=PRODUCTS[record.step],
        products=count_products(record.butler, record.step, record.output),
    )
