"""The linter: it finds every planted mistake, and nothing in a correct file."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from apcampaign.bps import (
    Wms,
    build_config,
    dump_config,
    list_sites,
    load_campaign,
    load_site,
    plan_campaign,
)
from apcampaign.bps.lint import Severity, lint_file, load_vocabulary, write_findings
from apcampaign.bps.lint.labels import read_labels
from apcampaign.sandbox.create import PACKAGES
from apcampaign.scripts.cli import command
from apcampaign.scripts.options.findings import RULES
from apcampaign.submit.preflight import check_campaign_file
from click.testing import CliRunner
from planted import DIFFIM, FILES, TEMPLATES, FileMistake, fill_in

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**PACKAGES, "HOME": "/root"}


def write(folder: Path, text: str) -> Path:
    path = folder / "bps.yaml"
    path.write_text(fill_in(text, folder=folder, butler=folder / "repo"))
    return path


@pytest.mark.parametrize("text", [TEMPLATES, DIFFIM], ids=["templates", "diffim"])
def test_nothing_is_found_in_a_correct_file(tmp_path: Path, text: str) -> None:
    assert lint_file(write(tmp_path, text), environment=ENVIRONMENT) == []


@pytest.mark.parametrize("mistake", FILES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_found_and_told_by_its_rule_only(tmp_path: Path, mistake: FileMistake) -> None:
    path = write(tmp_path, mistake.text)
    findings = lint_file(path, environment=ENVIRONMENT)
    assert {finding.rule for finding in findings} == {mistake.rule}, findings
    found = findings[0]
    assert mistake.word in f"{found.what} {found.why} {found.remedy}"
    assert found.severity is not Severity.INFO
    assert found.file == str(path)
    assert found.line


# The plugin of PanDA is not here, and with it what these sites include.
@pytest.mark.parametrize("site", [name for name in list_sites() if load_site(name).wms is not Wms.PANDA])
def test_our_own_pair_is_clean(tmp_path: Path, site: str) -> None:
    campaign = load_campaign(ROOT / "campaign.yaml", environment={})
    for run in plan_campaign(campaign, timestamp="20260102T030405Z").runs:
        for edges_added in (False, True):
            config = build_config(
                campaign,
                run,
                load_site(site),
                submit_path=tmp_path / "submit",
                apdb_config="/runs/apdb.yaml",
                environment={"PATH": "/bin", **PACKAGES},
                edges_added=edges_added,
            )
            path = tmp_path / "bps.yaml"
            path.write_text(dump_config(config))
            # Where the file itself asks for no order (Parsl cannot, and `submit` adds edges), that is true.
            ignore = ["apdb-order"] if "ordering" not in config else []
            assert lint_file(path, environment=ENVIRONMENT, ignore=ignore) == []


def test_the_line_and_column_are_those_of_the_key(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATES.replace("    requestMemory: 8192", "    requestMemry: 8192"))
    (finding,) = lint_file(path, environment=ENVIRONMENT)
    assert path.read_text().splitlines()[finding.line - 1] == "    requestMemry: 8192"
    assert (finding.column, finding.key) == (5, "pipetask.assembleTemplateCoadd.requestMemry")


def test_what_is_included_is_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    included = tmp_path / "more" / "resources.yaml"
    included.write_text("pipetask:\n  isr:\n    requestMemry: 1\n")
    path = write(tmp_path, "includeConfigs: [more/resources.yaml]\n" + TEMPLATES)
    (finding,) = lint_file(path, environment=ENVIRONMENT)
    assert (finding.file, finding.line) == (str(included), 3)
    path = write(tmp_path, "includeConfigs: ['${MORE}/resources.yaml']\n" + TEMPLATES)
    (finding,) = lint_file(path, environment=ENVIRONMENT | {"MORE": str(tmp_path / "more")})
    assert finding.file == str(included)
    (finding,) = lint_file(path, environment=ENVIRONMENT)
    assert (finding.rule, finding.severity) == ("include", Severity.WARNING)


def test_what_is_for_others_to_include_may_name_tasks_that_this_pipeline_lacks(tmp_path: Path) -> None:
    (tmp_path / "resources.yaml").write_text("pipetask:\n  deblend:\n    requestMemory: 16384\n")
    path = write(tmp_path, "includeConfigs: [resources.yaml]\n" + TEMPLATES)
    assert lint_file(path, environment=ENVIRONMENT) == []


def test_what_is_given_wins_over_what_is_included(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("requestMemory: 4GB\n")
    assert (
        lint_file(write(tmp_path, "includeConfigs: [base.yaml]\n" + TEMPLATES), environment=ENVIRONMENT) == []
    )


def test_a_part_of_a_file_need_not_be_whole(tmp_path: Path) -> None:
    path = write(
        tmp_path, "payload:\n  butlerConfig: main\noutput: u/{whoever}\nsetupEnv: 'source {LSST_VERSION}'\n"
    )
    assert lint_file(path, environment=ENVIRONMENT) == []


def test_all_that_is_left_to_the_command_line_is_told(tmp_path: Path) -> None:
    text = TEMPLATES[: TEMPLATES.index("  payloadName")] + "  butlerConfig: main\n"
    (finding,) = lint_file(write(tmp_path, text), environment=ENVIRONMENT)
    assert (finding.severity, finding.rule) == (Severity.INFO, "missing-key")
    assert "-i -d -o" in finding.why


def test_a_mistake_in_the_yaml_of_the_pipeline_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("description: x\ntasks:\n  isr: [1\n  b: }\n")
    pipeline = tmp_path / "mine.yaml"
    pipeline.write_text("description: x\nimports: [broken.yaml]\n")
    text = TEMPLATES.replace("@PIPELINES@/ApTemplate-DC2.yaml", str(pipeline))
    (finding,) = lint_file(write(tmp_path, text), environment=ENVIRONMENT)
    assert (finding.rule, finding.line) == ("yaml", 4)
    assert finding.file == str(tmp_path / "broken.yaml")


def test_requests_of_a_cluster_in_an_included_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("pipetask:\n  singleFrame:\n    requestMemory: 4096\n")
    (finding,) = lint_file(
        write(tmp_path, "includeConfigs: [more.yaml]\n" + TEMPLATES), environment=ENVIRONMENT
    )
    assert (finding.rule, finding.remedy) == ("no-label", "write them under cluster.singleFrame")


def test_retries_of_what_shares_the_job_of_the_association_are_told(tmp_path: Path) -> None:
    shared = "  association:\n    pipetasks: associateApdb,analyzeAssociateDiaSourceTiming\n"
    text = DIFFIM.replace("ordering:", f"{shared}    dimensions: visit,detector\nordering:").replace(
        "labels: loadDiaCatalogs,associateApdb", "labels: loadDiaCatalogs,association"
    )
    (finding,) = lint_file(write(tmp_path, text), environment=ENVIRONMENT)
    assert finding.rule == "apdb-retries"
    assert "cluster.association.numberOfRetries: 0" in finding.remedy
    fixed = text.replace(shared, f"{shared}    numberOfRetries: 0\n    memoryMultiplier: 1\n")
    assert lint_file(write(tmp_path, fixed), environment=ENVIRONMENT) == []


def test_a_subset_that_lost_a_task_by_an_import_is_gone(tmp_path: Path) -> None:
    labels = read_labels(ROOT / "pipelines" / "ApTemplate-DC2.yaml", ENVIRONMENT)
    assert labels
    assert sorted(labels.subsets) == ["makeTemplate", "singleFrame"]
    assert "isr" in labels.tasks
    assert "associateApdb" not in labels.tasks
    assert read_labels(ROOT / "pipelines" / "ApTemplate-DC2.yaml", {}) is None


def test_the_users_own_variables_are_no_unknown_keys(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATES.replace("tract=3828", "tract={myTract}") + "myTract: 3828\n")
    assert lint_file(path, environment=ENVIRONMENT) == []


def test_words_of_a_plugin_that_is_not_installed_are_not_called_unknown(tmp_path: Path) -> None:
    path = write(
        tmp_path, "wmsServiceClass: lsst.ctrl.bps.panda.PanDAService\nmaxJobsPerTask: 10\nrequestMemry: 1\n"
    )
    assert [finding.rule for finding in lint_file(path)] == ["plugin-unknown", "misspelt-key"]


def test_a_part_of_a_file_may_be_for_any_plugin(tmp_path: Path) -> None:
    path = write(tmp_path, "enableEventService: isr:20\nrequestMemry: 1\n")
    assert [finding.rule for finding in lint_file(path)] == ["misspelt-key"]


def test_variables_that_are_not_set_are_told_once_and_are_no_error(tmp_path: Path) -> None:
    text = TEMPLATES.replace("@BUTLER@", "${MY_REPOSITORY}").replace("2.2i/", "${MY_COLLECTION}/")
    (finding,) = lint_file(write(tmp_path, text), environment=ENVIRONMENT)
    assert finding.severity is Severity.INFO
    assert "$MY_REPOSITORY, $MY_COLLECTION" in finding.what


def test_the_variable_of_another_package_is_unset_and_not_misspelt(tmp_path: Path) -> None:
    text = TEMPLATES.replace("@PIPELINES@/ApTemplate-DC2.yaml", "${CP_PIPE_DIR}/pipelines/x.yaml")
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "CP_PIPE_DIR"}
    assert {finding.severity for finding in lint_file(write(tmp_path, text), environment=environment)} == {
        Severity.INFO
    }


def test_what_is_not_compared_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATES)
    (finding,) = lint_file(path, environment=ENVIRONMENT, pipeline="nowhere.yaml")
    assert (finding.severity, finding.rule) == (Severity.ERROR, "no-pipeline")
    without = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("PIPE_DIR")}
    (finding,) = lint_file(path, environment=without)
    assert (finding.severity, finding.rule) == (Severity.INFO, "unchecked")


@pytest.mark.parametrize(
    ("text", "severity", "line", "part"),
    [
        ("", Severity.INFO, None, "this is a campaign file"),
        ("tract: [1]\n", Severity.ERROR, 4, "tract: this key is unknown"),
        ("name: b\n", Severity.ERROR, 4, "given twice, first in line 1"),
        (
            "tracts: [3828,, 3829]\n",
            Severity.ERROR,
            4,
            "this is not YAML: a ',' stands where a value belongs",
        ),
        ("site: s3fd\n", Severity.ERROR, 4, "site: 's3fd' is unknown"),
    ],
)
def test_a_campaign_file_is_read_as_what_it_is(tmp_path: Path, text, severity, line, part) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(f"name: a\nbutler: /repo\ninCollection: 2.2i/raw\n{text}")
    (finding,) = lint_file(path)
    assert (finding.rule, finding.severity, finding.line) == ("campaign", severity, line)
    assert part in finding.what


@pytest.mark.parametrize(
    ("text", "line", "rule", "key", "remedy"),
    [
        ("site: nowhere/site.yaml", 4, "campaign", "site", "`apcampaign sites` tells what each is"),
        (
            "diffim:\n  pipeline: ApPipe-DC3.yaml",
            5,
            "campaign",
            "diffim.pipeline",
            "write one of ApPipe-DC2.yaml",
        ),
        ("apdb: {namespace: Bad-Name}", 4, "campaign", "apdb.namespace", "such as 'bad_name'"),
        ("bps: {requestMemroy: 5000}", 4, "misspelt-key", "bps.requestMemroy", "write 'requestMemory'"),
        (
            "diffim:\n  bps:\n    requestMemory: 4GB",
            6,
            "wrong-unit",
            "diffim.bps.requestMemory",
            "requestMemory: 4096",
        ),
        (
            "bps: {payload: {outCollection: x}}",
            4,
            "removed-key",
            "bps.payload.outCollection",
            "`output` for the",
        ),
        ("bps:\n  pipetask:\n    isrr: {requestMemory: 5000}", 6, "no-label", "bps.pipetask.isrr", "isr"),
    ],
)
def test_a_campaign_file_is_tried_on_the_pair_that_it_makes(tmp_path, text, line, rule, key, remedy) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(f"name: a\nbutler: /repo\ninCollection: 2.2i/raw\n{text}\n")
    (finding,) = check_campaign_file(path, environment=ENVIRONMENT)
    assert (finding.line, finding.rule, finding.key) == (line, rule, key)
    assert finding.file == str(path)
    assert remedy in finding.remedy
    assert [each.name for each in tmp_path.iterdir()] == ["campaign.yaml"]


def test_settings_for_both_steps_may_name_a_task_of_one(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(
        "name: a\nbutler: /repo\ninCollection: 2.2i/raw\n"
        "bps: {pipetask: {assembleTemplateCoadd: {requestMemory: 5000}, subtractImages: {requestMemory: 5000}}}\n"
    )
    assert check_campaign_file(path, environment=ENVIRONMENT) == []


def test_the_command_looks_at_all_of_a_campaign_file(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text("name: a\nbutler: /repo\ninCollection: 2.2i/raw\ndiffim: {pipeline: none.yaml}\n")
    done = CliRunner().invoke(command, ["lint", str(path), "--json"])
    assert done.exit_code == 1
    assert [finding["line"] for finding in json.loads(done.stdout)] == [None, 4]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bps" / "campaigns").glob("*.yaml")), ids=lambda path: path.name
)
def test_campaign_files_that_come_along_are_recognised(path: Path) -> None:
    (finding,) = lint_file(path)
    assert (finding.rule, finding.severity) == ("campaign", Severity.INFO)
    assert check_campaign_file(path, environment={}) == []


@pytest.mark.parametrize(
    ("text", "rules", "part"),
    [
        ("# nothing yet\n", ["other-file"], "the file is empty"),
        ("samples: {a: x}\nthreads: 4\n", ["other-file"], "knows none of its keys (samples, threads)"),
        ("description: x\ntasks: {isr: lsst.ip.isr.IsrTask}\n", ["other-file"], "this is a pipeline, not a"),
        ("db_url: sqlite:///x\nimplementation_type: sql\n", ["other-file"], "the configuration of an APDB"),
        ("butler: /repo\ntract: [1]\n", ["campaign"] * 3, "this key is missing"),
        ("requestMemory: 4096\n", [], ""),
    ],
)
def test_a_file_of_another_kind_is_told_for_what_it_is(tmp_path: Path, text, rules, part) -> None:
    findings = lint_file(write(tmp_path, text))
    assert [finding.rule for finding in findings] == rules
    assert part in "".join(finding.what for finding in findings)


@pytest.mark.parametrize("path", sorted((ROOT / "bps" / "sites").glob("*.yaml")), ids=lambda path: path.stem)
def test_site_files_that_come_along_are_clean(path: Path) -> None:
    assert {finding.rule for finding in lint_file(path)} <= {"plugin-unknown", "include", "unchecked"}


def test_a_second_document_and_a_missing_file_are_told_with_what_to_do(tmp_path: Path) -> None:
    (finding, *_) = lint_file(write(tmp_path, "project: a\n---\nproject: b\n"))
    assert (finding.rule, finding.line) == ("yaml", 2)
    assert "a second document begins here" in finding.what
    (finding,) = lint_file(tmp_path / "nowhere.yaml")
    assert "correct its path" in finding.remedy


def test_parsl_is_not_told_to_order_what_it_cannot(tmp_path: Path) -> None:
    text = DIFFIM.replace("htcondor.HTCondorService", "parsl.ParslService")
    text = text[: text.index("ordering:")] + text[text.index("payload:") :]
    findings = lint_file(write(tmp_path, text), environment=ENVIRONMENT)
    (finding,) = [each for each in findings if each.rule == "apdb-order"]
    assert finding.remedy == "let apcampaign submit it: Parsl cannot run BPS's 'ordering'"


def test_known_words_come_from_the_installed_bps() -> None:
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER

    vocabulary = load_vocabulary()
    assert set(BPS_DEFAULTS) - {"executionButler"} <= vocabulary.settings | vocabulary.top_sections
    assert vocabulary.code.search_order == BPS_SEARCH_ORDER
    assert {"requestDisk", "accountingGroup", "memoryMultiplier"} <= vocabulary.settings
    assert {"cores", "nodes_per_block", "walltime"} <= vocabulary.known_in("site")
    assert {"pipetasks", "equalDimensions", "partitionMaxClusters"} <= vocabulary.known_in("cluster")
    assert vocabulary.known_in("ordering") >= {"labels", "implementation", "blocking", "ordering_type"}
    assert list(vocabulary.code.refused) == ["outCollection"]
    assert {"timestamp", "uniqProcName", "qgraphNodeId"} <= vocabulary.settings | vocabulary.code.filled_in


def test_every_rule_is_documented() -> None:
    used = set()
    for folder in ("bps/lint", "submit/preflight"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func).rpartition(".")[2]
                rules = [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
                rules += node.args[1:2] if name in ("finding", "make_finding", "finding_from_error") else []
                used |= {rule.value for rule in rules if isinstance(rule, ast.Constant)}
    text = (ROOT / "docs" / "lint.md").read_text().split("## The rules", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", text, flags=re.MULTILINE)) == used == set(RULES)


def test_linting_imports_neither_bps_nor_butler(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATES)
    code = (
        "import sys, pathlib\n"
        "from apcampaign.bps.lint import lint_file\n"
        f"lint_file(pathlib.Path({str(path)!r}))\n"
        "heavy = {'lsst', 'astropy', 'numpy', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_findings_are_written_for_machines_and_forges(tmp_path: Path) -> None:
    findings = lint_file(write(tmp_path, FILES[0].text), environment=ENVIRONMENT)
    (plain,) = json.loads(write_findings(findings, "json"))
    assert (plain["severity"], plain["rule"]) == ("error", "misspelt-key")
    sarif = json.loads(write_findings(findings, "sarif"))
    (result,) = sarif["runs"][0]["results"]
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == plain["line"]
    annotation = write_findings(findings, "github")
    assert annotation.startswith(
        f"::error file={plain['file']},line={plain['line']},col=1,title=misspelt-key::"
    )
    assert "\n" not in annotation


def test_the_command_exits_by_the_worst_finding(tmp_path: Path) -> None:
    def lint(text: str, *arguments: str) -> int:
        path = write(tmp_path, text)
        runner = CliRunner(env=ENVIRONMENT)
        return runner.invoke(command, ["lint", str(path), *arguments]).exit_code

    warning = next(mistake.text for mistake in FILES if mistake.rule == "empty-value")
    assert lint(TEMPLATES) == 0
    assert lint(FILES[0].text) == 1
    assert lint(FILES[0].text, "--ignore", "misspelt-key") == 0
    assert (lint(warning), lint(warning, "--strict")) == (0, 1)
    assert lint(TEMPLATES, "--format", "yaml") == 2
    assert lint(TEMPLATES, "--ignore", "mispelt-key") == 2
