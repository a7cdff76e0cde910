"""How long a campaign takes in parts, and its two steps one after the other: a simulation with the real plan.

``python benchmarks/campaign_simulation.py [--quanta N] [--slots N] [--area DEG2] [--seconds FACTOR] …`` makes a
dithered survey, the jobs of both steps on the same visits (tasks, stages and clusters are those of the
pipelines and of ``bps/steps``, durations those of the forecast times FACTOR), the edges between associations as
`apcampaign submit` does, and the plan as `divide_plan` does. Then DAGMan's work is played: graphs are built
``prepareSlots`` at a time when all that a run waits for has ended, at most 50 runs go on at a time, slots take
the job of the highest priority that became ready first. A run begins with the job that initialises it and ends
with the one that registers its outputs.

Prints a row in Markdown; docs/benchmarks.md has the table.
"""

__all__: list[str] = []

import argparse
import heapq
import itertools
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from apcampaign.bps import CampaignConfig, Plan, plan_campaign
from apcampaign.bps.parts import divide_plan
from simulated_jobs import Jobs, Sky, make_jobs, make_shapes, read_kinds

_MOST_RUNNING = 50


@dataclass
class Run:
    """A run that is to be played."""

    parents: list[int]
    prepare: float
    final: float
    init: float
    priority: int = 0


def play(jobs: Jobs, owner: Any, runs: list[Run], slots: float, prepare_slots: int) -> tuple[float, float]:
    """Play it; give when all has ended, and when the first job began."""
    inside = owner[jobs.before] == owner[jobs.after]
    before, after = jobs.before[inside], jobs.after[inside]
    waits = np.bincount(after, minlength=len(owner)).tolist()
    by_parent = np.argsort(before, kind="stable")
    ends = np.cumsum(np.bincount(before, minlength=len(owner)))
    children, starts = after[by_parent].tolist(), [0, *ends.tolist()]
    durations, owners = jobs.durations.tolist(), owner.tolist()
    free_at_once: list[list[int]] = [[] for _ in runs]
    left = [0] * len(runs)
    for job, run in enumerate(owners):
        left[run] += 1
        if not waits[job]:
            free_at_once[run].append(job)
    unfinished = [len(run.parents) for run in runs]
    heirs: list[list[int]] = [[] for _ in runs]
    for place, run in enumerate(runs):
        for parent in run.parents:
            heirs[parent].append(place)
    to_prepare = [(-run.priority, place) for place, run in enumerate(runs) if not unfinished[place]]
    heapq.heapify(to_prepare)
    ready: list[tuple[int, int, int, int]] = []
    turn = itertools.count()

    def queue(what: int, kind: int, run: int) -> None:
        """Queue a job, or a run and what of it: -1 its first, -2 its last job."""
        heapq.heappush(ready, (-runs[run].priority, next(turn), what, kind))

    prepared: deque[int] = deque()
    events: list[tuple[float, int, int]] = []
    now, preparing, active, busy, begun = 0.0, 0, 0, 0, np.inf
    while True:
        while to_prepare and preparing < prepare_slots:
            _, place = heapq.heappop(to_prepare)
            preparing += 1
            heapq.heappush(events, (now + runs[place].prepare, place, -3))
        while prepared and active < _MOST_RUNNING:
            active += 1
            place = prepared.popleft()
            queue(place, -1, place)
        while ready and busy < slots:
            *_, what, kind = heapq.heappop(ready)
            busy += 1
            if kind < 0:
                seconds = runs[what].init if kind == -1 else runs[what].final
            else:
                seconds, begun = durations[what], min(begun, now)
            heapq.heappush(events, (now + seconds, what, kind))
        if not events:
            return now, begun
        now, what, kind = heapq.heappop(events)
        if kind == -3:
            preparing -= 1
            prepared.append(what)
            continue
        busy -= 1
        if kind == -1:
            for job in free_at_once[what]:
                queue(job, 0, what)
            if not left[what]:
                queue(what, -2, what)
        elif kind == -2:
            active -= 1
            for heir in heirs[what]:
                unfinished[heir] -= 1
                if not unfinished[heir]:
                    heapq.heappush(to_prepare, (-runs[heir].priority, heir))
        else:
            for child in children[starts[what] : starts[what + 1]]:
                waits[child] -= 1
                if not waits[child]:
                    queue(child, 0, owners[child])
            run = owners[what]
            left[run] -= 1
            if not left[run]:
                queue(run, -2, run)


def play_plan(jobs: Jobs, sky: Sky, plan: Plan, options: argparse.Namespace, per_quantum: float) -> Any:
    """Play a plan; give when all has ended, and when the first job began."""
    owner = jobs.owners(sky, plan)
    names = [run.name for run in plan]
    heights = plan.heights
    runs = [
        Run(
            parents=[names.index(parent) for parent in plan.parents(run)],
            prepare=options.fixed + per_quantum * quanta + (options.gate if run.needs_templates else 0),
            final=options.init + options.register * quanta,
            init=options.init,
            priority=heights[run.name] if options.priorities else 0,
        )
        for run, quanta in zip(plan, jobs.quanta(owner, len(names)), strict=True)
    ]
    return play(jobs, owner, runs, options.slots, options.prepare_slots)


def main() -> None:
    """Print the row of one campaign."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quanta", type=int, default=1_000_000)
    parser.add_argument("--slots", type=int, default=2000)
    parser.add_argument("--area", type=float, default=300.0, help="square degrees")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="how long jobs take: times the forecast's guesses"
    )
    parser.add_argument("--prepare-slots", type=int, default=2)
    parser.add_argument("--overhead", type=float, default=15.0, help="of a job, s")
    parser.add_argument("--fixed", type=float, default=5.0, help="to prepare a run, besides its quanta, s")
    parser.add_argument("--whole", type=float, default=2.4e-3, help="to prepare a quantum with bps, s")
    parser.add_argument("--part", type=float, default=1.8e-3, help="to prepare a quantum of a part, s")
    parser.add_argument("--gate", type=float, default=10.0, help="to check the templates of a run, s")
    parser.add_argument("--init", type=float, default=20.0, help="the job that initialises a run, s")
    parser.add_argument(
        "--register", type=float, default=2.4e-3, help="to register what a quantum has made, s"
    )
    parser.add_argument("--no-priorities", dest="priorities", action="store_false")
    options = parser.parse_args()
    kinds = read_kinds(options.seconds, options.overhead)
    trial = Sky(50, options.area)
    each = sum(trial.count(kind.of) * len(kind.tasks) for kind in kinds) / trial.visits
    sky = Sky(round(options.quanta / each), options.area)
    jobs = make_jobs(sky, kinds)
    quanta = sum(jobs.number(kind) * len(kind.tasks) for kind in kinds)
    campaign = CampaignConfig.model_validate(
        {"name": "simulated", "butler": "none", "inCollection": "none", "apdb": {"config": "none"}}
    )
    whole = plan_campaign(campaign)
    plan = divide_plan(whole, make_shapes(sky, jobs), campaign)
    one = np.zeros(len(jobs.durations), dtype=int)
    path, _ = play(jobs, one, [Run([], 0.0, 0.0, 0.0)], np.inf, 1)
    work = jobs.durations.sum() / options.slots
    sequence, late = play_plan(jobs, sky, whole, options, options.whole)
    parts, soon = play_plan(jobs, sky, plan, options, options.part)
    bound = max(path, work)
    sys.stdout.write(
        f"| {quanta:,} | {sky.visits} on {options.area:g} | {len(jobs.durations):,} | × {options.seconds:g} | "
        f"{len(plan.runs)} | {work / 60:.0f} | {path / 60:.0f} | {sequence / 60:.0f} | {parts / 60:.0f} | "
        f"{late / 60:.1f} | {soon / 60:.1f} | **{parts / sequence:.2f}** | {parts / bound:.2f} |\n"
    )


if __name__ == "__main__":
    main()
