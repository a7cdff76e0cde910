"""The code in the documents does what they say: the notebook runs a small campaign, the rest looks at it."""

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from apcampaign import Campaign
from apcampaign.bps import Step
from apcampaign.monitor.outcomes import read_outcomes
from apcampaign.report.comparison import Tolerances, compare_objects, compare_sources
from apcampaign.report.comparison.catalogue_reader import CatalogueReader
from apcampaign.report.comparison.resumed import add_earlier_counts, add_earlier_troubles
from apcampaign.scripts.commands.compare import command as compare
from click.testing import CliRunner
from documents import DOCUMENTS, FENCED, ROOT, text_of
from nbclient import NotebookClient
from operators import COARSE, COARSE_DIFFIM, Operator, shell_environment
from page_shell import PageShell
from shell_lines import ShellBlock, find_missing, read_shell_blocks

DEADLINE = 600  # seconds, on two busy cores; it takes one or two minutes
pytestmark = pytest.mark.slow(minutes=3)

#: What of a process a library must leave alone.
STATE = """
import logging, os, sys

def state():
    root = logging.getLogger()
    return dict(os.environ), os.getcwd(), root.level, list(root.handlers), sys.stdout, sys.stderr
"""
#: Runs blocks of code in one process, and looks after each whether something of the process has changed.
RUNNER = f"""{STATE}
import json
from pathlib import Path

results = {{}}
for document, blocks in json.loads(Path("blocks.json").read_text()).items():
    names, changed = {{}}, []
    for number, block in enumerate(blocks):
        before = state()
        exec(compile(block, f"<block {{number}} of {{document}}>", "exec"), names)
        if state() != before:
            changed.append(block)
    results[document] = {{
        "changed": changed,
        "sources": len(names["sources"]),
        "objects": len(names["objects"]),
        "curve": [int(source) for source in names["curve"]["visit"]],
        "most_detected": names["most_detected"],
    }}
    if "summary" in names:
        summary = names["summary"]
        results[document] |= {{
            "same": names["comparison"].same,
            "good": summary.good,
            "rows": summary.apdb_rows,
            "table": len(names["table"]),
            "report": str(names["report"]),
        }}
Path("results.json").write_text(json.dumps(results))
"""
#: What a campaign does once; the notebook has done it.
ONCE = ("campaign.create_apdb()\n", "campaign.submit(foreground=True)")
#: Pages with campaigns of their own: those of tests/sandbox/test_run.py and tests/submit/test_injection.py.
OTHER_CAMPAIGN = ("dc2.md", "fakes.md")
#: What is not typed here, by what a campaign file and a line begin with, and why.
NOT_TYPED = {
    r"\S+ (?!apcampaign )": "no command of ours",
    r"\S+ apcampaign submit": "has jobs; the notebook has run some, and the tests of submissions do",
    r"\S+ apcampaign adopt": "takes over runs of `bps submit`, of which there are none; the tests of adoption do",
    r"\S+ apcampaign sandbox (?!score)": "makes a sandbox or starts servers; the tests of the sandbox do",
    r"\S+ apcampaign init(?!.* dc2/repo )": "needs a repository that is elsewhere; the tests of `init` do",
    r"\S+ apcampaign .*--(site|day-obs) ": "is for a site or a night that is elsewhere",
    r"\S+ apcampaign resume --(set|skip-failed)": "is for jobs that have failed; the tests of resumes do",
    r"\S+ apcampaign retire --run": "is refused while the associations of the run are in the APDB",
    r"\S+ apcampaign retire .*--everything": "takes three seconds to plan; the tests of retirements do",
    r"\S+ apcampaign lint --butler": "is for what was not submitted yet; the tests of `lint` do",
    r"\S+ apcampaign compare campaign.yaml --run": "is for two submissions, and there is one",
    r"campaign.yaml apcampaign check$": "is for a campaign that has not begun, such as the second of the tutorial",
    r"campaign.yaml apcampaign apdb init(?!.*--config)": "makes an APDB, which the campaign has",
}
#: What would change the campaign, or what is in its queue: its plan is shown instead.
PLANNED = r"apcampaign (cancel|resume|doctor --fix|apdb rollback|retire .*--)(?!.*--dry-run)"
INTERMEDIATES = "--type 'difference_image' --keep 'preliminary_visit_image'"
#: What is typed as the longer form that a page gives too, which does the same and more.
LONGER = {
    r"(apcampaign compare \S+ \S+)$": r"\1 --output comparison.html",
    r"(apcampaign retire --intermediates)( --dry-run)?$": rf"\1 {INTERMEDIATES}",
    r"(apcampaign doctor)$": r"\1 --fix",
}
#: What a page shows of a campaign in another state than this one: by its commands and what they print.
OTHER_STATE = {
    r"(tutorial|howto).md .*failures": "a job has failed",
    r"tutorial.md .*resume": "a job has failed",
    r"apdb.md .*(1 finding|rollback)": "an association is not recorded",
    r"compare.md .*threshold": "the other campaign has another threshold",
    r"retire.md .*summary": "it was retired",
}
#: Exit codes other than 0, and why.
EXIT_CODES = {
    r"apcampaign cancel": (1, "would be refused: there is nothing in a queue"),
    r"apcampaign check --tracts": (1, "there is nothing in that tract"),
    r"apcampaign resume": (1, "would be refused: there is nothing to resume"),
    r"apcampaign sandbox score": (1, "on two visits not all goals are reached"),
}


@dataclass(frozen=True)
class Finished:
    """The notebook after it was executed, the campaign that it has run, and its APDB past all of our own code."""

    operator: Operator
    outputs: dict[str, Any]
    stored: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, sandbox: Any) -> Finished:
    """Execute the notebook in an empty folder: on a smaller sky, in few large jobs, else as it is written."""
    operator = Operator(tmp_path_factory.mktemp("notebook"), shell_environment(sandbox))
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    coarse = {"templates": COARSE, "diffim": COARSE_DIFFIM}
    parameters.source += (
        "\n\nfrom apcampaign.sandbox.survey import SandboxSize\n"
        "size = SandboxSize(tracts=(3828,), visits=2, detectors=(94,))\n"
        f"settings |= {coarse!r}\n"
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if cell.get("id") == "submit":
            # BPS changes environment, logging and working directory of its process, which must not be this one.
            cell.source = f"{STATE}\nbefore = state()\n{cell.source}\nassert state() == before"
    client = NotebookClient(
        notebook,
        timeout=DEADLINE,
        kernel_name="python3",
        resources={"metadata": {"path": str(operator.folder)}},
        coalesce_streams=True,
    )
    # What the sandbox needs, the notebook sets itself.
    mine = {"AP_PIPE_DIR", "DRP_PIPE_DIR", "DAF_BUTLER_CONFIG_PATH"}
    client.execute(env={name: value for name, value in operator.environment.items() if name not in mine})
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    return Finished(operator, outputs, read_apdb(operator.folder / "apdb.db"))


def read_apdb(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    queries = {
        "visits": "SELECT DISTINCT visit FROM DiaSource ORDER BY visit",
        "sources": "SELECT diaSourceId FROM DiaSource",
        "objects": "SELECT DISTINCT diaObjectId FROM DiaObject",
        "most": "SELECT diaObjectId, count(*) FROM DiaSource GROUP BY 1 ORDER BY 2 DESC",
    }
    with sqlite3.connect(file) as connection:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


@pytest.fixture(scope="module")
def results(finished: Finished) -> dict[str, Any]:
    """Run the code of python.md and tutorial.md on that campaign."""
    folder = finished.operator.folder
    blocks = {
        name: [
            code for language, code in FENCED.findall(text_of(ROOT / "docs" / name)) if language == "python"
        ]
        for name in ("python.md", "tutorial.md")
    }
    todo = [block for block in blocks["python.md"] if not any(call in block for call in ONCE)]
    assert len(todo) == len(blocks["python.md"]) - len(ONCE)
    (folder / "blocks.json").write_text(json.dumps({**blocks, "python.md": todo}))
    finished.operator.run(sys.executable, "-c", RUNNER, seconds=DEADLINE)
    content: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return content


def test_the_notebook_runs_alone_in_an_empty_folder(finished: Finished):
    summary, stored, outputs = finished.operator.summary(), finished.stored, finished.outputs
    assert summary["good"]
    assert len(stored["visits"]) == 2
    assert summary["apdb_rows"]["DiaSource"] == len(stored["sources"]) > 0
    said = f"{len(stored['sources'])} DiaSources of {len(stored['objects'])} DiaObjects\n"
    assert outputs["tables"][0].text == said
    assert "image/png" in outputs["light-curve"][0].data
    for cell in ("inspect", "check", "forecast", "plan", "status", "summary", "score"):
        assert "<table" in outputs[cell][-1].data["text/html"], cell
    assert not [output for found in outputs.values() for output in found if output.get("name") == "stderr"]
    assert Path(outputs["report"][0].text.strip()).is_file()


@pytest.mark.parametrize("document", ["python.md", "tutorial.md"])
def test_the_python_of_a_document_runs_from_top_to_bottom(document: str, finished: Finished, results):
    found, stored = results[document], finished.stored
    # Only what configures logging and drawing may change the process.
    assert [block for block in found["changed"] if "logging.basicConfig" not in block] == []
    assert found["sources"] == len(stored["sources"]) > 0
    assert found["objects"] == len(stored["objects"])
    counts = dict(stored["most"])
    assert counts[found["most_detected"]] == max(counts.values()) <= len(found["curve"])


def test_the_results_that_python_md_shows_are_those_of_the_campaign(finished: Finished, results):
    found = results["python.md"]
    assert found["good"]
    assert found["same"]
    assert found["table"] == found["rows"]["DiaSource"] == len(finished.stored["sources"])
    assert Path(found["report"]).stat().st_size > 10_000


def test_the_second_campaign_of_the_tutorial_takes_the_templates_of_the_first(finished: Finished, results):
    folder = finished.operator.folder
    assert (folder / "light-curve.png").stat().st_size > 10_000
    first, second = (
        Campaign.open(folder / name, environment={}).settings for name in ("campaign.yaml", "second.yaml")
    )
    assert second.steps == ("diffim",)
    assert second.diffim.templates == f"{first.root_collection}/templates"
    assert second.apdb == first.apdb


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the campaign's runs, with an APDB of its own that is a copy too."""
    runs = Path(shutil.copytree(finished.operator.folder / "runs", tmp_path / "runs"))
    shutil.copy(finished.operator.folder / "apdb.db", tmp_path)
    (config,) = runs.glob("*/apdb_config.yaml")
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**content, "db_url": f"sqlite:///{tmp_path}/apdb.db"}))
    return runs


def compare_runs(finished: Finished, other: Path, *words: str) -> tuple[int, dict[str, Any]]:
    folder = finished.operator.folder
    files = [str(folder / "campaign.yaml")] * 2
    arguments = [*files, "--runs", str(folder / "runs"), "--other-runs", str(other), "--json", *words]
    done = CliRunner().invoke(compare, arguments, catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def test_what_was_changed_in_an_apdb_is_counted_and_measured(
    finished: Finished, copied: Path, tmp_path: Path
):
    lost = sorted(finished.stored["sources"])[:2]
    with sqlite3.connect(tmp_path / "apdb.db") as connection:
        connection.executemany("DELETE FROM DiaSource WHERE diaSourceId = ?", lost)
        connection.execute(
            "UPDATE DiaSource SET psfFlux = psfFlux + psfFluxErr WHERE visit = ?",
            *finished.stored["visits"][1:],
        )
        shifted = connection.execute("SELECT changes()").fetchone()[0]
    page = tmp_path / "page.html"
    code, content = compare_runs(finished, copied, "--output", str(page))
    assert code == 1
    assert content["unread"] == []
    counts = content["dia_sources"]
    assert (counts["both"], counts["only_a"], counts["only_b"]) == (len(finished.stored["sources"]) - 2, 2, 0)
    flux = counts["shifts"]["flux"]
    assert (flux["changed"], flux["up"], flux["down"]) == (shifted, shifted, 0)
    counting = [each["aspect"] for each in content["differences"] if each["counts"]]
    assert counting == ["DiaSources", "DiaSources"] + ["score"] * (len(counting) - 2)
    assert "plot-sky" in page.read_text()


def test_an_apdb_that_cannot_be_read_is_not_taken_for_equal(finished: Finished, copied: Path, tmp_path: Path):
    (tmp_path / "apdb.db").unlink()
    code, content = compare_runs(finished, copied)
    assert (code, content["same"]) == (3, None)
    assert [each["aspect"] for each in content["unread"]] == ["DiaSources", "DiaObjects", "score"]
    assert all(str(tmp_path) in each["why"] for each in content["unread"])


def test_the_repository_holds_the_catalogues_of_the_apdb(finished: Finished):
    folder = finished.operator.folder
    campaign = Campaign.open(folder / "campaign.yaml", runs=folder / "runs", environment={})
    ledger = campaign.ledger()
    stored, made = (
        CatalogueReader(campaign.settings, ledger, ledger.current(), whole=whole) for whole in (True, False)
    )
    sources = stored.read_sources()
    assert sources["diaSourceId"].tolist() == sorted(number for (number,) in finished.stored["sources"])
    assert compare_sources(sources, made.read_sources(), Tolerances(flux=0, position=0, reliability=0)).same
    assert compare_objects(stored.read_objects(sources), made.read_objects(sources), Tolerances()).same


def test_what_earlier_runs_have_done_counts_for_those_that_continue_them(finished: Finished):
    folder = finished.operator.folder
    campaign = Campaign.open(folder / "campaign.yaml", runs=folder / "runs", environment={})
    (run,) = campaign.ledger().current(Step.DIFFIM)
    done = read_outcomes(run)
    troubles = add_earlier_troubles((), [run])
    assert troubles == list(done.troubles)
    assert add_earlier_counts({}, [run], troubles) == done.counts


def name_what_is_here(finished: Finished) -> dict[str, str]:
    """Give what stands here for what pages name: runs, visits, positions, databases, campaigns."""
    folder = finished.operator.folder
    ((visit,),) = finished.stored["visits"][-1:]
    (run,) = (folder / "runs" / "example" / "diffim").glob("*/bps.yaml")
    with sqlite3.connect(folder / "apdb.db") as connection:
        position = connection.execute("SELECT ra, dec FROM DiaObject ORDER BY nDiaSources DESC").fetchone()
    return {
        r"\bruns/\w+/": f"{folder}/runs/example/",
        r"\d{8}T\d{6}Z": run.parent.name,
        r"--visit \d+ --detector \d+": f"--visit {visit} --detector 94",
        r"--at \S+ \S+": "--at {} {}".format(*position),
        r"postgresql://\S+( --namespace \w+)?": "sqlite:///new.db",
        r"\b(weekly-\d+|plain|threshold-8)\.yaml": "campaign.yaml",
        r"compare campaign.yaml campaign-v2.yaml": "compare campaign.yaml campaign.yaml",
        r"\bmy-bps\.yaml": str(run),
        r"\bdc2-apdb\b": "night-1-apdb",
    }


def lines_to_type(block: ShellBlock, shell: PageShell, names: dict[str, str]) -> Iterator[str]:
    """Give the lines of a block that are typed, as they are typed."""
    for line in block.lines:
        if line.startswith("export APCAMPAIGN_"):
            shell.export(line)
        elif any(re.match(rule, f"{shell.campaign_file(line).name} {line}") for rule in NOT_TYPED):
            if "apcampaign submit" in line:
                shell.stand_in(line)
        else:
            for there, here in [*names.items(), *LONGER.items()]:
                line = re.sub(there, here, line)
            yield f"{line.replace(' --yes', '')} --dry-run" if re.match(PLANNED, line) else line


def test_the_shell_lines_of_the_documents_do_what_the_pages_say(finished: Finished, results, tmp_path):
    names = name_what_is_here(finished)
    typed: dict[tuple[str, str], tuple[int, str]] = {}
    wrong, found = [], 0
    for document in DOCUMENTS:
        if document.name in OTHER_CAMPAIGN:
            continue
        shell = PageShell(finished.operator, tmp_path / document.stem)
        for block in read_shell_blocks(document):
            printed = ""
            for line in lines_to_type(block, shell, names):
                key = shell.campaign(line), line
                if key not in typed:
                    typed[key] = shell.run(line)
                code, said = typed[key]
                printed += said
                expected = next((code for rule, (code, _) in EXIT_CODES.items() if re.match(rule, line)), 0)
                if code != expected:
                    wrong.append(f"{document.name}: {line} ended with {code}:\n{said}")
            page = " ".join([document.name, *block.lines, *block.shown])
            if printed and not any(re.match(rule, page) for rule in OTHER_STATE):
                missing = find_missing(block.shown, printed)
                found += len(block.shown) - len(missing)
                wrong += [f"{document.name}: {block.lines}: {each}" for each in missing]
    assert wrong == []
    assert (len(typed), found) == (43, 94)
