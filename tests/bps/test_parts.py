"""Each visit and each patch of a divided step is in one part of each stage, which waits for what it needs."""

import pytest
from apcampaign.bps import (
    CampaignConfig,
    Stage,
    Step,
    build_config,
    load_site,
    plan_campaign,
    read_config_overrides,
)
from apcampaign.bps.division_text import describe_division
from apcampaign.bps.options import find_options_for_tasks
from apcampaign.bps.parts import divide_plan
from apcampaign.bps.shape import StepShape, TaskShape, VisitOnSky, assign_stages
from apcampaign.common.errors import SettingsError
from hypothesis import given, settings
from hypothesis import strategies as st

STAGES = {
    Step.TEMPLATES: {Stage.VISITS: ("isr", "calibrateImage"), Stage.COADDS: ("makeDirectWarp",)},
    Step.DIFFIM: {
        Stage.VISITS: ("isr",),
        Stage.IMAGES: ("subtractImages",),
        Stage.ASSOCIATION: ("associateApdb",),
    },
}
visits = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.integers(1, 189),
        st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=6),
    ),
    min_size=2,
    max_size=30,
).map(
    lambda rows: tuple(
        VisitOnSky(id=number, begin=begin, detectors=detectors, patches=patches)
        for number, (begin, detectors, patches) in enumerate(rows, 100)
    )
)


def divide(found, parts):
    campaign = CampaignConfig(
        name="x", butler="/repo", inCollection="raw", templates={"parts": parts}, diffim={"parts": parts}
    )
    shapes = {
        step: StepShape(instrument="Cam", skymap="map", stages=stages, visits=found)
        for step, stages in STAGES.items()
    }
    return divide_plan(plan_campaign(campaign), shapes, campaign)


@settings(max_examples=15, deadline=None)
@given(visits, st.integers(2, 8))
def test_each_visit_and_each_patch_is_in_one_part_of_each_stage(found, parts):
    plan = divide(found, parts)
    for step, stages in STAGES.items():
        for stage, labels in stages.items():
            runs = [run for run in plan.runs_of(step) if run.stage is stage]
            assert 1 <= len(runs) <= parts
            assert all(run.pipeline.partition("#")[2] == ",".join(labels) for run in runs)
            conditions = [run.query.rpartition(") AND ")[2] for run in runs]
            if stage is Stage.COADDS:
                patches = [eval_patches(run.query) for run in runs]
                assert sorted(p for group in patches for p in group) == sorted(
                    {patch for visit in found for patch in visit.patches}
                )
            else:
                numbers = [int(n) for c in conditions for n in c.partition("(")[2].rstrip(")").split(", ")]
                assert sorted(numbers) == [visit.id for visit in found]


def eval_patches(query):
    import re

    return {
        (int(tract), int(patch))
        for tract, patches in re.findall(r"tract = (\d+) AND patch IN \(([\d, ]+)\)", query)
        for patch in patches.split(", ")
    }


def visits_of(run):
    return {int(n) for n in run.query.rpartition("visit IN (")[2].rstrip(")").split(", ")}


@settings(max_examples=15, deadline=None)
@given(visits, st.integers(2, 8))
def test_a_part_waits_for_what_it_reads_and_for_earlier_associations_of_its_sky(found, parts):
    plan = divide(found, parts)
    sky = {visit.id: visit.patches for visit in found}
    time = {visit.id: (visit.begin, visit.id) for visit in found}
    for after in plan:
        before = {plan.find(name) for name in plan.parents(after)}
        if after.stage is Stage.COADDS:
            patches = eval_patches(after.query)
            needed = {number for number, seen in sky.items() if seen & patches}
            assert needed <= set().union(*(visits_of(run) for run in before))
        if after.stage is Stage.IMAGES:
            there = set().union(*(eval_patches(run.query) for run in before if run.stage is Stage.COADDS))
            assert set().union(*(sky[number] for number in visits_of(after))) <= there
        if after.stage is Stage.ASSOCIATION:
            images = set().union(*(visits_of(run) for run in before if run.stage is Stage.IMAGES))
            assert visits_of(after) <= images
            earlier = set().union(*(visits_of(run) for run in before if run.stage is Stage.ASSOCIATION))
            for number in {*sky} - visits_of(after) - earlier:
                later = all(time[number] > time[mine] for mine in visits_of(after))
                assert later or all(not sky[number] & sky[mine] for mine in visits_of(after))


def test_of_many_parts_the_stages_are_described_with_why_there_are_so_many_and_what_they_wait_for():
    found = tuple(
        VisitOnSky(id=n, begin=n, detectors=10, patches=frozenset({(n // 40, n % 40), (n // 40, n % 40 + 1)}))
        for n in range(160)
    )
    campaign = CampaignConfig(name="x", butler="/repo", inCollection="raw", diffim={"parts": 1})
    shape = StepShape(
        instrument="Cam",
        skymap="map",
        stages=STAGES[Step.TEMPLATES],
        quanta={Stage.VISITS: 64_000, Stage.COADDS: 40_000},
        visits=found,
    )
    assert list(describe_division(plan_campaign(campaign), {Step.TEMPLATES: shape}, campaign)) == [
        "templates: 14 parts, each with a graph of its own: it has about 104,000 quanta, and from 16,000 on a "
        "part has about 8,000 (parts: auto); the first one of visits has a tenth, so that jobs begin soon",
        "  9 of visits, each: about 800 to 8,000 quanta, 2 to 20 visits, 3 to 22 patches of 4 "
        "tracts; begin at once",
        "  5 of coadds, each: about 7,875 to 8,125 quanta, 32 to 33 patches of 4 tracts; after 2 to 3 of "
        "templates-visits",
    ]


def test_a_small_step_and_one_that_is_to_stay_whole_are_not_divided():
    found = (
        VisitOnSky(id=1, begin=0, detectors=1, patches=frozenset({(1, 1)})),
        VisitOnSky(id=2, begin=1, detectors=1, patches=frozenset({(1, 1)})),
    )
    for parts in (1, "auto"):
        assert [run.part for run in divide(found, parts)] == ["", ""]


def test_a_part_gets_the_values_that_are_for_its_own_tasks(tmp_path):
    found = (
        VisitOnSky(id=1, begin=0, detectors=1, patches=frozenset({(1, 1)})),
        VisitOnSky(id=2, begin=1, detectors=1, patches=frozenset({(1, 1)})),
    )
    config = {"isr:doBrighterFatter": True, "associateApdb:doRunForcedMeasurement": False}
    diffim = {"parts": 2, "config": config, "parameters": {"release_id": 3}}
    campaign = CampaignConfig(name="x", butler="/repo", inCollection="raw", diffim=diffim)
    shape = StepShape(instrument="Cam", skymap="map", stages=STAGES[Step.DIFFIM], visits=found)
    plan = divide_plan(plan_campaign(campaign), {Step.DIFFIM: shape}, campaign)
    for run in plan.runs_of(Step.DIFFIM):
        made = build_config(
            campaign,
            run,
            load_site("local"),
            submit_path=tmp_path,
            apdb_config="label:x" if run.fills_apdb else None,
            environment={},
            edges_added=True,
        )
        values = {f"{label}:{field}" for label, field, _ in read_config_overrides(made["extraQgraphOptions"])}
        own = {
            Stage.VISITS: {"isr:doBrighterFatter"},
            Stage.IMAGES: set(),
            Stage.ASSOCIATION: {"associateApdb:doRunForcedMeasurement", "parameters:apdb_config"},
        }
        assert values == {"parameters:release_id", *own[run.stage]}


def test_options_for_certain_tasks_are_found():
    options = (
        "-c parameters:release_id=3 -c isr:doBias=False -c isr:doDark=False --prune-unanchored-quanta a:b"
    )
    assert find_options_for_tasks(options, {"isr:doBias": "False"}) == [
        "-c isr:doDark=False",
        "--prune-unanchored-quanta a:b",
    ]


def task(label, dimensions, inputs=(), outputs=(), **more):
    return TaskShape(
        label=label,
        dimensions=frozenset(dimensions),
        inputs=frozenset(inputs),
        outputs=frozenset(outputs),
        **more,
    )


def test_a_task_is_in_the_stage_of_the_latest_thing_that_it_waits_for():
    tasks = [
        task("isr", {"exposure"}, {"raw"}, {"post"}),
        task("calibrate", {"visit"}, {"post"}, {"image"}),
        task("preload", {"group"}, {"image"}, {"region"}),
        task("buildTemplate", {"visit"}, {"image", "coadd"}, {"template"}, reads_patches=True),
        task("subtract", {"visit"}, {"template"}, {"difference"}),
        task("load", {"group"}, {"region"}, {"objects"}),
        task("associate", {"visit"}, {"objects", "difference"}, {"marker"}),
        task("plot", {"visit"}, {"marker"}, ()),
    ]
    assert assign_stages(Step.DIFFIM, tasks, ("load", "associate")) == {
        Stage.VISITS: ["isr", "calibrate", "preload"],
        Stage.IMAGES: ["buildTemplate", "subtract"],
        Stage.ASSOCIATION: ["load", "associate"],
        Stage.ANALYSIS: ["plot"],
    }


def test_what_an_association_reads_is_no_analysis_of_one():
    tasks = [
        task("load", {"group"}, (), {"objects"}),
        task("plotLoaded", {"visit"}, {"objects"}, {"picture"}),
        task("filter", {"visit"}, {"objects"}, {"filtered"}),
        task("associate", {"visit"}, {"filtered"}, {"marker"}),
        task("table", {"visit"}, {"picture", "marker"}, ()),
    ]
    assert assign_stages(Step.DIFFIM, tasks, ("load", "associate")) == {
        Stage.ASSOCIATION: ["load", "filter", "associate"],
        Stage.ANALYSIS: ["plotLoaded", "table"],
    }


def test_each_stage_is_divided_by_its_own_size_and_only_the_first_one_begins_small():
    found = tuple(
        VisitOnSky(id=number, begin=number, detectors=1, patches=frozenset({(1, number % 4)}))
        for number in range(100)
    )
    campaign = CampaignConfig(name="x", butler="/repo", inCollection="raw")
    quanta = {Stage.VISITS: 16_000, Stage.IMAGES: 80_000, Stage.ASSOCIATION: 24_000}
    shape = StepShape(instrument="Cam", skymap="map", stages=STAGES[Step.DIFFIM], quanta=quanta, visits=found)
    plan = divide_plan(plan_campaign(campaign, steps=[Step.DIFFIM]), {Step.DIFFIM: shape}, campaign)
    sizes = {
        stage: [len(visits_of(run)) for run in plan if run.stage is stage] for stage in STAGES[Step.DIFFIM]
    }
    assert {stage: len(parts) for stage, parts in sizes.items()} == {
        Stage.VISITS: 3,
        Stage.IMAGES: 10,
        Stage.ASSOCIATION: 3,
    }
    assert min(sizes[Stage.VISITS]) < 10
    assert min(sizes[Stage.IMAGES]) == 10


def test_what_most_others_come_after_is_highest():
    found = tuple(
        VisitOnSky(id=number, begin=number, detectors=1, patches=frozenset({(1, 1)})) for number in range(4)
    )
    heights = divide(found, 2).heights
    assert heights["templates-visits-1"] == max(heights.values())
    assert heights["diffim-association-2"] == 1
    assert heights["diffim-association-1"] == 2
    assert heights["diffim-images-1"] > heights["diffim-images-2"]


def test_a_part_whose_data_query_no_command_can_take_is_refused():
    found = tuple(
        VisitOnSky(id=number, begin=number, detectors=1, patches=frozenset({(number, 0)}))
        for number in range(10**5, 10**5 + 9000)
    )
    with pytest.raises(SettingsError, match=r"templates-coadds-1: its data query has [\d,]+ bytes"):
        divide(found, 2)


def test_many_visits_are_asked_for_by_ranges_of_those_that_the_step_selects():
    # As many exposures of other bands lie between them; every tenth is earlier than its number says.
    found = tuple(
        VisitOnSky(
            id=1000 + 2 * number,
            begin=number - 1500 * (number % 10 == 9),
            detectors=1,
            patches=frozenset({(1, 2)}),
        )
        for number in range(3000)
    )
    parts = [run for run in divide(found, 2).runs_of(Step.DIFFIM) if run.stage is Stage.IMAGES]
    seen: list[int] = []
    for run in parts:
        terms = run.query.rpartition(") AND visit IN (")[2].rstrip(")").split(", ")
        assert len(terms) < 900
        bounds = [(int(term.split("..")[0]), int(term.split("..")[-1])) for term in terms]
        seen += [visit.id for visit in found if any(first <= visit.id <= last for first, last in bounds)]
    assert len(parts) == 2
    assert sorted(seen) == [visit.id for visit in found]
