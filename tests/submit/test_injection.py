"""A campaign with injected sources is kept apart from the plain one beside it, and injects what is found again."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apcampaign.bps import CampaignConfig, Step, load_campaign, make_timestamp, plan_campaign
from apcampaign.bps.lint import Finding
from apcampaign.ledger import Workspace, write_run
from apcampaign.pipelines import find_pipeline
from apcampaign.sandbox.create import PACKAGES
from apcampaign.submit.preconditions.obstacles import check_injected_alike
from apcampaign.submit.preflight.injection import check_injection, find_injected
from apcampaign.submit.preflight.injection_apart import check_beside, compare_with_plain
from apcampaign.submit.preflight.injection_catalog import check_content
from apcampaign.submit.preflight.run_spec import RunSpec
from astropy.table import Table
from run_records import record_of

PLAIN: dict[str, Any] = {
    "name": "plain",
    "butler": "/repo/dc2",
    "tracts": [3828],
    "inCollection": "2.2i/defaults",
    "operator": "me",
    "apdb": {"url": "postgresql://me@host/apdb"},
}
INJECTED: dict[str, Any] = {
    **PLAIN,
    "name": "fakes",
    "steps": ["diffim"],
    "diffim": {
        "pipeline": "ApPipeWithFakes-DC2.yaml",
        "templates": "u/me/plain/templates",
        "skipExistingIn": "u/me/plain/templates",
    },
    "injection": {"catalog": "u/me/catalogue"},
}


def open_workspace(content: dict[str, Any], folder: Path) -> Workspace:
    return Workspace(CampaignConfig.model_validate(content), folder / "runs")


def compare(folder: Path, **changes: Any) -> list[Finding]:
    injected = open_workspace({**INJECTED, **changes}, folder)
    return list(compare_with_plain(injected, open_workspace(PLAIN, folder)))


def test_a_campaign_with_a_name_of_its_own_shares_nothing_with_the_plain_one(tmp_path: Path) -> None:
    assert compare(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": "plain"}, "name"),
        ({"outCollection": "u/{operator}/plain"}, "outCollection"),
        ({"outCollection": "u/{operator}/plain/diffim/fakes"}, "outCollection"),
        ({"outCollection": "u"}, "outCollection"),
        ({"apdb": {"url": "postgresql://me@host/apdb", "namespace": "plain"}}, "apdb"),
        ({"tracts": [3829]}, "tracts"),
        ({"dayObs": 20260905, "where": "detector < 9"}, "dayObs, where"),
    ],
)
def test_what_is_shared_or_differs_is_told(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    findings = compare(tmp_path, **changes)
    assert key in [finding.key for finding in findings]
    severities = {str(finding.severity) for finding in findings}
    assert severities == ({"warning"} if "tracts" in key or "where" in key else {"error"})


def test_an_apdb_in_a_file_is_shared_whatever_the_namespace(tmp_path: Path) -> None:
    settings = {"url": "sqlite:////tmp/apdb.db"}
    plain = open_workspace({**PLAIN, "apdb": settings}, tmp_path)
    injected = open_workspace({**INJECTED, "apdb": {**settings, "namespace": "x"}}, tmp_path)
    assert [finding.key for finding in compare_with_plain(injected, plain)] == ["apdb"]


def test_the_plain_campaign_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump({**PLAIN, "name": "fakes"}))
    path = tmp_path / "fakes.yaml"
    path.write_text(yaml.safe_dump(INJECTED | {"injection": {"catalog": "u/c", "beside": "plain.yaml"}}))
    workspace = Workspace(load_campaign(path, environment={}), tmp_path / "runs")
    assert "name" in [finding.key for finding in check_beside(workspace)]
    (tmp_path / "plain.yaml").unlink()
    (finding,) = check_beside(workspace)
    assert "cannot be read" in finding.what
    assert list(check_beside(open_workspace(INJECTED, tmp_path))) == []


@pytest.mark.parametrize("before", [PLAIN, INJECTED], ids=["plain", "injected"])
def test_injected_and_plain_runs_of_one_campaign_are_refused(tmp_path: Path, before: dict[str, Any]) -> None:
    after = INJECTED if before is PLAIN else PLAIN
    first, second = (open_workspace({**content, "name": "same"}, tmp_path) for content in (before, after))
    plan = plan_campaign(first.campaign, timestamp=make_timestamp(), steps=[Step.DIFFIM])
    (run,) = plan.runs
    files = first.paths.run(run)
    write_run(files, record_of(first, run, service="lsst.ctrl.bps.parsl.ParslService"))
    files.campaign.write_text(yaml.safe_dump({**before, "name": "same"}))
    ledger = first.read_ledger()
    assert check_injected_alike(first, ledger) is None
    obstacle = check_injected_alike(second, ledger)
    assert obstacle is not None
    assert "a name of its own" in obstacle.remedy


@pytest.fixture(scope="module")
def graphs() -> Any:
    """The graphs of our pipelines for difference imaging, plain and with injection."""
    from lsst.pipe.base import Pipeline

    with pytest.MonkeyPatch.context() as patch:
        for name, folder in PACKAGES.items():
            patch.setenv(name, folder)
        pipelines = {}
        for name in ("ApPipe-DC2.yaml", "ApPipeWithFakes-DC2.yaml"):
            pipeline = Pipeline.from_uri(find_pipeline(name))
            pipeline.addConfigOverride("parameters", "apdb_config", "/an/apdb.yaml")
            pipelines[name] = pipeline.to_graph()
        return pipelines


def find(graph: Any, *, injects: bool, name: str = "fakes") -> list[Finding]:
    settings = CampaignConfig.model_validate(INJECTED).injection
    spec = RunSpec(
        name="diffim",
        butler="/repo",
        inputs=(),
        output="u/me/fakes/diffim",
        output_run="u/me/fakes/diffim/1",
        query="",
        pipeline="",
        campaign=name,
        injection=settings if injects else None,
    )
    return list(check_injection(None, spec, graph, None))


@pytest.mark.slow
def test_all_that_reads_an_image_reads_the_one_with_the_sources(graphs: Any) -> None:
    plain, fakes = graphs["ApPipe-DC2.yaml"], graphs["ApPipeWithFakes-DC2.yaml"]
    assert set(fakes.tasks) - set(plain.tasks) == {"injectVisit", "injectTemplate"}
    for before, label, after in (
        ("preliminary_visit_image", "injectVisit", "fakes_preliminary_visit_image"),
        ("template_detector", "injectTemplate", "injectedTemplate_template_detector"),
    ):
        assert [task.label for task in fakes.consumers_of(before)] == [label]
        readers = {task.label for task in plain.consumers_of(before)}
        assert {task.label for task in fakes.consumers_of(after)} == readers


@pytest.mark.slow
def test_a_pipeline_that_injects_unasked_or_not_at_all_is_told(graphs: Any) -> None:
    plain, fakes = graphs["ApPipe-DC2.yaml"], graphs["ApPipeWithFakes-DC2.yaml"]
    assert find(plain, injects=False) == []
    assert [str(finding.severity) for finding in find(fakes, injects=False)] == ["error", "warning"]
    (finding,) = find(plain, injects=True)
    assert "no task of the pipeline injects" in finding.what


@pytest.mark.slow
def test_sources_in_science_image_and_template_alike_are_told_of_a_submit_file_too(graphs: Any) -> None:
    fakes = graphs["ApPipeWithFakes-DC2.yaml"]
    for findings in (find(fakes, injects=True), find(fakes, injects=False, name="")):
        (finding,) = findings
        assert "both inject all sources" in finding.what
        assert "injectVisit:selection" in finding.remedy


@pytest.mark.slow
def test_only_what_the_apdb_depends_on_must_not_be_skipped(graphs: Any) -> None:
    graph = graphs["ApPipeWithFakes-DC2.yaml"]
    tasks = {label: graph.tasks[label] for label in ("injectVisit", "injectTemplate")}
    after = find_injected(graph, tasks)
    assert {"fakes_preliminary_visit_image", "difference_image", "dia_source_apdb", "apdb_marker"} <= after
    # The templates step makes these two, which the injected campaign takes over.
    assert not after & {"preliminary_visit_image", "preliminary_visit_summary"}


def test_a_catalogue_with_impossible_content_is_told() -> None:
    good = Table({"ra": [1.0], "dec": [2.0], "mag": [21.0], "source_type": ["Star"]})
    assert list(check_content(good, "of r", None)) == []
    fluxes = good.copy()
    fluxes["mag"] = [3631.0]
    nothing = good.copy()
    nothing["mag"] = [float("nan")]
    bare = good.copy()
    del bare["source_type"]
    for table, word in ((fluxes, "such as 3631"), (nothing, "no numbers"), (bare, "no column 'source_type'")):
        (finding,) = check_content(table, "of r", None)
        assert word in finding.what
