"""The plan of a campaign: a graph of runs that nothing but the plan knows the number of."""

import pytest
from apcampaign.bps import CampaignConfig, InjectionSettings, Plan, PlannedRun, Step, plan_campaign
from apcampaign.common.errors import SettingsError
from hypothesis import given
from hypothesis import strategies as st

TIMESTAMP = "20251012T010203Z"


@pytest.fixture
def campaign() -> CampaignConfig:
    return CampaignConfig.model_validate(
        {
            "name": "camp",
            "operator": "me",
            "butler": "/repo/dc2",
            "tracts": [3828],
            "where": "visit > 1",
            "inCollection": "2.2i/defaults",
        }
    )


def a_run(step: Step, part: str) -> PlannedRun:
    return PlannedRun(
        step=step,
        part=part,
        timestamp=TIMESTAMP,
        pipeline="p.yaml",
        query="q",
        inputs=("raw",),
        output=f"u/{step}",
    )


def test_both_steps_are_two_runs_and_an_edge(campaign):
    plan = plan_campaign(campaign, timestamp=TIMESTAMP)
    templates, diffim = plan
    assert (templates.name, diffim.name) == ("templates", "diffim")
    assert plan.edges == {("templates", "diffim")}
    assert plan.ready == (templates,)
    assert diffim.inputs == ("u/me/camp/templates", "2.2i/defaults")
    assert diffim.skip_existing == ("u/me/camp/templates",)
    assert templates.query.endswith("AND (visit > 1)")
    assert templates.output_run == f"u/me/camp/templates/{TIMESTAMP}"


def test_difference_imaging_waits_for_nothing_with_templates_from_elsewhere(campaign):
    plan = plan_campaign(campaign, templates="u/you/templates")
    assert not plan.edges
    assert {run.name for run in plan.ready} == {"templates", "diffim"}


def test_the_graph_of_difference_imaging_is_not_limited_to_the_tracts_of_its_visits(campaign):
    templates, diffim = plan_campaign(campaign)
    assert "tract IN" in templates.query
    assert not templates.graph_query
    assert "tract IN" in diffim.query
    assert diffim.graph_query == "instrument='LSSTCam-imSim' AND skymap='DC2'"


def test_a_query_that_the_user_has_written_is_the_one_of_the_graph(campaign):
    diffim = campaign.diffim.model_copy(update={"data_query": "visit = 3"})
    _, run = plan_campaign(campaign.model_copy(update={"diffim": diffim}))
    assert (run.query, run.graph_query) == ("visit = 3", "")


def test_a_campaign_may_take_templates_from_a_standing_collection(campaign):
    diffim = campaign.diffim.model_copy(update={"templates": "LSSTCam/templates"})
    standing = campaign.model_copy(update={"steps": (Step.DIFFIM,), "tracts": None, "diffim": diffim})
    plan = plan_campaign(standing)
    (run,) = plan
    assert run.inputs == ("LSSTCam/templates", "2.2i/defaults")
    assert run.skip_existing == ()  # others may have calibrated differently
    assert run.query == "instrument='LSSTCam-imSim' AND skymap='DC2' AND (visit > 1)"
    assert not plan.edges
    # Resumed, too: its CHAINED output would read the standing collection as well.
    done = {Step.DIFFIM: ["u/me/camp/diffim/1"]}
    (resumed,) = plan_campaign(standing, skip_done=done)
    assert resumed.skip_existing == ("u/me/camp/diffim/1",)
    with pytest.raises(SettingsError, match="has no step templates"):
        plan_campaign(standing, steps=[Step.TEMPLATES])


@pytest.mark.parametrize("skipped", [(), ("prompt/20260905",)])
def test_a_campaign_may_say_what_is_not_run_again(campaign, skipped):
    diffim = campaign.diffim.model_copy(update={"skip_existing": skipped})
    _, run = plan_campaign(campaign.model_copy(update={"diffim": diffim}))
    assert run.skip_existing == skipped
    assert run.inputs[0] == "u/me/camp/templates"


def test_a_night_selects_the_raws_and_not_the_templates(campaign):
    changes = {"day_obs": (20260905,), "tracts": None, "where": None}
    _, run = plan_campaign(campaign.model_copy(update=changes))
    assert run.query == "instrument='LSSTCam-imSim' AND skymap='DC2' AND day_obs = 20260905"
    assert run.graph_query == "instrument='LSSTCam-imSim' AND skymap='DC2'"


def test_the_catalogue_of_injected_sources_is_searched_after_the_templates(campaign):
    injection = InjectionSettings(catalog=("u/me/fakes", "u/me/more"))
    injected = campaign.model_copy(update={"injection": injection})
    for before, after in zip(plan_campaign(campaign), plan_campaign(injected), strict=True):
        first, *rest = before.inputs
        more = injection.catalog if before.step is Step.DIFFIM else ()
        assert after.inputs == (first, *more, *rest)


def test_a_plan_survives_its_file(campaign):
    plan = plan_campaign(campaign, skip_done={step: [f"u/me/camp/{step}/1"] for step in Step})
    assert Plan.from_dict(plan.as_dict()) == plan
    with pytest.raises(ValueError, match="not a plan"):
        Plan.from_dict({"timestamp": TIMESTAMP})


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_parts_are_executed_after_those_that_they_wait_for(before, after, data):
    runs = [a_run(Step.TEMPLATES, str(i)) for i in range(before)] + [
        a_run(Step.DIFFIM, str(i)) for i in range(after)
    ]
    pairs = st.tuples(st.sampled_from(runs[:before]), st.sampled_from(runs[before:]))
    edges = frozenset((first.name, second.name) for first, second in data.draw(st.lists(pairs)))
    plan = Plan(timestamp=TIMESTAMP, runs=tuple(data.draw(st.permutations(runs))), edges=edges)
    place = {run.name: number for number, run in enumerate(plan)}
    assert len(place) == before + after
    assert all(place[first] < place[second] for first, second in edges)
    assert {run.name for run in plan.ready} == set(place) - {second for _, second in edges}


def test_what_is_no_plan_is_refused():
    templates, diffim = a_run(Step.TEMPLATES, ""), a_run(Step.DIFFIM, "")
    with pytest.raises(ValueError, match="names each run once"):
        Plan(timestamp=TIMESTAMP, runs=(templates, templates))
    with pytest.raises(ValueError, match="names each run once"):
        Plan(timestamp=TIMESTAMP, runs=(templates,), edges=frozenset({("templates", "diffim")}))
    with pytest.raises(ValueError, match="cycle"):
        Plan(
            timestamp=TIMESTAMP,
            runs=(templates, diffim),
            edges=frozenset({("templates", "diffim"), ("diffim", "templates")}),
        )
