"""What was injected is read from the repository: of images that were associated, and not at their edges."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apcampaign.bps import CampaignConfig, InjectionSettings, make_timestamp, plan_campaign
from apcampaign.common.errors import LedgerError, SettingsError
from apcampaign.ledger import RunRecord, Workspace, write_run
from apcampaign.report import read_completeness
from apcampaign.report.comparison.catalogue_reader import CatalogueReader
from apcampaign.report.completeness_reader import find_injected
from apcampaign.sandbox.instrument import LsstCamImSim
from astropy.table import Table
from lsst.daf.butler import Butler, CollectionType, DatasetType
from quantum_graphs import INSTRUMENT, IVD, insert_visits
from run_records import record_of

pytestmark = pytest.mark.slow

OUTPUT = "u/me/fakes/diffim"
SETTINGS = InjectionSettings(catalog=("u/me/catalogue",), edge=36.0)
# The images cover right ascensions from 56 to 57 degrees, and declinations from -37 to -36.
MIDDLE, BORDER, BEYOND = (56.5, -36.5), (56.995, -36.5), (57.005, -36.5)
CATALOGUE = "fakes_preliminary_visit_image_catalog"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    content = {
        "name": "fakes",
        "butler": str(tmp_path / "repo"),
        "operator": "me",
        "tracts": [3828],
        "inCollection": "raws",
        "steps": ["diffim"],
        "diffim": {"pipeline": "ApPipeWithFakes-DC2.yaml", "templates": "u/me/plain/templates"},
        "injection": {"catalog": "u/me/catalogue"},
    }
    return Workspace(CampaignConfig.model_validate(content), tmp_path / "runs")


@pytest.fixture
def record(workspace: Workspace) -> RunRecord:
    """A run in an empty repository with two visits, each of detectors 93 and 94."""
    (run,) = plan_campaign(workspace.campaign, timestamp=make_timestamp()).runs
    with Butler.from_config(Butler.makeRepo(workspace.campaign.butler), writeable=True) as butler:
        LsstCamImSim().register(butler.registry)
        insert_visits(butler.registry.insertDimensionData, {1: "one", 2: "two"}, (93, 94))
        for name in (CATALOGUE, "injectedTemplate_template_detector_catalog", "apdb_marker"):
            butler.registry.registerDatasetType(
                DatasetType(name, IVD, "ArrowAstropy", universe=butler.dimensions)
            )
        butler.collections.register(run.output_run)
        butler.collections.register(run.output, CollectionType.CHAINED)
        butler.collections.redefine_chain(run.output, [run.output_run])
    return record_of(workspace, run, service="lsst.ctrl.bps.parsl.ParslService")


def put(record: RunRecord, name: str, visit: int, detector: int, table: Table) -> None:
    with Butler.from_config(record.butler, writeable=True, run=record.output_run) as butler:
        butler.put(table, name, instrument=INSTRUMENT, visit=visit, detector=detector)


def catalogue(*places: tuple[float, float], **other: Any) -> Table:
    ra, dec = np.array(places).T
    return Table(
        {"injection_id": np.arange(len(ra)), "ra": ra, "dec": dec, "mag": np.full(len(ra), 21.0), **other}
    )


def test_sources_count_that_were_injected_away_from_the_edge_into_an_image_that_was_associated(
    workspace: Workspace, record: RunRecord
) -> None:
    flags = {"injection_flag": [0, 0, 0, 8, 0], "isVariable": [False, False, False, False, True]}
    put(record, CATALOGUE, 1, 93, catalogue(MIDDLE, BORDER, BEYOND, MIDDLE, MIDDLE, **flags))
    put(record, CATALOGUE, 2, 94, catalogue(MIDDLE, MIDDLE))
    # Those of templates are not those of science images.
    put(record, "injectedTemplate_template_detector_catalog", 1, 93, catalogue(MIDDLE))
    put(record, "apdb_marker", 1, 93, Table({"done": [1]}))
    injected, notes = find_injected(record.butler, [OUTPUT], INSTRUMENT, SETTINGS)
    assert injected[["visit", "detector", "band", "mag"]].to_numpy().tolist() == [[1, 93, "r", 21.0]]
    assert notes == ("1 of 2 images with injected sources were not associated",)
    lenient, _ = find_injected(record.butler, [OUTPUT], INSTRUMENT, SETTINGS.model_copy(update={"edge": 0.0}))
    assert len(lenient) == 2
    # A comparison reads the same, of the campaign and of a single run, and scores by it.
    filling = record.model_copy(update={"apdb_config": "apdb.yaml"})
    campaign = workspace.campaign.model_copy(update={"injection": SETTINGS})
    for whole in (True, False):
        reader = CatalogueReader(campaign, workspace.read_ledger(), [filling], whole=whole)
        found = reader.read_injected()
        assert found is not None
        assert (len(found.sources), found.radius, found.notes) == (1, 0.5, notes)
        sources = injected.assign(psfFlux=14_454.0, psfFluxErr=100.0)
        numbers = reader.score(None, sources, found)
        assert numbers is not None
        assert numbers["completeness of injected sources"] == 1.0


def test_a_run_without_catalogues_says_so(record: RunRecord) -> None:
    injected, notes = find_injected(record.butler, [OUTPUT], INSTRUMENT, SETTINGS)
    assert len(injected) == 0
    assert notes == (f"{OUTPUT} hold no catalogue of injected sources yet",)


def test_what_is_not_there_is_told(workspace: Workspace, record: RunRecord) -> None:
    with pytest.raises(LedgerError, match="has no runs"):
        read_completeness(workspace)
    (run,) = plan_campaign(workspace.campaign, timestamp=record.timestamp).runs
    write_run(workspace.paths.run(run), record)
    with pytest.raises(LedgerError, match="no run that fills an APDB"):
        read_completeness(workspace)
    plain = workspace.campaign.model_copy(update={"injection": None})
    with pytest.raises(SettingsError, match="injects no sources"):
        read_completeness(Workspace(plain, workspace.runs))
