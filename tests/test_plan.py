"""The forecast of a campaign: what it counts is what BPS makes, what it says it takes is what was measured."""

import json

import networkx as nx
import pytest
import yaml
from apcampaign.bps import Step, load_site
from apcampaign.submit.forecast import (
    Forecast,
    JobForecast,
    StepForecast,
    count_slots,
    draw_dot,
    draw_mermaid,
)
from apcampaign.submit.forecast.costs import GUESS, Costs
from operators import write_campaign


def job(label: str, jobs: int, seconds: float, *parents: str, depth: int = 1) -> JobForecast:
    return JobForecast(
        label=label,
        quanta={label: jobs},
        jobs=jobs,
        seconds=seconds,
        cores=1,
        memory=4096,
        disk=100.0,
        depth=depth,
        sources=(GUESS,),
        parents=parents,
    )


def forecast(*jobs: JobForecast, slots: int) -> Forecast:
    step = StepForecast(step=Step.TEMPLATES, output_run="u/me/x", selection={}, jobs=jobs)
    return Forecast(campaign="dc2", slots=slots, steps=(step,))


def test_the_time_is_bounded_by_the_work_and_by_what_waits_for_what():
    jobs = (job("a", 10, 60), job("b", 1, 300, "a"), job("c", 4, 30, "a", depth=3))
    assert forecast(*jobs, slots=1).wall_seconds == (1020, 1020)
    assert forecast(*jobs, slots=10_000).wall_seconds == pytest.approx((360, 360), abs=0.2)
    least, most = forecast(*jobs, slots=4).wall_seconds
    assert (least, most) == (360, 255 + 0.75 * 360)
    assert forecast(*jobs, slots=4).core_hours == pytest.approx(1020 / 3600)


def test_what_was_not_measured_is_a_guess_and_says_so():
    costs = Costs()
    assert costs.of("isr").source == costs.of("whatever").source == GUESS
    assert costs.of("isr").seconds > 0
    assert costs.disk_of("isr", ["post_isr_image"]) > 0
    assert Costs(datasets={"post_isr_image": 7.0}).disk_of("isr", ["post_isr_image", "isr_log"]) == 7.0


def test_a_pool_that_does_not_answer_has_an_assumed_number_of_slots():
    assert count_slots(load_site("parsl-local"))[0] == 2
    slots, note = count_slots(load_site("s3df"))
    assert f"{slots} slots are assumed" in note


@pytest.mark.slow
@pytest.mark.htcondor
@pytest.mark.postgres
def test_a_campaign_that_has_run_tells_what_another_will_take(undisturbed, sandbox):
    operator, _ = undisturbed
    said = json.loads(operator.apcampaign("plan", "--tracts", "3828", "--slots", "4", "--json"))
    for step in said["steps"]:
        (page,) = operator.folder.glob(f"runs/*/{step['step']}/*/run.yaml")
        made = yaml.safe_load(page.read_text())
        assert {each["label"]: each["jobs"] for each in step["jobs"]} == made["jobs"]
        assert {name: count for each in step["jobs"] for name, count in each["quanta"].items()} == made[
            "quanta"
        ]
        for each in step["jobs"]:
            if each["quanta"]:
                assert each["sources"] == [made["output_run"]]
    assert said["disk_mib"] > 0
    least, most = said["wall_seconds"]
    assert 0 < least <= most
    # A campaign without runs learns from those beside it.
    (operator.folder / "other").mkdir()
    write_campaign(operator.folder / "other", sandbox, tracts=[3829])
    words = ["plan", "--campaign", "other/campaign.yaml", "--slots", "4"]
    shown = operator.apcampaign(*words)
    assert f"measured in {said['steps'][0]['jobs'][1]['sources'][0]}" in shown
    assert operator.apcampaign(*words, "--mermaid").startswith("flowchart LR\n  subgraph templates")


def test_pictures_can_be_read_by_machines():
    steps = tuple(
        StepForecast(
            step=step,
            output_run="u/me/x",
            selection={},
            jobs=(job("pipetaskInit", 1, 1), job('a"b', 3, 60, "pipetaskInit"), job("finalJob", 1, 9, 'a"b')),
        )
        for step in Step
    )
    both = Forecast(campaign="dc2", slots=1, steps=steps)
    mermaid = draw_mermaid(both).splitlines()
    edges = [line.split(" --> ") for line in mermaid if "-->" in line]
    graph = nx.DiGraph([(first.strip(), second.strip()) for first, second in edges])
    assert nx.is_directed_acyclic_graph(graph)
    assert len(graph) == 9
    assert len(nx.dag_longest_path(graph)) == 9
    dot = draw_dot(both)
    assert dot.count("{") == dot.count("}") == 3
    assert '"templates/a\\"b" -> "templates/finalJob";' in dot
