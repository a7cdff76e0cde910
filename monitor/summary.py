"""Reading of a campaign's results: quanta, products, templates, rows and verification of the APDB.

It only reads, so it can be asked for at any time; `apcampaign.submit.finish` asks for it when a submission
has ended.
"""

__all__ = ["summarise", "verify_runs"]

import contextlib
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from ..apdb import (
    Verification,
    count_dia_objects,
    count_rows,
    find_apdb,
    read_expected_associations,
    verify_apdb,
)
from ..bps import Step
from ..common.butler import open_butler, reuse_butlers
from ..common.errors import RepositoryError, UnsupportedApdbError
from ..ledger import Ledger, RunRecord, Workspace, newest_of
from ..ordering import SkippedAndWaiting, find_skipped
from .campaign_summary import CampaignSummary, RunSummary, StepSummary
from .outcomes import (
    PRODUCTS,
    MissingImage,
    Outcomes,
    TemplateCoverage,
    check_templates,
    count_products,
    find_left,
    find_missing_images,
    read_outcomes,
)
from .run_state import run_state
from .submitted import find_filled_apdb, read_planned_run, read_submitted_campaign


@reuse_butlers()
def summarise(workspace: Workspace, ledger: Ledger | None = None) -> CampaignSummary:
    """Ask the repository and the APDB for the results of a campaign's current runs.

    Parameters
    ----------
    workspace
        The campaign.
    ledger
        Its records, if they have been read already.

    Raises
    ------
    LedgerError
        If it has no runs, or the files of a run cannot be read.
    RepositoryError
        If a repository cannot be read.
    ApdbError
        If the APDB cannot be read.
    BpsError
        If the state of a run cannot be read.
    """
    ledger = ledger or workspace.read_ledger()
    if ledger.retirements and not ledger.runs:
        return CampaignSummary(
            campaign=workspace.campaign.name,
            steps=(),
            apdb_config=None,
            apdb_rows={},
            verification=None,
            planned=workspace.campaign.steps,
            retired=ledger.retirements,
        )
    records = ledger.require_current()
    diffim = ledger.current(Step.DIFFIM)
    apdb_config = find_filled_apdb(diffim)
    unchecked = None
    if apdb_config:
        try:
            find_apdb(apdb_config)
        except UnsupportedApdbError as reason:
            unchecked = str(reason)
    inspected = apdb_config if unchecked is None else None
    outcomes = {record.output_run: read_outcomes(record) for record in records}
    steps = _summarise_steps(ledger, records, outcomes)
    failed = any(not step.good for step in steps if step.step is Step.DIFFIM)
    return CampaignSummary(
        campaign=workspace.campaign.name,
        steps=steps,
        apdb_config=apdb_config,
        apdb_rows=dict(count_rows(inspected)) if inspected else {},
        verification=verify_runs(ledger, others=workspace.campaign.apdb.filled) if inspected else None,
        apdb_unchecked=unchecked,
        templates=_check_templates(workspace, diffim),
        allowed=read_submitted_campaign(workspace, newest_of(diffim)).allow_missing_templates
        if diffim
        else 0.0,
        associations=find_skipped(diffim, workspace.campaign.instrument)
        if inspected and failed
        else SkippedAndWaiting(),
        planned=(ledger.chosen.step,)
        if ledger.chosen
        else read_submitted_campaign(workspace, newest_of(records)).steps,
        missing=_find_missing(workspace, ledger, outcomes),
        dia_objects=count_dia_objects(inspected) if inspected else None,
        retired=ledger.retirements,
        left=find_left(workspace, ledger),
    )


def verify_runs(ledger: Ledger, *, others: bool = False) -> Verification | None:
    """Compare the APDB of the newest diffim run with what Butler says was associated by all runs that filled it.

    The output collection would not do: it may hold runs that filled another APDB.

    Parameters
    ----------
    ledger
        What the campaign has submitted.
    others
        Whether the APDB holds what other campaigns have associated, too.

    Returns
    -------
    verification
        `None` if nothing has been associated yet.

    Raises
    ------
    RepositoryError
        If a repository cannot be read.
    ApdbError
        If the APDB cannot be read.
    """
    apdb_config = find_filled_apdb(ledger.current(Step.DIFFIM))
    if apdb_config is None:
        return None
    newest = newest_of(run for run in ledger.runs if run.apdb_config == apdb_config)
    with open_butler(newest.butler, f"the collections of {newest.butler} cannot be listed") as butler:
        known = set(butler.collections.query("*"))
    runs = [run.output_run for run in ledger.same_apdb(apdb_config) if run.output_run in known]
    if not runs:
        return None
    return verify_apdb(apdb_config, read_expected_associations(newest.butler, runs, others=others))


def _check_templates(workspace: Workspace, records: Sequence[RunRecord]) -> TemplateCoverage | None:
    """Look for the templates where the diffim runs did."""
    runs = [(record, read_planned_run(workspace, record)) for record in records]
    found = [
        check_templates(read_submitted_campaign(workspace, record), run)
        for record, run in runs
        if run.needs_templates
    ]
    return reduce(or_, found) if found else None


def _find_missing(
    workspace: Workspace, ledger: Ledger, outcomes: Mapping[str, Outcomes]
) -> tuple[MissingImage, ...]:
    """Look for science images without a difference image, whichever step has lost them."""
    planned = [(read_planned_run(workspace, record), record) for record in ledger.current(Step.DIFFIM)]
    runs = [each for each in planned if each[0].needs_templates]
    troubles = [trouble for each in outcomes.values() for trouble in each.troubles]

    def find() -> set[MissingImage]:
        return {image for each in runs for image in find_missing_images(*each, troubles)}

    found = find()
    if not all(image.explained for image in found):
        # What a resumed run has left out since it was done may have been done with trouble.
        for record in reversed(ledger.runs):
            if record.output_run not in outcomes:
                with contextlib.suppress(RepositoryError):
                    troubles += read_outcomes(record).troubles
        found = find()
    return tuple(sorted(found))


def _summarise_steps(
    ledger: Ledger, records: Sequence[RunRecord], outcomes: Mapping[str, Outcomes]
) -> tuple[StepSummary, ...]:
    products = count_products(records)
    return tuple(
        StepSummary(
            step=step,
            runs=tuple(
                RunSummary(
                    output_run=record.output_run,
                    submit_dir=record.submit_dir,
                    state=run_state(record),
                    quanta=outcomes[record.output_run].counts,
                )
                for record in records
                if record.step is step
            ),
            product=PRODUCTS[step],
            products=products[step],
            absent=ledger.absent_parts(step),
        )
        for step in Step
        if step in products
    )
