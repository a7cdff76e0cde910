import json
import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from apcampaign.bps import build_config, load_campaign, plan_campaign
from apcampaign.common.errors import SandboxError
from apcampaign.ledger import Workspace
from apcampaign.sandbox.create import FAKES_FILE, Sandbox, create_sandbox
from apcampaign.sandbox.injection import INJECTION_CATALOG, INJECTION_COLLECTION
from apcampaign.sandbox.sky import KINDS
from apcampaign.sandbox.survey import DEMO, SandboxSize, Survey
from apcampaign.sandbox.truth import read_truth
from apcampaign.submit.preflight.injection_apart import check_beside, compare_with_plain
from click.testing import CliRunner
from lsst.daf.butler import Butler

pytestmark = pytest.mark.slow

SIZE = SandboxSize(tracts=(3828, 3829), visits=2, detectors=(93, 94), bands=("g", "r"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return create_sandbox(tmp_path_factory.mktemp("sandbox") / "a 'hostile' name", SIZE)


@pytest.fixture
def butler(sandbox: Sandbox) -> Butler:
    return Butler.from_config(str(sandbox.butler))


def test_defaults_chain_has_everything_a_campaign_reads(butler: Butler) -> None:
    chain = butler.collections.get_info("2.2i/defaults/test-med-1").children
    assert set(chain) >= {"2.2i/raw/all", "2.2i/calib", "refcats", "skymaps"}
    assert butler.collections.get_info("2.2i/defaults").children == chain


@pytest.mark.parametrize(
    ("dataset_type", "number", "dimensions"),
    [
        ("raw", 8, {"instrument", "exposure", "detector"}),
        ("bias", 2, {"instrument", "detector"}),
        ("dark", 2, {"instrument", "detector"}),
        ("flat", 4, {"instrument", "physical_filter", "detector"}),
        ("camera", 1, {"instrument"}),
        ("skyMap", 1, {"skymap"}),
        ("pretrainedModelPackage", 1, set()),
    ],
)
def test_repository_holds(butler: Butler, dataset_type: str, number: int, dimensions: set[str]) -> None:
    refs = list(butler.registry.queryDatasets(dataset_type, collections="2.2i/defaults/test-med-1"))
    assert len(refs) == number
    assert set(refs[0].datasetType.dimensions.required) == dimensions


def test_calibrations_are_certified_for_all_time(butler: Butler) -> None:
    certified = list(butler.registry.queryDatasetAssociations("bias", collections="2.2i/calib/certified"))
    assert len(certified) == 2
    assert all(entry.timespan.begin is None and entry.timespan.end is None for entry in certified)


def test_camera_is_registered_whole(butler: Butler) -> None:
    detectors = butler.query_dimension_records("detector", instrument="LSSTCam-imSim")
    assert {record.id for record in detectors} == set(range(189))
    assert {record.purpose for record in detectors} == {"SCIENCE"}
    filters = butler.query_dimension_records("physical_filter", instrument="LSSTCam-imSim")
    assert {record.name: record.band for record in filters} == {f"{band}_sim_1.4": band for band in "ugrizy"}


def test_skymap_is_registered_as_dc2s(butler: Butler) -> None:
    (record,) = butler.query_dimension_records("skymap", skymap="DC2")
    assert (record.tract_max, record.patch_nx_max, record.patch_ny_max) == (18938, 7, 7)
    patches = butler.query_dimension_records("patch", skymap="DC2", tract=3829)
    assert sorted(patch.id for patch in patches) == list(range(49))


def test_groups_are_named_by_time_as_those_of_the_real_camera(butler: Butler) -> None:
    for record in butler.query_dimension_records("exposure", instrument="LSSTCam-imSim"):
        assert record.obs_id == str(record.id)
        assert datetime.fromisoformat(record.group) == record.timespan.begin.to_datetime()


def test_each_tract_has_its_own_raws(butler: Butler) -> None:
    found = {}
    for tract in SIZE.tracts:
        with butler.query() as query:
            query = query.where(skymap="DC2", tract=tract).join_dimensions(
                ["exposure", "visit", "detector", "tract"]
            )
            refs = query.datasets("raw", collections="2.2i/raw/all")
            found[tract] = {(ref.dataId["exposure"], ref.dataId["detector"]) for ref in refs}
    assert all(len(raws) == 4 for raws in found.values())
    assert not set.intersection(*found.values())


def test_every_visit_has_its_reference_shards(butler: Butler) -> None:
    shards = {ref.dataId["htm7"] for ref in butler.query_datasets("cal_ref_cat_2_2", collections="refcats")}
    with butler.query() as query:
        rows = list(
            query.join_dimensions(["visit", "detector", "htm7"]).data_ids(["visit", "detector", "htm7"])
        )
    assert rows
    assert {row["htm7"] for row in rows} <= shards


def test_registry_has_statistics_for_the_query_planner(sandbox: Sandbox) -> None:
    with sqlite3.connect(sandbox.butler / "gen3.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0] > 0


def test_campaign_file_names_the_repository_where_it_is(sandbox: Sandbox) -> None:
    campaign = yaml.safe_load((sandbox.folder / "campaign.yaml").read_text())
    assert campaign == sandbox.campaign()
    assert Path(campaign["butler"]).is_dir()
    assert campaign["tracts"] == [3828, 3829]


def test_campaign_with_injected_sources_shares_nothing_with_the_one_beside_it(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in sandbox.environment.items():
        monkeypatch.setenv(name, folder)
    plain, injected = (
        Workspace.open(sandbox.folder / name, tmp_path / "runs", environment={})
        for name in ("campaign.yaml", FAKES_FILE)
    )
    assert list(compare_with_plain(injected, plain)) == list(check_beside(injected)) == []
    (run,) = plan_campaign(injected.campaign)
    assert run.inputs[0] == f"{plain.campaign.root_collection}/templates"
    config = build_config(
        injected.campaign.model_copy(update={"butler": "/repo"}),  # BPS takes no hostile name
        run,
        injected.site,
        submit_path=tmp_path / "submit",
        apdb_config="/apdb.yaml",
        environment=sandbox.environment,
    )
    assert config["cluster"]["singleFrame"]["pipetasks"].endswith(",injectVisit")
    assert config["payload"]["inCollection"].split(",")[1] == INJECTION_COLLECTION
    assert "injectVisit:selection=" in config["extraQgraphOptions"]


def test_catalogue_of_injected_sources_is_there_by_pixel_and_band(butler: Butler) -> None:
    refs = butler.query_datasets(INJECTION_CATALOG, collections=INJECTION_COLLECTION)
    assert {ref.dataId["band"] for ref in refs} == set(SIZE.bands)
    assert set(refs[0].datasetType.dimensions.required) == {"htm7", "band"}
    table = butler.get(refs[0])
    assert {"injection_id", "ra", "dec", "source_type", "mag"} <= set(table.colnames)
    everything = butler.collections.query_info(
        "2.2i/defaults/test-med-1", flatten_chains=True, include_summary=True
    )
    assert not any(INJECTION_CATALOG in (info.dataset_types or ()) for info in everything)


def test_environment_points_to_what_is_there(sandbox: Sandbox) -> None:
    environment = sandbox.environment
    assert Path(environment["AP_PIPE_DIR"], "pipelines/LSSTCam-imSim/ApPipe.yaml").is_file()
    assert Path(environment["DAF_BUTLER_CONFIG_PATH"], "storageClasses.yaml").is_file()


def test_creating_again_changes_nothing(sandbox: Sandbox) -> None:
    before = {path: path.stat().st_mtime_ns for path in sandbox.folder.rglob("*") if path.is_file()}
    assert create_sandbox(sandbox.folder, SIZE) == sandbox
    assert before == {path: path.stat().st_mtime_ns for path in sandbox.folder.rglob("*") if path.is_file()}


def test_another_size_in_the_same_folder_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="other options: ") as raised:
        create_sandbox(sandbox.folder, replace(SIZE, visits=SIZE.visits + 1))
    assert raised.value.expected == f"visits {SIZE.visits + 1}"


def test_sandbox_of_another_version_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "sandbox.json").write_text(json.dumps({"format": 2, "size": SIZE.to_mapping()}))
    with pytest.raises(SandboxError, match=r"another version of apcampaign.*format is 2"):
        create_sandbox(tmp_path, SIZE)


def test_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SandboxError, match="is not a sandbox"):
        create_sandbox(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_command_reports_a_list_that_it_cannot_read(tmp_path: Path) -> None:
    from apcampaign.scripts.commands.sandbox import command

    result = CliRunner().invoke(command, ["create", str(tmp_path / "new"), "--tracts", "3828,north"])
    assert result.exit_code == 2
    assert "'north' is not a whole number" in result.output


def test_truth_is_in_the_folder_and_says_what_changed(sandbox: Sandbox) -> None:
    truth = read_truth(sandbox.folder)
    assert set(truth["kind"]) == set(KINDS)
    assert set(truth["detector"]) == set(SIZE.detectors)
    assert np.allclose(truth["difference"], truth["flux"] - truth["template_flux"])
    with pytest.raises(SandboxError, match="sandbox create"):
        read_truth(sandbox.folder / "repo")


def test_campaign_of_a_sandbox_with_template_visits_tells_them_apart(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(Sandbox(tmp_path, DEMO).campaign()))
    campaign = load_campaign(path, environment={})
    first = Survey(DEMO).science_visits[0].id
    assert campaign.templates.where == f"visit < {first}"
    assert campaign.diffim.where == f"visit >= {first}"


def test_marker_holds_the_options(sandbox: Sandbox) -> None:
    marker = json.loads((sandbox.folder / "sandbox.json").read_text())
    assert SandboxSize.from_mapping(marker["size"]) == SIZE
