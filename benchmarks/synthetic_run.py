"""A run of a hundred thousand jobs that nobody ran: its record, jobs, DAG, event log, logs of failed jobs.

``python benchmarks/synthetic_run.py FOLDER [JOBS]`` writes it into FOLDER with a campaign file beside it and
prints how long `status` and `failures` take with it, in seconds and MiB.
"""

import heapq
import json
import random
import resource
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from apcampaign.bps import Step
from apcampaign.ledger import CampaignPaths, RunPaths, RunRecord, write_run
from synthetic_events import BEGUN, CAUSES, ENDED, HOLD, LOG, REQUEUED, SUBMITTED

NAME, STAMP = "synthetic", "20261101T000000Z"
SLOTS = 2000
#: Label, share of the jobs, mean seconds, MiB asked for and used, how many jobs of the label before it waits for.
LABELS = (
    ("singleFrame", 0.35, 420.0, 4096, 2300, 0),
    ("makeWarp", 0.55, 90.0, 8192, 1500, 4),
    ("selectAndAssemble", 0.10, 600.0, 8192, 6100, 5),
)
FAILING, RETRIED, HELD = 0.02, 0.01, 0.0005


@dataclass
class Work:
    """A job that will be."""

    id: int
    name: str
    label: str
    seconds: float
    memory: int
    used: int
    parents: list[int]
    folder: str
    tags: dict[str, int]
    children: list[int] = field(default_factory=list)
    waits: int = 0


def make_jobs(count: int, dice: random.Random) -> list[Work]:
    """Make jobs that depend on each other as those of the templates step do."""
    jobs: list[Work] = []
    before: list[int] = []
    for label, share, seconds, memory, used, waits in LABELS:
        same = []
        for number in range(round(count * share)):
            tags = {"tract": 3828 + number // 49 % 40, "patch": number % 49, "visit": 100000 + number // 20}
            if label == "singleFrame":
                tags = {"visit": 100000 + number // 189, "detector": number % 189}
            id_ = len(jobs)
            folder = f"jobs/{label}/{number // 100}"
            parents = [before[(number * 7 + step) % len(before)] for step in range(waits)]
            took = dice.lognormvariate(0, 0.4) * seconds
            size = round(used * dice.lognormvariate(0, 0.15))
            job = Work(id_, f"{label}_{number}", label, took, memory, size, parents, folder, tags)
            job.waits = len(parents)
            for parent in parents:
                jobs[parent].children.append(id_)
            jobs.append(job)
            same.append(id_)
        before = same
    return jobs


def play(jobs: list[Work], share: float, dice: random.Random, folder: Path) -> Iterator[tuple[float, str]]:
    """Run the jobs in a world without machines until a share of them is done; give the events in their order."""
    now, done = 0.0, 0
    ready = deque(job for job in jobs if not job.waits)
    running: list[tuple[float, int, str]] = []
    retried: set[int] = set()
    while (ready or running) and done < share * len(jobs):
        while ready and len(running) < SLOTS:
            job = ready.popleft()
            if job.id not in retried:
                yield now, SUBMITTED.format(id=job.id + 1, at="{at}", name=job.name)
            host = job.id % 200 + 1
            yield now, BEGUN.format(id=job.id + 1, at="{at}", host=host, slot=job.id % 64, memory=job.memory)
            luck = dice.random()
            end = "good"
            if luck < FAILING:
                end = "failed"
            elif luck < FAILING + HELD:
                end = "held"
            elif luck < FAILING + HELD + RETRIED and job.id not in retried:
                end = "again"
            heapq.heappush(running, (now + job.seconds, job.id, end))
        now, id_, end = heapq.heappop(running)
        job = jobs[id_]
        minutes, seconds = divmod(min(round(job.seconds), 3599), 60)
        facts = {"id": id_ + 1, "at": "{at}", "memory": job.memory, "used": job.used}
        facts |= {"minutes": minutes, "seconds": seconds, "wall": round(job.seconds)}
        if end == "again":
            retried.add(id_)
            yield now, REQUEUED.format(**facts)
            ready.append(job)
        elif end == "held":
            yield now, HOLD.format(**facts)
        else:
            yield now, ENDED.format(**facts, code=0 if end == "good" else 1)
            if end == "failed":
                write_log(job, folder, dice)
            else:
                done += 1
                for child in job.children:
                    jobs[child].waits -= 1
                    if not jobs[child].waits:
                        ready.append(jobs[child])


def write_log(job: Work, folder: Path, dice: random.Random) -> None:
    """Write the log of a job that failed."""
    exception, message = dice.choice(CAUSES)
    data_id = "{" + ", ".join(f"{key}: {value}" for key, value in job.tags.items()) + "}"
    text = LOG.format(
        task=job.label, data_id=data_id, exception=exception, message=message.format(dice.randrange(1000))
    )
    path = folder / job.folder / f"{job.name}.{job.id + 1}.0.out"
    path.parent.mkdir(parents=True, exist_ok=True)
    filler = (
        "INFO 2026-11-01T00:59:59.000+00:00 lsst.something ()(x.py:1) - a line as all jobs write many\n" * 200
    )
    path.write_text(filler + text)


def make_run(folder: Path, count: int = 100_000, share: float = 0.7) -> CampaignPaths:
    """Write a campaign with one run.

    Parameters
    ----------
    folder
        Where; the campaign's file is ``campaign.yaml`` in it, its runs are in ``runs``.
    count
        The number of jobs.
    share
        How many of them are done.
    """
    dice = random.Random(1)  # noqa: S311 (nothing is secret here)
    content: dict[str, Any] = {
        "name": NAME,
        "butler": "/repo/dc2",
        "instrument": "LSSTCam-imSim",
        "skymap": "DC2",
    }
    content |= {"tracts": [3828], "inCollection": "2.2i/defaults", "site": "local"}
    content |= {"apdb": {"url": "postgresql://rubin@dbhost/lsst-devl"}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(content))
    campaign = CampaignPaths(folder / "runs", NAME)
    paths = RunPaths(campaign.step(Step.TEMPLATES) / STAMP)
    output_run = f"u/me/{NAME}/templates/{STAMP}"
    dag = paths.dag(output_run)
    paths.submit.mkdir(parents=True, exist_ok=True)
    jobs = make_jobs(count, dice)
    record = RunRecord(
        campaign=NAME,
        step=Step.TEMPLATES,
        timestamp=STAMP,
        butler="/repo/dc2",
        inputs=("2.2i/defaults",),
        output=f"u/me/{NAME}/templates",
        output_run=output_run,
        config=str(paths.config),
        submit_dir=str(paths.submit),
        graph=str(paths.graph(output_run)),
        wms_service="lsst.ctrl.bps.htcondor.HTCondorService",
        jobs={label: round(count * share) for label, share, *_ in LABELS},
        quanta={},
    )
    write_run(paths, record)
    workflow = [
        {
            "name": job.name,
            "label": job.label,
            "tags": job.tags,
            "quanta": {job.label: 1},
            "memory": job.memory,
            "cpus": 1,
            "parents": job.parents,
            "folder": job.folder,
        }
        for job in jobs
    ]
    paths.jobs.write_text("[\n" + ",\n".join(json.dumps(job) for job in workflow) + "\n]\n")
    with dag.open("w") as stream:
        for job in jobs:
            stream.write(f'JOB {job.name} "{job.name}.sub" DIR "{job.folder}"\n')
        for job in jobs:
            stream.writelines(f"PARENT {jobs[parent].name} CHILD {job.name}\n" for parent in job.parents)
    span = 3 * 3600.0
    events = list(play(jobs, share, dice, paths.submit))
    begin = time.time() - max(span, events[-1][0])
    with dag.with_name(f"{dag.name}.nodes.log").open("w") as stream:
        for at, text in events:
            when = datetime.fromtimestamp(begin + at).isoformat(" ", "seconds")
            stream.write(text.replace("{at}", when))
    return campaign


def measure(folder: Path, count: int) -> None:
    """Time the commands that an operator waits for."""
    from apcampaign.monitor import CampaignReader, find_failures

    made = time.monotonic()
    campaign = make_run(folder, count)
    print(f"made {count} jobs in {time.monotonic() - made:.1f} s")
    begin = time.process_time(), time.monotonic()
    reader = CampaignReader(campaign)
    status = reader.read()
    print(f"status: {time.process_time() - begin[0]:.1f} s CPU, {time.monotonic() - begin[1]:.1f} s")
    print(status.as_dict()["steps"][0]["jobs"])
    begin = time.process_time(), time.monotonic()
    reader.read()
    print(f"status again: {time.process_time() - begin[0]:.1f} s CPU, {time.monotonic() - begin[1]:.1f} s")
    begin = time.process_time(), time.monotonic()
    found = reader.read_jobs()
    failures = find_failures(found.jobs, nodes=found.nodes)
    print(f"failures: {time.process_time() - begin[0]:.1f} s CPU, {time.monotonic() - begin[1]:.1f} s")
    print([(group.count, *group.cause.signature) for group in failures.groups])
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
