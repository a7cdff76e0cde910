"""What the order of visits is for: the APDB of an ordered run is that of a serial one."""

import getpass
import json

import pytest
from apcampaign.sandbox.survey import SandboxSize, Survey
from interference import wait_for
from operators import COARSE_DIFFIM, Operator, make_operator, plant, read_apdb, write_campaign

pytestmark = [pytest.mark.slow(minutes=3), pytest.mark.htcondor, pytest.mark.postgres]

EARLY, LATE = 731000, 731100
# The reader of the APDB is of a group, which is named after its time.
EARLY_GROUP = next(visit.group for visit in Survey(SandboxSize(visits=2)).visits if visit.id == EARLY)


@pytest.fixture(scope="module")
def images(reference, undisturbed) -> str:
    """A collection of what the undisturbed campaign has subtracted, without what it has associated."""
    from lsst.daf.butler import Butler, CollectionType

    name = "u/test/subtracted"
    types = (
        "difference_image",
        "template_detector",
        "dia_source_detector",
        "single_visit_star_footprints",
    )
    done = f"u/{getpass.getuser()}/{undisturbed[0].folder.name}/diffim"
    with Butler.from_config(str(reference.sandbox.butler), writeable=True) as butler:
        butler.collections.register(name, CollectionType.TAGGED)
        for dataset_type in types:
            butler.registry.associate(name, butler.query_datasets(dataset_type, collections=done))
    return name


@pytest.fixture
def associating(tmp_path, reference, condor_pool, postgres_server, undisturbed, images):
    """Make operators who only associate, into their own APDB, what the undisturbed campaign has subtracted."""

    def make(name: str, *faults, by_hand: bool = False, **diffim) -> tuple[Operator, str]:
        folder = tmp_path / f"{name}-{tmp_path.name}"
        folder.mkdir()
        operator = make_operator(folder, reference.sandbox, condor_pool)
        write_campaign(
            folder,
            reference.sandbox,
            tracts=[3828],
            where="detector = 94",
            steps=["diffim"] if by_hand else None,
            diffim={
                **({"templates": templates} if by_hand else {}),
                **COARSE_DIFFIM,
                # The first brings the exposure, which is what joins the group of the reader with the visit.
                "pipeline": "ApPipe-DC2.yaml#getRegionTimeFromVisit,loadDiaCatalogs,associateApdb",
                "inCollection": [images, "2.2i/defaults/test-med-1"],
                **diffim,
            },
        )
        database = folder.name.replace("-", "_")
        postgres_server.create_database(database)
        url = postgres_server.url(database)
        operator = plant(operator, *faults)
        operator.apcampaign("apdb", "init", "--db", url)
        if by_hand:
            operator.apcampaign("adopt", str(operator.submit_by_hand("ApPipe-DC2-bps.yaml")))
            return operator, url
        said = operator.apcampaign("submit", "diffim", "--templates", templates, "--no-check")
        assert ("warning" in said) == (diffim.get("ordering") == "none")
        return operator, url

    templates = f"u/{getpass.getuser()}/{undisturbed[0].folder.name}/templates"
    return make


def findings(operator: Operator) -> dict[str, int]:
    counts: dict[str, int] = operator.summary()["verification"]["counts"]
    return counts


def test_an_ordered_run_fills_the_apdb_as_a_serial_one_and_an_unordered_run_does_not(
    associating, undisturbed
):
    # BPS's own order has one after the other.
    serial, serial_url = associating("serial", by_hand=True)
    # As when the earlier visit waits longer for a slot.
    overtaken = {"kind": "overtaken", "label": "loadDiaCatalogs", "group": EARLY_GROUP, "by": f"{LATE}.94"}
    unordered, unordered_url = associating("unordered", overtaken, ordering="none")
    assert unordered.wait_for_run("diffim") == 0
    wait_for(lambda: [*serial.folder.glob("runs/*/diffim/*/submit/*.dag.metrics")], "the end of BPS's run")
    (step,) = json.loads(serial.apcampaign("status", "--json"))["steps"]
    assert step["state"] == "done"
    assert "nothing to resume" in serial.apcampaign("resume", good=False)
    content = read_apdb(serial, serial_url)
    assert content == read_apdb(*undisturbed)
    other = read_apdb(unordered, unordered_url)
    assert other["DiaObject"] != content["DiaObject"]
    assert findings(serial) == {}
    assert findings(unordered) == {"order": 1}


def test_later_visits_go_past_a_failed_association_which_resume_completes(associating):
    # It fails twice, which is once more than it is tried again; the third time it succeeds.
    operator, _ = associating(
        "failed", {"kind": "fail", "label": "loadDiaCatalogs", "group": EARLY_GROUP, "times": 2}
    )
    assert operator.wait_for_run("diffim") != 0
    assert "DiaObjects that lack it" in operator.apcampaign("summary", good=None)
    associations = operator.summary()["associations"]
    assert associations["waiting"] == []
    (skipped,) = associations["skipped"]
    assert (skipped["visit"], skipped["overlapping_visit"]) == (EARLY, [LATE, 94])
    assert len(skipped["objects"]) > 0
    said = operator.apcampaign("resume")
    assert "later visits went past failed associations" in said
    assert f"visit {EARLY}, detector 94: deferred: overlapping later visits are associated first" in said
    assert operator.wait_for_run("diffim") == 0
    assert findings(operator) == {"order": 1}
