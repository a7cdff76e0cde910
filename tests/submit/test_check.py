"""The preflight: it finds every planted mistake, nothing in a correct campaign, and changes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from apcampaign.bps import CampaignConfig
from apcampaign.sandbox.servers import CondorPool
from apcampaign.submit.preflight import inspect_repository
from apcampaign.submit.preflight.environment import check_environment
from apcampaign.submit.preflight.repository import check_writable
from apcampaign.submit.preflight.run_spec import RunSpec
from forked import run_forked
from planted_campaigns import CAMPAIGNS, INTENDED, CampaignMistake
from planting import Ground, check_all, check_parts, make_ground

pytestmark = pytest.mark.slow(minutes=1)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return make_ground(tmp_path_factory.mktemp("check"))


@pytest.fixture(scope="module")
def results(ground: Ground) -> dict[str, dict[str, Any]]:
    """What is found, by mistake; without one under the empty name. All in one process, which imports once."""
    mistakes = [None, *CAMPAIGNS, *INTENDED]
    found = check_all(ground, mistakes)
    return {mistake.name if mistake else "": result for mistake, result in zip(mistakes, found, strict=True)}


def test_nothing_is_found_in_a_correct_campaign(results: dict[str, dict[str, Any]]) -> None:
    assert results[""]["findings"] == []
    assert results[""]["good"]


@pytest.mark.parametrize("mistake", CAMPAIGNS, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_found_and_told(
    results: dict[str, dict[str, Any]], mistake: CampaignMistake
) -> None:
    findings = results[mistake.name]["findings"]
    found = [finding for finding in findings if finding["rule"] == mistake.rule]
    assert any(mistake.word in " ".join((f["what"], f["why"], f["remedy"])) for f in found), findings
    assert not [finding for finding in findings if finding["rule"] == "unchecked"]


@pytest.mark.parametrize("intended", INTENDED, ids=lambda intended: intended.name)
def test_what_the_campaign_says_is_meant_is_no_mistake(
    results: dict[str, dict[str, Any]], intended: CampaignMistake
) -> None:
    assert intended.rule not in {finding["rule"] for finding in results[intended.name]["findings"]}


def test_a_variable_that_is_not_set_is_told_once(results: dict[str, dict[str, Any]]) -> None:
    findings = results["$AP_PIPE_DIR not set"]["findings"]
    (found,) = (f for f in findings if "AP_PIPE_DIR" in f["what"] or "ResourcePath" in f["what"])
    assert found["rule"] == "environment"
    assert "setup lsst_distrib" in found["remedy"]


@pytest.mark.parametrize("name", ["PGPASSWORD", "LSST_DB_AUTH_CREDENTIALS"])
def test_a_variable_with_passwords_that_no_job_gets_is_told(name: str) -> None:
    told = [finding.what for finding in check_environment([], {name: "hush"})]
    assert f"${name} is set" in told


def test_quanta_are_counted_before_there_is_a_graph(results: dict[str, dict[str, Any]]) -> None:
    selection, estimate = results[""]["selections"]["templates"], results[""]["estimates"]["templates"]
    assert (selection["raw"], selection["visit"], selection["detector"], selection["tract"]) == (2, 2, 1, 1)
    assert estimate["isr"] == estimate["calibrateImage"] == 2
    assert estimate["assembleTemplateCoadd"] == selection["patch"]
    assert estimate["makeDirectWarp"] > selection["patch"]
    assert results[""]["estimates"]["diffim"]["associateApdb"] == 2


def test_the_estimate_is_what_the_graph_has(ground: Ground, results: dict[str, dict[str, Any]]) -> None:
    graph = ground.folder / "templates.qg"
    pipetask = Path(sys.executable).with_name("pipetask")
    pipeline = Path(__file__).parents[2] / "pipelines" / "ApTemplate-DC2.yaml"
    query = "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828"
    words = ["qgraph", "-b", str(ground.sandbox.butler), "-i", "2.2i/defaults/test-med-1", "-o", "u/x"]
    words += ["-p", str(pipeline), "-d", query, "-q", str(graph)]
    subprocess.run([pipetask, *words], env=ground.environment, check=True, timeout=300, capture_output=True)
    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

    with PredictedQuantumGraph.open(graph) as reader:
        reader.read_thin_graph()
        quanta = {label: len(found) for label, found in reader.finish().quanta_by_task.items()}
    assert results[""]["estimates"]["templates"] == quanta


def test_parts_of_a_step_are_checked_one_by_one(ground: Ground) -> None:
    visits = {"early": "visit = 731000", "late": "visit != 731000"}
    found = check_parts(ground, visits)
    assert found["findings"] == []
    assert found["raws"] == {"templates": 2, "diffim-early": 1, "diffim-late": 1}


def test_nothing_is_changed(ground: Ground, results: dict[str, dict[str, Any]]) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        files = [path for path in ground.folder.rglob("*") if path.is_file() and path.name != "campaign.yaml"]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    before = state()
    check_all(ground, [None])
    assert state() == before
    assert not (ground.folder / "runs").exists()


def call(
    ground: Ground, mistake: CampaignMistake | None, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = ground.folder / "of-a-command.yaml"
    path.write_text(yaml.safe_dump(ground.campaign(mistake)))
    options = ["--campaign", str(path), "--runs", str(ground.folder / "runs")]
    variables = ground.environment | {"COLUMNS": "160"} | environment
    return run_forked([*words, *options], cwd=ground.folder, env=variables, timeout=120)


def test_the_command_exits_by_the_worst_finding_and_tells_the_quanta(ground: Ground) -> None:
    good = call(ground, None, "check")
    assert (good.returncode, good.stderr) == (0, "")
    assert "assembleTemplateCoadd" in good.stdout
    mistake = next(mistake for mistake in CAMPAIGNS if mistake.rule == "no-collection")
    bad = call(ground, mistake, "check", "--format", "text", "--step", "templates")
    assert bad.returncode == 1
    assert "[no-collection]" in bad.stdout


def test_the_stack_that_is_set_up_is_compared_with_what_is_relied_on(ground: Ground, tmp_path: Path) -> None:
    stack = shutil.copytree(ground.environment["AP_PIPE_DIR"], tmp_path / "ap_pipe")
    file = stack / "pipelines/_ingredients/ApPipe.yaml"
    file.write_text(file.read_text().replace("loadDiaCatalogs", "preloadDiaCatalogs"))
    bad = call(ground, None, "check", "--stack", AP_PIPE_DIR=str(stack))
    assert bad.returncode == 1
    assert "there is no task 'loadDiaCatalogs'" in bad.stdout


def test_templates_that_are_missing_are_told_when_no_run_will_make_them(ground: Ground) -> None:
    words = ["check", "--step", "diffim", "--templates", "mistakes/one-template", "--json"]
    told = call(ground, None, *words)
    assert (told.returncode, told.stderr) == (1, "")
    (finding,) = yaml.safe_load(told.stdout)["findings"]
    assert (finding["rule"], finding["severity"]) == ("no-templates", "error")
    assert "7 of 8" in finding["what"]


def test_inspect_tells_collections_and_coverage(ground: Ground) -> None:
    told = call(ground, None, "inspect", "--json")
    content = yaml.safe_load(told.stdout)
    (chain,) = content["collections"]
    assert [child["name"] for child in chain["children"]][:2] == ["2.2i/raw/all", "2.2i/calib"]
    (row,) = content["coverage"]
    assert (row["tract"], row["band"], row["visits"], row["raws"], row["templates"]) == (3828, "r", 2, 2, 0)
    assert row["depth"] == [1, 2, 2]
    table = call(ground, None, "inspect")
    assert table.returncode == 0
    assert "2.2i/calib/certified (CALIBRATION)" in table.stdout


def test_a_repository_without_raws_can_be_inspected(tmp_path: Path) -> None:
    from lsst.daf.butler import Butler

    Butler.makeRepo(str(tmp_path))
    content = {"name": "dc2", "butler": str(tmp_path), "tracts": [3828], "inCollection": "2.2i/defaults"}
    limits = {"tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1}
    with Butler.from_config(str(tmp_path), writeable=True) as butler:
        butler.collections.register("2.2i/defaults")
        butler.registry.insertDimensionData("instrument", {"name": "LSSTCam-imSim", "class_name": "none"})
        butler.registry.insertDimensionData("skymap", {"name": "DC2", "hash": b"0", **limits})
    inspection = inspect_repository(CampaignConfig.model_validate(content))
    assert (inspection.instruments, inspection.skymaps) == (("LSSTCam-imSim",), ("DC2",))
    assert inspection.coverage == ()


def lint(ground: Ground, path: Path) -> tuple[int, list[str]]:
    """What `lint --butler` exits with, and the rules of what it finds."""
    words = ["lint", "--butler", "--json", str(path)]
    said = run_forked(words, cwd=ground.folder, env=ground.environment, timeout=120)
    return said.returncode, [finding["rule"] for finding in yaml.safe_load(said.stdout)]


def test_lint_asks_the_repository_of_a_file(ground: Ground) -> None:
    from planted import TEMPLATES, fill_in

    path = ground.folder / "file.yaml"
    text = fill_in(TEMPLATES, folder=ground.folder, butler=ground.sandbox.butler)
    for tract, rules in ((3828, []), (4431, ["no-data"])):
        path.write_text(text.replace("tract=3828", f"tract={tract}"))
        assert lint(ground, path) == (bool(rules), rules)
    options = f'extraQgraphOptions: "-c parameters:apdb_config={ground.apdb("HSC")}"\n'
    path.write_text(options + text)
    assert "apdb" in lint(ground, path)[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_repository_that_is_not_writable_is_told(ground: Ground) -> None:
    ground.sandbox.butler.chmod(0o555)
    try:
        (result,) = check_all(ground, [None])
    finally:
        ground.sandbox.butler.chmod(0o755)
    assert "butler-write" in [finding["rule"] for finding in result["findings"]]


@pytest.mark.postgres
def test_a_registry_that_takes_no_rows_from_this_user_is_told(postgres_url: str, tmp_path: Path) -> None:
    from lsst.daf.butler import Butler, Config

    registry = {"db": postgres_url.replace("postgresql:", "postgresql+psycopg2:"), "namespace": "dc2"}
    owner = sqlalchemy.create_engine(registry["db"])
    with owner.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE EXTENSION btree_gist"))
    Butler.makeRepo(str(tmp_path / "repo"), config=Config({"registry": registry}))
    subject = RunSpec(
        name="templates",
        butler=str(tmp_path / "repo"),
        inputs=(),
        output="u/me/x",
        output_run="u/me/x/1",
        query="",
        pipeline="",
    )
    assert not list(check_writable(subject))
    with owner.begin() as connection:
        connection.execute(sqlalchemy.text("REVOKE INSERT ON ALL TABLES IN SCHEMA dc2 FROM CURRENT_USER"))
        connection.execute(sqlalchemy.text("GRANT INSERT ON dc2.run TO CURRENT_USER"))
    (finding,) = check_writable(subject)
    assert finding.rule == "butler-write"
    assert "(collection, collection_chain, dataset)" in finding.what


def check_on_pool(
    ground: Ground, pool: CondorPool, mistake: CampaignMistake | None = None, **environment: str
) -> list[dict[str, Any]]:
    path = ground.folder / "on-pool.yaml"
    path.write_text(yaml.safe_dump({**ground.campaign(mistake), "site": "local"}))
    words = ["check", "--campaign", str(path), "--json", "--runs", str(ground.folder / "runs")]
    variables = ground.environment | dict(pool.environ()) | environment
    told = run_forked(words, cwd=ground.folder, env=variables, timeout=120)
    findings: list[dict[str, Any]] = yaml.safe_load(told.stdout)["findings"]
    assert (told.returncode, told.stderr) == (bool(findings), "")
    return findings


@pytest.mark.htcondor
def test_a_pool_is_asked_for_its_slots_and_whether_it_answers_to_this_user(
    ground: Ground, condor_pool: CondorPool
) -> None:
    assert check_on_pool(ground, condor_pool) == []
    large = CampaignMistake(
        "a large last job", "slots", "", {"bps": {"finalJob": {"requestMemory": 9_000_000}}}
    )
    findings = check_on_pool(ground, condor_pool, large)
    assert [finding["rule"] for finding in findings] == ["slots", "slots"]
    assert all("finalJob" in finding["what"] for finding in findings)
    (finding,) = check_on_pool(ground, condor_pool, _CONDOR_SEC_CLIENT_AUTHENTICATION="NEVER")
    assert finding["rule"] == "wms"
    assert "does not answer" in finding["what"]
    (finding,) = check_on_pool(ground, condor_pool, _CONDOR_SUBMIT_ALLOW_GETENV="False")
    assert "SUBMIT_ALLOW_GETENV is false" in finding["what"]
