"""Stack check: Rubin's pipelines as they are set up, compared with what apcampaign relies on."""

__all__ = ["check_stack"]

from collections.abc import Iterator

from ...bps.lint import Finding, Severity
from ...common.errors import PipelineError
from ...pipelines.reference import (
    PipelineFacts,
    PublicTable,
    Weight,
    compare_pipelines,
    load_table,
    read_pipeline,
)
from .run_spec import finding_from_error, make_finding

_SEVERITIES = {
    Weight.BREAKS: Severity.ERROR,
    Weight.CHANGES: Severity.WARNING,
    Weight.NOTE: Severity.INFO,
}
_REASONS = {
    Weight.BREAKS: "campaigns rely on it: they fail, or do something else",
    Weight.CHANGES: "campaigns run, and their results may be different",
    Weight.NOTE: "campaigns run as they do with the releases that apcampaign knows",
}


def check_stack(instrument: str, table: PublicTable | None = None) -> list[Finding]:
    """Compare the pipelines of the stack that is set up with what apcampaign relies on. Changes nothing.

    Parameters
    ----------
    instrument
        Compare the pipelines of this instrument.
    table
        What is relied on; by default the table that comes with apcampaign.
    """
    table = table or load_table()
    mine = {name: facts for name, facts in table.pipelines.items() if facts.instrument == instrument}
    if not mine:
        known = ", ".join(sorted({facts.instrument for facts in table.pipelines.values()}))
        return [
            make_finding(
                Severity.WARNING,
                "unchecked",
                f"apcampaign's table has no pipelines of {instrument} (it has those of {known})",
                "nothing is compared",
                "compare the pipelines of your campaign with `apcampaign check`",
            )
        ]
    return [finding for name, facts in mine.items() for finding in _check_pipeline(name, facts, table)]


def _check_pipeline(name: str, facts: PipelineFacts, table: PublicTable) -> Iterator[Finding]:
    try:
        found, gap = read_pipeline(facts.location, labels=facts.tasks if facts.part else None)
    except PipelineError as error:
        yield finding_from_error(error, "stack", "nothing of it is compared", remedy=error.remedy, key=name)
        return
    if gap:
        yield make_finding(
            Severity.WARNING,
            "unchecked",
            f"dimensions and dataset types of {name} are not compared: {gap}",
            "the classes of its tasks know them",
            "set up lsst_distrib, not single packages of it",
            key=name,
        )
    remedy = f"use a release like the one that the table was made from: {table.describe_packages()}"
    for difference in compare_pipelines(facts, found):
        yield make_finding(
            _SEVERITIES[difference.weight],
            "stack",
            difference.what,
            _REASONS[difference.weight],
            "nothing has to be done" if difference.weight is Weight.NOTE else remedy,
            key=f"{name}: {difference.subject}",
        )
