"""A summary of a campaign's results as a value: what it says of steps, runs and the APDB, and of the whole."""

__all__ = ["CampaignSummary", "RunSummary", "StepSummary"]

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ..apdb import ApdbFindingKind, Verification, describe_rows
from ..bps import Step
from ..common.html import html_lines, html_table
from ..common.text import count
from ..ledger import RetirementRecord
from ..ordering import SkippedAndWaiting
from .outcomes import LeftBehind, MissingImage, QuantaCount, TemplateCoverage, add_counts

#: BPS's states of runs, the worst first; those that are not here are better than these.
_WORST = (
    "FAILED",
    "DELETED",
    "PRUNED",
    "HELD",
    "MISFIT",
    "UNKNOWN",
    "UNREADY",
    "READY",
    "PENDING",
    "RUNNING",
)


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """The results of one run.

    Parameters
    ----------
    output_run, submit_dir
        Which run.
    state
        BPS's state of it, or `None` if its WMS cannot tell.
    quanta
        Outcomes by task label.
    """

    output_run: str
    submit_dir: str
    state: str | None
    quanta: dict[str, QuantaCount]


@dataclass(frozen=True, kw_only=True)
class StepSummary:
    """The results of a step, put together over its current runs.

    Parameters
    ----------
    step, runs
        The step, and its current runs.
    product, products
        The dataset type that counts, and how many there are of all runs of the step.
    absent
        The names of its parts that have no run, or were to be made anew and have not been.
    """

    step: Step
    runs: tuple[RunSummary, ...]
    product: str
    products: int
    absent: tuple[str, ...] = ()

    @property
    def quanta(self) -> dict[str, QuantaCount]:
        """Outcomes by task label."""
        return add_counts(run.quanta for run in self.runs)

    @property
    def state(self) -> str | None:
        """The worst state of its runs; `None` if none of them can be told."""
        states = {run.state for run in self.runs if run.state}
        return next((state for state in _WORST if state in states), min(states, default=None))

    @property
    def good(self) -> bool:
        """Whether all quanta were successful: what the last job says does not count."""
        quanta = self.quanta
        return bool(quanta) and not self.absent and all(count.good for count in quanta.values())


@dataclass(frozen=True, kw_only=True)
class CampaignSummary:
    """The results of a campaign.

    Parameters
    ----------
    campaign
        Its name.
    steps
        The steps that have a run.
    apdb_config
        The APDB that the campaign fills.
    apdb_rows
        Rows by table.
    dia_objects
        DiaObjects, of which their table has a row for each version; `None` if the APDB does not tell.
    verification
        Whether it holds what Butler says was associated; `None` before anything was.
    apdb_unchecked
        Why the APDB cannot be inspected, if it cannot.
    templates
        Which templates the science visits need, and which are missing; `None` before the second step.
    allowed
        How many percent may be missing, as the newest diffim run was submitted.
    associations
        The associations that wait for failed ones, and those that others did not wait for.
    planned
        The steps that the campaign has.
    missing
        The science images that have no difference image.
    retired
        What was removed of it.
    left
        What earlier runs were to do, and is in none of the current runs.
    """

    campaign: str
    steps: tuple[StepSummary, ...]
    apdb_config: str | None
    apdb_rows: dict[str, int]
    verification: Verification | None
    apdb_unchecked: str | None = None
    templates: TemplateCoverage | None = None
    allowed: float = 0.0
    associations: SkippedAndWaiting = field(default_factory=SkippedAndWaiting)
    planned: tuple[Step, ...] = tuple(Step)
    missing: tuple[MissingImage, ...] = ()
    dia_objects: int | None = None
    retired: tuple[RetirementRecord, ...] = ()
    left: LeftBehind = field(default_factory=LeftBehind)

    @property
    def apdb_described(self) -> dict[str, str]:
        """The rows by table as text, DiaObjects as such and their versions apart."""
        return describe_rows(self.apdb_rows, self.dia_objects)

    @property
    def missing_by_reason(self) -> dict[tuple[str, str], list[MissingImage]]:
        """The same by task and reason, the most frequent first."""
        found: dict[tuple[str, str], list[MissingImage]] = {}
        for image in self.missing:
            found.setdefault((image.task, image.why), []).append(image)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    @property
    def tolerated(self) -> bool:
        """Whether templates are missing, but no more than may be."""
        coverage = self.templates
        return coverage is not None and bool(coverage.missing) and coverage.within(self.allowed)

    @property
    def verified(self) -> bool:
        """Whether the APDB holds just what was associated; one that cannot be inspected counts as if it did."""
        if self.apdb_unchecked is not None:
            return True
        return self.verification is not None and self.verification.good

    @property
    def good(self) -> bool:
        """Whether all its steps ran, all their quanta were successful, and the APDB holds just that and all of it.

        Of a campaign that was retired, whether that was so before.
        """
        if not self.steps and self.retired:
            return any(record.whole and record.complete for record in self.retired)
        return self.good_for(self.planned) and not self.left

    def good_for(self, steps: Collection[Step]) -> bool:
        """Tell whether some steps ran and all their quanta were successful, with the APDB if they fill it.

        Quanta of templates that may be missing need not be successful.
        """
        good = {step.step for step in self.steps if step.good}
        if self.tolerated:
            good |= {step.step for step in self.steps if step.step is Step.TEMPLATES}
        return good.issuperset(steps) and (Step.DIFFIM not in steps or self.verified)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON and YAML."""
        return {
            "campaign": self.campaign,
            "good": self.good,
            "steps": [
                {
                    "step": str(step.step),
                    "state": step.state,
                    "good": step.good,
                    "quanta": {label: asdict(count) for label, count in step.quanta.items()},
                    "product": step.product,
                    "products": step.products,
                    "absent": list(step.absent),
                    "runs": [asdict(run) for run in step.runs],
                }
                for step in self.steps
            ],
            "apdb_config": self.apdb_config,
            "apdb_rows": self.apdb_rows,
            "dia_objects": self.dia_objects,
            "verification": self.verification.as_dict() if self.verification else None,
            "associations": self.associations.as_dict(),
            "apdb_unchecked": self.apdb_unchecked,
            "needed_templates": len(self.templates.needed) if self.templates else None,
            "missing_templates": sorted(self.templates.missing) if self.templates else None,
            "missing_images": [asdict(image) for image in self.missing],
            "retired": [record.as_dict() for record in self.retired],
            "left_images": [asdict(image) for image in self.left.images],
            "left_quanta": [asdict(quantum) for quantum in self.left.quanta],
        }

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the quanta of each step, the rows of the APDB, and what is wrong with it."""
        findings = self.verification.findings if self.verification else ()
        return (
            "".join(map(_step_as_html, self.steps))
            + html_table(("table", "rows"), self.apdb_described.items(), f"APDB: {self.apdb_config}")
            + html_table(("kind", "finding"), [(f.kind, f.message) for f in findings], "wrong with the APDB")
            + html_table(
                ("task", "why", "science images without a difference image"),
                [(*reason, len(images)) for reason, images in self.missing_by_reason.items()],
            )
            + html_lines(self._remarks())
        )

    @property
    def verdict(self) -> str:
        """Whether the campaign is complete, and what tells why not."""
        if not self.steps and self.retired:
            before = "complete" if self.good else "NOT complete, as far as is known,"
            return f"campaign {self.campaign}: retired; it was {before} before"
        if self.good:
            return f"campaign {self.campaign}: complete"
        if self.left and self.good_for(self.planned):
            return f"campaign {self.campaign}: NOT complete; go on with `apcampaign submit diffim --continue`"
        if not self.left and self._disorder:
            return (
                f"campaign {self.campaign}: NOT complete: all is done, but {count(self._disorder, 'pair')} of "
                "associations of the same sky came out of time order (`apcampaign apdb verify` lists them), and "
                "stay so; `apcampaign start-over` has all in time order, in an empty APDB"
            )
        return (
            f"campaign {self.campaign}: NOT complete; see `apcampaign status` and `apcampaign failures`, "
            "then `apcampaign resume`"
        )

    @property
    def _disorder(self) -> int:
        """How many pairs of associations were out of time order, if nothing else is wrong."""
        counts = self.verification.counts if self.verification else {}
        done = {step.step for step in self.steps if step.good}
        return (
            counts.get(ApdbFindingKind.ORDER, 0) if len(counts) == 1 and done.issuperset(self.planned) else 0
        )

    def _remarks(self) -> Iterator[str]:
        if self.verification and self.verification.good:
            yield "the APDB holds just what was associated"
        if self.apdb_unchecked:
            yield f"{self.apdb_unchecked}: its rows are neither counted nor verified"
        if self.templates:
            allowed = f"; the campaign allows {self.allowed:g} %" if self.templates.missing else ""
            yield f"{self.templates.describe()}{allowed}"
        if waiting := len(self.associations.waiting):
            yield f"{waiting} associations wait for earlier overlapping ones that are not done"
        yield from (record.describe() for record in self.retired)
        if self.left:
            yield self.left.describe()
        if self.associations.skipped:
            yield f"{len(self.associations.skipped)} failed associations were skipped by overlapping later visits"
        yield self.verdict


def _step_as_html(step: StepSummary) -> str:
    columns = ("task", "quanta", "done", "failed", "blocked", "unknown")
    rows = [
        (label, n.expected, n.successful, n.failed, n.blocked, n.unknown) for label, n in step.quanta.items()
    ]
    return html_lines([f"{step.step}: {step.products} {step.product}"]) + html_table(columns, rows)
