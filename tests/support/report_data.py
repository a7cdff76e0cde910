"""A report's data that no backend had to make, for the tests and the benchmark of the report."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from apcampaign.apdb import ApdbTarget, ImageCounts, NotableKind, NotableSource, Verification
from apcampaign.bps import Step
from apcampaign.monitor import Attempt, AttemptOutcome, Job, JobState
from apcampaign.monitor.outcomes import PRODUCTS, QuantaCount, Spread, TaskUsage
from apcampaign.report.completeness import (
    Accuracy,
    BandCompleteness,
    Completeness,
    CompletenessBin,
    Depth,
)
from apcampaign.report.cutouts import Cutout, draw_pictures
from apcampaign.report.figure_completeness import draw_completeness
from apcampaign.report.model import FailureRow, ReportData, RunReport, StepReport
from apcampaign.report.quality import DetectorOutline, ImageQuality, SurveyQuality
from apcampaign.report.sky_model import (
    DiaCatalog,
    LightCurve,
    LightCurvePoint,
    Patch,
    SkyCell,
    Template,
    TemplateState,
    TruePoint,
    VisitRow,
)

START = 1_800_000_000.0
#: As long as Rubin's identifiers are: JavaScript's numbers cannot hold it.
DIA_SOURCE = 1_217_000_123_456_789_011
HOSTILE = "</script><script>alert('x')</script> & \"quoted\" <b>"

#: Label, step, share of the jobs, seconds, MiB, request.
_LABELS = (
    ("singleFrame", Step.TEMPLATES, 0.25, 300, 2500, 4096),
    ("makeWarp", Step.TEMPLATES, 0.25, 200, 7000, 8192),
    ("selectAndAssemble", Step.TEMPLATES, 0.05, 900, 3000, 8192),
    ("diffim", Step.DIFFIM, 0.2, 400, 5000, 8192),
    ("association", Step.DIFFIM, 0.25, 60, 800, 4096),
)


def make_jobs(count: int, *, bad: float = 0.02, slots: int = 500, seed: int = 1) -> tuple[Job, ...]:
    """Make jobs as a pool with so many slots would have run them; some are tried again, some fail."""
    rng = random.Random(seed)
    clock = START
    jobs = []
    for label, step, share, seconds, memory, request in _LABELS:
        free = [clock] * slots
        for number in range(max(1, round(count * share))):
            slot = number % slots
            begin = free[slot]
            end = begin + rng.gauss(seconds, seconds / 6)
            trouble = rng.random() < bad
            attempts = []
            if trouble:
                attempts.append(
                    _attempt(number, clock, begin, begin + 20, AttemptOutcome.REQUEUED, memory, request)
                )
                end += 20
            failed = trouble and rng.random() < 0.2
            outcome = AttemptOutcome.FAILED if failed else AttemptOutcome.DONE
            begin = attempts[-1].ended if attempts else begin
            attempts.append(
                _attempt(number, clock, begin, end, outcome, rng.gauss(memory, memory / 10), request)
            )
            free[slot] = end + 2
            jobs.append(
                Job(
                    name=f"{label}_{number}",
                    label=label,
                    step=step,
                    state=JobState.FAILED if failed else JobState.DONE,
                    request_memory=request,
                    attempts=tuple(attempts),
                    folder=Path("/runs"),
                )
            )
        clock = max(free)
    return tuple(jobs)


def _attempt(number, queued, begin, end, outcome, memory, request):
    return Attempt(
        cluster=number,
        queued=queued,
        started=begin,
        ended=end,
        host=f"node{number % 40}",
        outcome=outcome,
        memory=memory,
        memory_request=request,
        cpu_seconds=0.8 * (end - begin),
    )


def make_data(
    jobs: tuple[Job, ...] = (), *, final: bool = True, visits: int = 12, cells: int = 40
) -> ReportData:
    """Make a report's data with something of everything."""
    rng = random.Random(2)
    patches = tuple(_patch(tract, patch) for tract in (3828, 3829) for patch in range(49))
    states = [TemplateState.MADE] * 8 + [TemplateState.MISSING, TemplateState.WAITING]
    templates = tuple(
        Template(each.tract, each.patch, band, rng.choice(states), rng.randint(1, 20))
        for each in patches
        for band in "gri"
    )
    return ReportData(
        appendix=(draw_completeness(_completeness()),),
        campaign="dc2-test",
        made=max((attempt.ended for job in jobs for attempt in job.attempts), default=START),
        final=final,
        good=False if final else None,
        steps=tuple(_step(step, jobs) for step in Step),
        jobs=jobs,
        patches=patches,
        templates=templates,
        visits=tuple(
            VisitRow(
                visit=731_000 + number,
                band="gri"[number % 3],
                mjd=60_960.2 + number,
                detectors=100 + number,
                differences=90,
                night=20_251_012 + number // 2,
                dia_sources=rng.randint(100, 900),
                new_sources=rng.randint(0, 100),
            )
            for number in range(visits)
        ),
        exposed=dict.fromkeys(range(9), visits),
        quality=_quality(min(visits, 100), rng),
        cutouts=tuple(_cutouts()),
        catalog=DiaCatalog(
            config="/runs/apdb_config.yaml",
            rows={"DiaObject": 300, "DiaSource": 1234},
            objects=123,
            by_visit={731_000 + number: ImageCounts(200, 20) for number in range(visits)},
            by_detector={number: ImageCounts(100 + number, 10) for number in range(9)},
            by_snr={3: 700, 8: 500, None: 34},
            by_reliability={12: 1000, 19: 234},
            level=9,
            cells=tuple(_cell(number, rng) for number in range(cells)),
            light_curves=tuple(_light_curve(number, rng) for number in range(4)),
        ),
        failures=(
            FailureRow(
                step="diffim",
                label="diffim",
                state="failed",
                cause=f"NoWorkFound: {HOSTILE}",
                jobs=3,
                pruned=7,
                hosts=("node1", "node2"),
                example="diffim_1",
                log="/runs/diffim_1.out",
                lines=("Traceback", HOSTILE),
                remedies=(f"`apcampaign resume`, or {HOSTILE}", "/long" * 40),
            ),
        ),
        verification=Verification(
            ApdbTarget.from_url("sqlite:////tmp/apdb.db", None),
            "apdb_marker",
            16,
            16,
            1234,
            88,
            (),
            (),
            {},
            0.1,
        ),
        provenance={"Campaign": {"name": "dc2-test", "hostile": HOSTILE}},
        files={"The campaign": f"name: dc2-test\n# {HOSTILE}\n"},
        notes=(f"the sky: {HOSTILE}",),
    )


def _step(step: Step, jobs: tuple[Job, ...]) -> StepReport:
    labels = [label for label, of_step, *_ in _LABELS if of_step is step]
    counts = {label: sum(job.label == label for job in jobs) for label in labels}
    count = QuantaCount(expected=10, successful=9, failed=1, blocked=0, unknown=0)
    return StepReport(
        step=step,
        runs=tuple(
            RunReport(f"u/me/dc2-test/{step}/20260101T000000Z{part}", state="done")
            for part in (("-a", "-b") if step is Step.DIFFIM else ("",))
        ),
        state="done",
        jobs=counts,
        quanta=dict.fromkeys(labels, 10),
        outcomes=dict.fromkeys(labels, count),
        product=PRODUCTS[step],
        products=9,
        clusters={"makeWarp": ("makeDirectWarp",)} if step is Step.TEMPLATES else {},
        tasks={
            "makeDirectWarp": TaskUsage(
                quanta=10, seconds=Spread.of([100.0, 200.0]), memory=Spread.of([5000.0, 7300.0])
            )
        }
        if step is Step.TEMPLATES
        else {},
    )


def _patch(tract: int, patch: int) -> Patch:
    # The second tract lies across the jump from 360 to 0 degrees.
    ra0, dec0 = (359.0 + (tract - 3828) * 1.5 + 0.22 * (patch % 7)), -36.0 + 0.2 * (patch // 7)
    corners = ((ra0, dec0), (ra0 + 0.22, dec0), (ra0 + 0.22, dec0 + 0.2), (ra0, dec0 + 0.2))
    return Patch(tract, patch, tuple((ra % 360, dec) for ra, dec in corners))


def _cell(number: int, rng: random.Random) -> SkyCell:
    ra, dec = 56 + 0.3 * (number % 40), -36 + 0.3 * (number // 40)
    corners = ((ra, dec), (ra + 0.3, dec), (ra, dec + 0.3))
    return SkyCell(40_000 + number, corners, 0.045, rng.randint(0, 60), rng.randint(0, 20))


def _light_curve(number: int, rng: random.Random) -> LightCurve:
    points = tuple(
        LightCurvePoint(
            60_960.2 + day,
            "gri"[day % 3],
            731_000 + day,
            1e4 * math.sin(day + number) + rng.gauss(0, 200),
            None if day == 3 else 150.0,
            day % 4 == 0,
        )
        for day in range(20)
    )
    truth = tuple(TruePoint(point.mjd, point.band, point.flux) for point in points) if number == 0 else ()
    return LightCurve(DIA_SOURCE + number, 56.1, -36.2, points, truth)


def _completeness() -> Completeness:
    bins = tuple(
        CompletenessBin(low=20 + place / 2, high=20.5 + place / 2, injected=40, found=max(0, 40 - place**2))
        for place in range(8)
    )
    depths = (
        Depth(share=0.5, magnitude=22.4, error=0.03),
        Depth(share=0.9, why="only 88% of the bright ones are found"),
    )
    by_snr = (
        CompletenessBin(low=0.0, high=10.0, injected=100, found=20),
        CompletenessBin(low=10.0, high=math.inf, injected=540, found=500),
        CompletenessBin(low=50.0, high=100.0, injected=0, found=0),
    )
    accuracy = Accuracy(
        low=10.0, high=math.inf, sources=500, east=2.0, north=-3.0, scatter=20.0, flux=0.01, flux_scatter=0.03
    )
    return Completeness(
        images=16,
        injected=640,
        found=520,
        by_snr=by_snr,
        bands=tuple(BandCompleteness(band=band, bins=bins, depths=depths) for band in ("r", "g", "VR")),
        accuracy=accuracy,
        accuracy_by_snr=(accuracy,),
        chance=0.002,
        radius=0.5,
    )


def _quality(visits: int, rng: random.Random) -> SurveyQuality:
    images = tuple(
        ImageQuality(
            visit=731_000 + visit,
            detector=detector,
            seeing=rng.gauss(0.8, 0.1),
            zero_point=None if detector == 4 else rng.gauss(31.4, 0.02),
            sky_noise=rng.gauss(40, 2),
        )
        for visit in range(visits)
        for detector in range(9)
    )
    outlines = tuple(
        DetectorOutline(number, ((x, y), (x + 0.2, y), (x + 0.2, y + 0.2), (x, y + 0.2)))
        for number in range(9)
        for x, y in ((0.22 * (number % 3), 0.22 * (number // 3)),)
    )
    return SurveyQuality(images=images, summaries=2 * visits, focal_plane=outlines, visit=731_000)


def _cutouts() -> Iterator[Cutout]:
    random_pixels = np.random.default_rng(1)
    for place, kind in enumerate(NotableKind):
        stamps = {
            name: random_pixels.normal(0, 10, (41, 41)).astype(np.float32)
            for name in ("science", "template", "difference")
        }
        stamps["difference"][20, 20] = 300.0
        source = NotableSource(
            dia_source=DIA_SOURCE + place,
            dia_object=DIA_SOURCE,
            visit=731_000,
            detector=3,
            band="r",
            mjd=60_960.2,
            x=100.2,
            y=200.1,
            ra=56.1,
            dec=-36.2,
            snr=30.0 if place else None,
            reliability=0.9,
            flux=1234.5,
        )
        yield Cutout(kind=kind, source=source, pictures=draw_pictures(stamps))
