"""What goes wrong on an unkind sky: in some images, in its layout, in the reference catalogue, and in jobs."""

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from apcampaign.sandbox.flaws import Flaw, draw_flaws
from apcampaign.sandbox.geometry import sky_polygon
from apcampaign.sandbox.refcat import reference_catalogue, shard_catalogue
from apcampaign.sandbox.survey import DEMO, SandboxSize, Survey
from apcampaign.sandbox.visit import Visit
from astropy.table import Table, vstack

KIND = SandboxSize(visits=4, template_visits=2, detectors=(93, 94))
UNKIND = replace(KIND, unkind=0.02)


@pytest.mark.parametrize(("rate", "images", "each"), [(0.0, 100, 0), (0.02, 24, 1), (0.05, 100, 5)])
def test_each_flaw_is_in_its_fraction_of_the_images_and_in_one_at_least(rate, images, each):
    keys = [(visit, detector) for visit in range(images // 2) for detector in (93, 94)]
    flaws = draw_flaws(keys, rate, seed=3)
    assert Counter(flaws.values()) == ({flaw: each for flaw in Flaw} if each else {})
    assert flaws == draw_flaws(reversed(keys), rate, seed=3)


def test_a_kind_sky_has_none_of_it():
    survey = Survey(replace(DEMO, unkind=0))
    assert not survey.flaws
    assert survey.tracts == DEMO.tracts


def test_the_sky_of_the_demo_has_each_of_it():
    assert set(Survey(DEMO).flaws.values()) == set(Flaw)
    assert len(Survey(DEMO).tracts) == 2


def regions(survey: Survey, visit: Visit):
    return [
        sky_polygon(survey.detector_wcs(visit, detector), survey.detector_box)
        for detector in survey.size.detectors
    ]


def test_visits_lie_on_the_border_of_two_tracts_and_the_last_one_partly_off_the_templates():
    survey = Survey(UNKIND)
    assert survey.tracts == (3828, 3829)
    tracts = [survey.skymap.tract(tract).region for tract in survey.tracts]
    covered = [region for visit in survey.template_visits for region in regions(survey, visit)]
    for tract in tracts:
        assert any(tract.overlaps(region) for region in covered)
    off = {
        visit.id: [not any(region.overlaps(other) for other in covered) for region in regions(survey, visit)]
        for visit in survey.science_visits
    }
    first, last = (visit.id for visit in survey.science_visits)
    assert off == {first: [False, False], last: [True, False]}


def test_a_shard_with_some_of_the_stars_of_an_image_is_missing():
    survey = Survey(UNKIND)
    found = vstack([table for _, table in shard_catalogue(survey)], metadata_conflicts="silent")
    every = reference_catalogue(survey)
    assert 0 < len(found) < len(every)
    shares = [
        _count(survey, visit, detector, found) / _count(survey, visit, detector, every)
        for visit in survey.visits
        for detector in UNKIND.detectors
    ]
    assert 0.3 <= min(shares) < 1


def _count(survey: Survey, visit: Visit, detector: int, stars: Table) -> int:
    x, y = survey.detector_wcs(visit, detector).to_pixel(stars["ra"], stars["dec"])
    box = survey.detector_box
    return int(((x > 0) & (x < box.width) & (y > 0) & (y < box.height)).sum())


_TAKE = "from apcampaign.sandbox.tasks.memory import take_memory\nwith take_memory(300): print('done')"


@pytest.mark.parametrize(
    ("job", "slot", "code"),
    [
        (None, None, 0),
        ("RequestMemory = 400", 400, 0),
        # A slot that a larger job has had before.
        ("RequestMemory = 200", 400, -signal.SIGKILL),
        # Released with a larger request.
        ("RequestMemory = 200\nNumHolds = 1", 400, 0),
        ("RequestMemory = 100\nNumHolds = 1", 200, -signal.SIGKILL),
    ],
)
def test_a_job_is_killed_that_takes_more_memory_than_it_has_requested(
    tmp_path: Path, job: str | None, slot: int | None, code: int
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("_CONDOR")}
    if job is not None:
        (tmp_path / "job.ad").write_text(f"{job}\n")
        (tmp_path / "machine.ad").write_text(f"Memory = {slot}\n")
        environment["_CONDOR_JOB_AD"] = str(tmp_path / "job.ad")
        environment["_CONDOR_MACHINE_AD"] = str(tmp_path / "machine.ad")
    done = subprocess.run([sys.executable, "-c", _TAKE], env=environment, check=False, timeout=60)
    assert done.returncode == code
