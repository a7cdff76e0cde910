"""The order of visits is put into workflows of real graphs, whose jobs are of any clusters."""

import random
import sqlite3
from itertools import pairwise
from pathlib import Path

import networkx as nx
import pytest
from apcampaign.apdb import ApdbTarget, init_apdb, open_apdb, plan_init
from apcampaign.bps import CampaignConfig, Ordering
from apcampaign.common.errors import PreconditionError
from apcampaign.ordering import add_order
from apcampaign.ordering.edges import overlap_edges
from apcampaign.ordering.footprints import find_pixels
from quantum_graphs import cluster, make_graph, make_workflow

pytestmark = pytest.mark.slow

# Visits of the sandbox: the first two of tract 3828, the other two of 3829; the detectors are neighbours.
FIRST, OTHER, SECOND, ANOTHER = 731000, 731001, 731100, 731101
KEYS = [(visit, detector) for visit in (FIRST, OTHER, SECOND, ANOTHER) for detector in (93, 94)]


@pytest.fixture
def campaign(sandbox) -> CampaignConfig:
    return CampaignConfig.model_validate({**sandbox.campaign(), "name": "order"})


@pytest.fixture
def apdb(tmp_path: Path) -> str:
    target = ApdbTarget.from_url(f"sqlite:///{tmp_path}/apdb.db")
    init_apdb(plan_init(target, instrument="LSSTCam-imSim", config=tmp_path / "apdb.yaml"))
    return str(tmp_path / "apdb.yaml")


def order(campaign, apdb, folder, keys, ordering=Ordering.OVERLAP, *, bps=None, **arguments):
    """Give the edges that the jobs of all visits and detectors in the keys get, in two forms: visits, and jobs."""
    visits = {
        visit: f"2025-10-12T00:00:00.{visit % 1000:03}" for visit in dict.fromkeys(key[0] for key in keys)
    }
    clustered = cluster(make_graph(visits, sorted({key[1] for key in keys})), folder, bps=bps or {})
    workflow = make_workflow(clustered)
    before = set(workflow.edges)
    diffim = campaign.diffim.model_copy(update={"ordering": ordering})
    campaign = campaign.model_copy(update={"diffim": diffim})
    edges = add_order(workflow, clustered, campaign, apdb, **arguments).edges
    assert set(workflow.edges) - before == set(edges)
    assert len(edges) == len(set(edges))
    return {tuple(int(name.split("_")[1]) for name in edge) for edge in edges}, set(edges)


def test_only_visits_of_the_same_sky_wait(campaign, apdb, tmp_path):
    edges, jobs = order(campaign, apdb, tmp_path, KEYS)
    assert edges == {(FIRST, SECOND), (OTHER, ANOTHER)}
    assert ("association_731000_93", "association_731100_93") in jobs


def test_the_reader_waits_for_the_writer_where_they_are_two_jobs(campaign, apdb, tmp_path):
    clusters = {
        "association": {"pipetasks": "associateApdb"},
        "readApdb": {"pipetasks": "loadDiaCatalogs", "dimensions": "visit,detector"},
    }
    _, jobs = order(campaign, apdb, tmp_path, [(FIRST, 93), (SECOND, 93)], bps={"cluster": clusters})
    assert jobs == {("association_731000_93", "readApdb_731100_93")}


def test_a_total_order_joins_all_in_the_order_of_time_and_none_joins_none(campaign, apdb, tmp_path):
    _, jobs = order(campaign, apdb, tmp_path, KEYS, Ordering.TOTAL)
    names = [f"association_{visit}_{detector}" for visit, detector in KEYS]
    assert jobs == set(pairwise(names))
    assert order(campaign, apdb, tmp_path, KEYS, Ordering.NONE)[0] == set()


def test_what_is_deferred_waits_for_the_others(campaign, apdb, tmp_path):
    edges, _ = order(campaign, apdb, tmp_path, KEYS, deferred={(FIRST, 93): 2, (FIRST, 94): 2})
    assert edges == {(SECOND, FIRST), (OTHER, ANOTHER)}


def test_what_is_out_of_time_order_is_refused_before_anything_is_submitted(campaign, apdb, tmp_path):
    import apdb_content

    apdb_content.associate(open_apdb(apdb), apdb_content.Survey(), SECOND, 93, 61000.0)
    with pytest.raises(
        PreconditionError, match=r"visit 731000 detector 93 \(after visit 731100 detector 93\)"
    ):
        order(campaign, apdb, tmp_path, [(FIRST, 93), (OTHER, 93)])
    # What is deferred is let through; other sky and later visits are free.
    assert order(campaign, apdb, tmp_path, [(FIRST, 93)], deferred={(FIRST, 93): 1})[0] == set()
    assert order(campaign, apdb, tmp_path, [(OTHER, 93), (ANOTHER, 93)])[0] == {(OTHER, ANOTHER)}


def test_jobs_that_associate_all_detectors_of_a_visit_wait_for_each_other(campaign, apdb, tmp_path):
    changes = {"cluster": {"association": {"dimensions": "visit"}}}
    edges, _ = order(campaign, apdb, tmp_path, KEYS, bps=changes)
    assert edges == {(FIRST, SECOND), (OTHER, ANOTHER)}


def test_associations_that_cannot_be_ordered_are_refused(campaign, apdb, tmp_path):
    changes = {"cluster": {"association": {"dimensions": "detector"}}}
    with pytest.raises(PreconditionError, match="two visits of the same sky"):
        order(campaign, apdb, tmp_path, KEYS, bps=changes)


def fill(folder: Path, survey, images) -> dict[str, list]:
    """Associate images in an order, and give what the APDB then says of objects and sources."""
    import apdb_content

    folder.mkdir()
    target = ApdbTarget.from_url(f"sqlite:///{folder}/apdb.db")
    init_apdb(plan_init(target, instrument="X", config=folder / "apdb.yaml"))
    database = open_apdb(target)
    for number, (visit, detector) in enumerate(images):
        apdb_content.associate(database, survey, visit, detector, 61000.0 + number / 1440)
    columns = {
        "DiaObject": "diaObjectId, nDiaSources, ra, dec, r_psfFluxMean",
        "DiaSource": "diaSourceId, diaObjectId",
    }
    with sqlite3.connect(folder / "apdb.db") as connection:
        return {
            table: sorted(connection.execute(f"SELECT {names} FROM {table}"))  # noqa: S608
            for table, names in columns.items()
        }


def test_another_sequence_that_the_edges_allow_fills_the_apdb_as_that_of_time_does(tmp_path):
    import apdb_content

    survey = apdb_content.Survey(detectors=3, objects=20)
    images = [(visit, detector) for visit in range(1, 5) for detector in range(3)]
    regions = [apdb_content.region_of(survey, *image) for image in images]
    graph = nx.DiGraph(overlap_edges(find_pixels(regions), [visit for visit, _ in images]))
    graph.add_nodes_from(range(len(images)))
    serial = fill(tmp_path / "serial", survey, images)
    draw = random.Random(1)
    turns = {node: draw.random() for node in graph}
    sequence = [images[i] for i in nx.lexicographical_topological_sort(graph, key=turns.get)]
    assert sequence != images
    assert fill(tmp_path / "other", survey, sequence) == serial
    assert fill(tmp_path / "backwards", survey, images[::-1]) != serial
