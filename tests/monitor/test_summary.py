"""The results of a campaign, put together over the runs of each step."""

import json
from dataclasses import replace
from functools import reduce
from operator import or_

import pytest
from apcampaign.apdb import ApdbFindingKind, ApdbTarget, Verification
from apcampaign.bps import Step
from apcampaign.monitor.campaign_summary import CampaignSummary, RunSummary, StepSummary
from apcampaign.monitor.outcomes import (
    LeftBehind,
    LeftQuantum,
    QuantaCount,
    Spread,
    TemplateCoverage,
    add_counts,
)
from apcampaign.ordering import SkippedAndWaiting, SkippedAssociation

GOOD = QuantaCount(expected=4, successful=4, failed=0, blocked=0, unknown=0)
BAD = QuantaCount(expected=4, successful=1, failed=1, blocked=1, unknown=1)
VERIFIED = Verification(
    ApdbTarget.from_url("sqlite:////tmp/apdb.db", None), "apdb_marker", 4, 4, 9, 9, (), (), {}, 0.1
)


def step(which: Step, *counts: QuantaCount, state: str | None = "SUCCEEDED") -> StepSummary:
    return StepSummary(
        step=which,
        runs=tuple(
            RunSummary(output_run=f"u/me/{which}/{n}", submit_dir="/s", state=state, quanta={"task": count})
            for n, count in enumerate(counts)
        ),
        product="template_coadd",
        products=3,
    )


def summary(*steps: StepSummary, verification: Verification | None = VERIFIED, **more) -> CampaignSummary:
    return CampaignSummary(
        campaign="dc2", steps=steps, apdb_config=None, apdb_rows={}, verification=verification, **more
    )


def coverage(missing: int, of: int = 10) -> TemplateCoverage:
    needed = [(1, patch, "r") for patch in range(of)]
    return TemplateCoverage(
        needed=frozenset(needed), missing=frozenset(needed[:missing]), collections=("u/me/templates",)
    )


def test_quanta_of_parts_are_added_up_by_label():
    assert add_counts([{"isr": GOOD}, {"isr": BAD, "coadd": GOOD}]) == {
        "isr": QuantaCount(expected=8, successful=5, failed=1, blocked=1, unknown=1),
        "coadd": GOOD,
    }


def test_a_campaign_is_good_if_all_parts_of_both_steps_and_the_apdb_are():
    templates, diffim = step(Step.TEMPLATES, GOOD, GOOD), step(Step.DIFFIM, GOOD)
    assert summary(templates, diffim).good
    assert not summary(templates, step(Step.DIFFIM, GOOD, BAD)).good
    assert not summary(templates).good
    assert not summary(templates, diffim, verification=None).good
    assert summary(templates, diffim, verification=None, apdb_unchecked="it is Cassandra").good


def test_a_campaign_is_not_complete_if_earlier_runs_have_left_tables_of_visits_undone():
    quanta = tuple(
        LeftQuantum(
            label="consolidateDiaSourceTable",
            visit=visit,
            data_id={"visit": visit},
            output_run="u/me/diffim/1",
        )
        for visit in (2, 1)
    )
    found = summary(step(Step.TEMPLATES, GOOD), step(Step.DIFFIM, GOOD), left=LeftBehind(quanta=quanta))
    assert not found.good
    assert "go on with `apcampaign submit diffim --continue`" in found.verdict
    said = "2 quanta of earlier runs not done, and in no current run: 2 consolidateDiaSourceTable (visit 1, "
    assert found.left.describe().startswith(f"{said}visit 2); ")
    assert len(json.loads(json.dumps(found.as_dict()))["left_quanta"]) == 2


def test_a_campaign_of_which_only_the_order_is_wrong_has_nothing_to_resume():
    late = replace(VERIFIED, counts={ApdbFindingKind.ORDER: 2})
    templates, diffim = step(Step.TEMPLATES, GOOD), step(Step.DIFFIM, GOOD)
    found = summary(templates, diffim, verification=late)
    assert not found.good
    assert "all is done, but 2 pairs of associations of the same sky came out of time order" in found.verdict
    more = replace(late, counts={**late.counts, ApdbFindingKind.MISSING: 1})
    for other in (
        summary(templates, step(Step.DIFFIM, BAD), verification=late),
        summary(templates, diffim, verification=more),
    ):
        assert "then `apcampaign resume`" in other.verdict


def test_a_submission_of_one_step_is_judged_by_that_step():
    templates, bad = step(Step.TEMPLATES, GOOD), step(Step.DIFFIM, BAD)
    assert summary(templates, verification=None).good_for([Step.TEMPLATES])
    assert not summary(templates, bad).good_for([Step.DIFFIM])
    assert not summary(templates).good_for([Step.DIFFIM])
    assert summary(step(Step.TEMPLATES, BAD), step(Step.DIFFIM, GOOD)).good_for([Step.DIFFIM])


@pytest.mark.parametrize(("missing", "allowed", "good"), [(2, 20.0, True), (3, 20.0, False), (1, 0.0, False)])
def test_templates_may_be_missing_as_far_as_was_allowed(missing, allowed, good):
    found = summary(
        step(Step.TEMPLATES, BAD),
        step(Step.DIFFIM, GOOD),
        templates=coverage(missing),
        allowed=allowed,
    )
    assert found.tolerated == found.good == good


def test_the_worst_state_of_its_runs_is_that_of_a_step():
    run = step(Step.TEMPLATES, GOOD).runs
    for states, worst in (
        (("SUCCEEDED", "RUNNING"), "RUNNING"),
        (("HELD", "FAILED"), "FAILED"),
        ((None, None), None),
        (("SUCCEEDED", None), "SUCCEEDED"),
    ):
        runs = tuple(
            RunSummary(output_run="x", submit_dir="/s", state=state, quanta={})
            for state in states
            for _ in run
        )
        assert StepSummary(step=Step.TEMPLATES, runs=runs, product="", products=0).state == worst


def test_coverage_of_two_parts_counts_what_both_need_once():
    one, other = coverage(1), coverage(2, of=12)
    both = one | other
    assert len(both.needed) == 12
    assert both.missing == other.missing
    assert both.collections == ("u/me/templates",)
    assert both.describe().startswith(
        "templates: 2 of 12 (patch, band) that the science visits need are missing"
    )
    assert both.within(17)
    assert not both.within(16)


def test_the_coverage_of_all_parts_is_told_in_a_line_with_a_number_of_runs():
    parts = [
        TemplateCoverage(
            needed=frozenset({(1, patch, "r")}),
            missing=frozenset(),
            collections=("u/me/templates",),
            runs={(1, patch, "r"): f"u/me/templates/coadds-{patch}"},
        )
        for patch in range(20)
    ]
    whole = reduce(or_, parts)
    assert whole.describe() == (
        "templates: all 20 (patch, band) that the science visits need are there "
        "(those that are there: from 20 runs)"
    )
    found = summary(step(Step.TEMPLATES, GOOD), step(Step.DIFFIM, GOOD), templates=whole)
    assert whole.describe() in found._repr_html_()
    assert found.as_dict()["needed_templates"] == 20


def test_a_summary_becomes_json_with_each_run_below_its_step():
    skipped = SkippedAssociation(7, 94, (9, 94), (1, 2))
    associations = SkippedAndWaiting(waiting=((8, 94),), skipped=(skipped,))
    found = summary(step(Step.TEMPLATES, GOOD, BAD), associations=associations)
    content = json.loads(json.dumps(found.as_dict()))
    (of_step,) = content["steps"]
    assert of_step["quanta"]["task"]["expected"] == 8
    assert [run["output_run"] for run in of_step["runs"]] == ["u/me/templates/0", "u/me/templates/1"]
    assert content["associations"] == {
        "waiting": [[8, 94]],
        "skipped": [{"visit": 7, "detector": 94, "overlapping_visit": [9, 94], "objects": [1, 2]}],
    }


def test_a_distribution_interpolates_between_its_values():
    found = Spread.of([4, 1, 2, 3])
    assert found is not None
    assert (found.least, found.lower, found.median, found.upper, found.most) == (1, 1.75, 2.5, 3.25, 4)
    assert found.high == pytest.approx(3.85)
    assert Spread.of([]) is None
    assert Spread.of([5.0]).high == 5
