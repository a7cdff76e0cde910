"""The forecast of a campaign: what it counts is what BPS makes, what it says it takes is what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
import yaml
from apcampaign.bps import PlannedRun, Step, load_site
from apcampaign.ledger import CampaignPaths, RunPaths, RunRecord, read_workflow, write_run
from apcampaign.monitor import Attempt, Job, JobState
from apcampaign.submit.forecast import Forecast, JobForecast, RunForecast, draw_dot, draw_mermaid
from apcampaign.submit.forecast.costs import GUESS, Costs
from apcampaign.submit.forecast.measured_costs import load_costs, measure_pause
from apcampaign.submit.forecast.slots import count_slots
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


def planned(step: Step, part: str = "") -> PlannedRun:
    return PlannedRun(
        step=step, part=part, timestamp="T", pipeline="p", query="q", inputs=("raw",), output=f"u/me/{step}"
    )


def forecast(*jobs: JobForecast, slots: int) -> Forecast:
    run = RunForecast(run=planned(Step.TEMPLATES), selection={}, jobs=jobs)
    return Forecast(campaign="dc2", slots=slots, runs=(run,))


def test_the_time_is_bounded_by_the_work_and_by_what_waits_for_what():
    jobs = (job("a", 10, 60), job("b", 1, 300, "a"), job("c", 4, 30, "a", depth=3))
    assert forecast(*jobs, slots=1).wall_seconds == (1020, 1020)
    assert forecast(*jobs, slots=10_000).wall_seconds == pytest.approx((360, 360), abs=0.2)
    least, most = forecast(*jobs, slots=4).wall_seconds
    assert (least, most) == (360, 255 + 0.75 * 360)
    assert forecast(*jobs, slots=4).core_hours == pytest.approx(1020 / 3600)


def test_pauses_between_jobs_that_wait_for_each_other_count_in_the_upper_bound_only():
    jobs = (job("a", 10, 60), job("b", 1, 300, "a"), job("c", 4, 30, "a", depth=3))
    run = RunForecast(run=planned(Step.TEMPLATES), selection={}, jobs=jobs, pause=7)
    assert run.paused_seconds == 7 * 4
    second = replace(run, run=planned(Step.DIFFIM), parents=("templates",))
    without = Forecast(campaign="dc2", slots=4, runs=tuple(replace(each, pause=0) for each in (run, second)))
    least, most = Forecast(campaign="dc2", slots=4, runs=(run, second)).wall_seconds
    assert (least, most) == (without.wall_seconds[0], without.wall_seconds[1] + 2 * 28)


def test_a_pause_is_the_longest_time_in_which_nothing_ran():
    def ran(*spans):
        attempts = tuple(Attempt(cluster=1, started=begin, ended=end) for begin, end in spans)
        return Job(
            name="a", label="a", step=Step.DIFFIM, state=JobState.DONE, attempts=attempts, folder=Path("/")
        )

    jobs = [ran((100, 110)), ran((104, 106), (130, 140)), ran((120, 125)), ran((None, None))]
    assert measure_pause(jobs) == 10
    assert measure_pause([*jobs, ran((9000, 9001))]) == 60  # an outage is something else
    assert measure_pause(jobs[:1]) is None
    assert measure_pause([]) is None


def test_what_was_not_measured_is_a_guess_and_says_so():
    costs = Costs()
    assert costs.of("isr").sources == costs.of("whatever").sources == (GUESS,)
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
def test_a_campaign_that_has_run_tells_what_another_will_take(undisturbed, reference):
    operator, _ = undisturbed
    said = json.loads(operator.apcampaign("plan", "--tracts", "3828", "--slots", "4", "--json"))
    for run in said["runs"]:
        (record,) = operator.folder.glob(f"runs/*/{run['step']}/*/run.yaml")
        made = yaml.safe_load(record.read_text())
        assert {each["label"]: each["jobs"] for each in run["jobs"]} == made["jobs"]
        assert {name: count for each in run["jobs"] for name, count in each["quanta"].items()} == made[
            "quanta"
        ]
        nodes = read_workflow(RunPaths(record.parent), made["output_run"]).nodes.values()
        requested = {node.label: (node.request_memory, node.request_cpus) for node in nodes}
        assert {each["label"]: (each["memory"], each["cores"]) for each in run["jobs"]} == requested
        for each in run["jobs"]:
            if each["quanta"]:
                assert each["sources"] == [made["output_run"]]
    assert said["disk_mib"] > 0
    least, most = said["wall_seconds"]
    assert 0 < least <= most
    # A campaign without runs takes the costs of those in the same folder.
    (operator.folder / "other").mkdir()
    write_campaign(operator.folder / "other", reference.sandbox, tracts=[3829])
    words = ["plan", "--campaign", "other/campaign.yaml", "--slots", "4"]
    shown = operator.apcampaign(*words)
    assert f"measured in {said['runs'][0]['jobs'][1]['sources'][0]}" in shown
    assert operator.apcampaign(*words, "--mermaid").startswith("flowchart LR\n  subgraph templates")


JOBS = (job("pipetaskInit", 1, 1), job('a"b', 3, 60, "pipetaskInit"), job("finalJob", 1, 9, 'a"b'))


def test_diagrams_can_be_read_by_machines():
    runs = (
        RunForecast(run=planned(Step.TEMPLATES), selection={}, jobs=JOBS),
        RunForecast(run=planned(Step.DIFFIM), parents=("templates",), selection={}, jobs=JOBS),
    )
    both = Forecast(campaign="dc2", slots=1, runs=runs)
    mermaid = draw_mermaid(both).splitlines()
    edges = [line.split(" --> ") for line in mermaid if "-->" in line]
    graph = nx.DiGraph([(first.strip(), second.strip()) for first, second in edges])
    assert nx.is_directed_acyclic_graph(graph)
    assert len(graph) == 9
    assert len(nx.dag_longest_path(graph)) == 9
    dot = draw_dot(both)
    assert dot.count("{") == dot.count("}") == 3
    assert '"templates/a\\"b" -> "templates/finalJob";' in dot
    assert '"templates/finalJob" -> "gate";\n  "gate" -> "prepare-diffim";' in dot


def parts(slots: int) -> Forecast:
    runs = (
        RunForecast(run=planned(Step.TEMPLATES), selection={}, jobs=(job("a", 4, 60),)),
        *(
            RunForecast(
                run=planned(Step.DIFFIM, part),
                parents=("templates",),
                selection={},
                jobs=(job("b", 1, seconds),),
            )
            for part, seconds in (("north", 100), ("south", 300))
        ),
    )
    return Forecast(campaign="dc2", slots=slots, runs=runs)


def test_parts_of_a_step_run_at_the_same_time():
    assert parts(1).wall_seconds == (640, 640)
    assert parts(10_000).wall_seconds == pytest.approx((360, 360), abs=0.2)
    assert parts(2).wall_seconds == (420, 320 + 0.5 * 360)


def test_parts_of_a_step_have_nodes_of_their_own_in_the_diagram():
    dot = draw_dot(parts(1))
    assert '"templates/a" -> "gate-south";' in dot
    assert '"gate-south" -> "prepare-diffim-south";' in dot
    assert '"prepare-diffim-south" -> "diffim-south/b";' in dot
    assert dot.count('-> "summary"') == 2


def write_costs(paths: CampaignPaths, timestamp: str, part: str, quanta: int, seconds: float) -> str:
    record = RunRecord(
        campaign=paths.campaign,
        step=Step.DIFFIM,
        part=part,
        timestamp=timestamp,
        butler="/nowhere",
        inputs=(),
        output="u/me/diffim",
        output_run=f"u/me/{paths.campaign}/{timestamp}{part}",
        config="",
        submit_dir="",
        graph="",
        wms_service="",
        jobs={},
        quanta={},
    )
    run = paths.run(record)
    write_run(run, record)
    tasks = {"isr": {"quanta": quanta, "seconds": seconds}}
    content = {"run": record.output_run, "tasks": tasks, "datasets": {"bias": seconds}, "overhead": seconds}
    run.costs.write_text(json.dumps(content))
    return record.output_run


def test_costs_are_those_of_the_newest_run_of_each_part(tmp_path):
    mine, other = CampaignPaths(tmp_path, "mine"), CampaignPaths(tmp_path, "other")
    newest = write_costs(other, "20260103T000000Z", "", 1, 999)
    assert load_costs(mine, Step.DIFFIM).of("isr").sources == (newest,)
    write_costs(mine, "20260101T000000Z", "north", 100, 7)
    sources = {
        write_costs(mine, "20260102T000000Z", "north", 1, 10),
        write_costs(mine, "20260101T000000Z", "south", 3, 20),
    }
    costs = load_costs(mine, Step.DIFFIM)
    assert (costs.of("isr").seconds, set(costs.of("isr").sources)) == (17.5, sources)
    assert (costs.datasets["bias"], costs.overhead, set(costs.sources)) == (15, 15, sources)
    (broken,) = mine.step(Step.DIFFIM).glob("20260102*/costs.json")
    broken.write_text("{}")
    assert load_costs(mine, Step.DIFFIM).of("isr").seconds == (100 * 7 + 3 * 20) / 103
    assert load_costs(mine, Step.TEMPLATES).sources == (GUESS,)


def test_parts_that_were_measured_together_are_named_once():
    sources = ("u/me/other/1", *(f"u/me/templates/20251012T010203Z-visits-{part}" for part in range(9)))
    assert replace(job("isr", 1, 1), sources=sources).origins == (
        "u/me/other/1",
        "parts of u/me/templates/20251012T010203Z",
    )
