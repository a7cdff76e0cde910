"""The code in docs/python.md and docs/campaign.ipynb does what they say, each on a small campaign."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from documents import FENCED, ROOT, text_of
from nbclient import NotebookClient
from operators import COARSE, COARSE_DIFFIM, Operator, write_campaign

DEADLINE = 600  # seconds, on two busy cores; it takes one or two minutes
pytestmark = pytest.mark.slow(minutes=2.5)

#: Runs blocks of code in one process, and looks after each whether something of the process has changed.
RUNNER = """
import json, logging, os, sys
from pathlib import Path

def state():
    root = logging.getLogger()
    return dict(os.environ), os.getcwd(), root.level, list(root.handlers), sys.stdout, sys.stderr

before = state()
names = {}
changed = []
for number, block in enumerate(json.loads(Path("blocks.json").read_text())):
    exec(compile(block, f"<block {number} of python.md>", "exec"), names)
    if state() != before:
        changed.append(block)
        before = state()

summary = names["summary"]
results = {
    "changed": changed,
    "good": summary.good,
    "rows": summary.apdb_rows,
    "sources": len(names["sources"]),
    "table": len(names["table"]),
    "objects": len(names["objects"]),
    "curve": [int(source) for source in names["curve"]["visit"]],
    "most_detected": names["most_detected"],
    "report": str(names["report"]),
    "findings": len(names["preflight"].findings),
    "runs": [run.name for run in names["submission"].runs],
}
Path("results.json").write_text(json.dumps(results))
"""


def read_apdb(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read what a campaign has left in its SQLite file, past all of our own code."""
    queries = {
        "visits": "SELECT DISTINCT visit FROM DiaSource ORDER BY visit",
        "sources": "SELECT diaSourceId FROM DiaSource",
        "objects": "SELECT DISTINCT diaObjectId FROM DiaObject",
        "most": "SELECT diaObjectId, count(*) FROM DiaSource GROUP BY 1 ORDER BY 2 DESC",
    }
    with sqlite3.connect(file) as connection:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


def test_the_code_of_python_md_runs_from_top_to_bottom(operator: Operator, sandbox):
    apdb = operator.folder / "apdb.db"
    settings: dict[str, Any] = {"tracts": [3828], "where": "detector = 94", "site": "parsl-local"}
    settings |= {"templates": COARSE, "diffim": COARSE_DIFFIM, "apdb": {"url": f"sqlite:///{apdb}"}}
    write_campaign(operator.folder, sandbox, **settings)
    text = text_of(ROOT / "docs" / "python.md")
    blocks = [code for language, code in FENCED.findall(text) if language == "python"]
    (operator.folder / "blocks.json").write_text(json.dumps(blocks))
    operator.run(sys.executable, "-c", RUNNER, seconds=DEADLINE)

    results = json.loads((operator.folder / "results.json").read_text())
    # Submitting, with BPS, has left the process as it was; only what configures the logging may change it.
    assert [block for block in results["changed"] if "logging.basicConfig" not in block] == []
    assert results["good"]
    assert results["runs"] == ["templates", "diffim"]
    assert results["findings"] > 0  # there was no APDB yet
    stored = read_apdb(apdb)
    assert len(stored["visits"]) == 2
    assert results["sources"] == results["table"] == results["rows"]["DiaSource"] == len(stored["sources"])
    assert results["sources"] > 0
    assert results["objects"] == len(stored["objects"])
    counts = dict(stored["most"])
    assert counts[results["most_detected"]] == max(counts.values()) <= len(results["curve"])
    assert Path(results["report"]).stat().st_size > 10_000
    summary = operator.summary()
    assert summary["good"]
    assert summary["apdb_rows"] == results["rows"]


def test_the_notebook_runs_alone_in_an_empty_folder(operator: Operator):
    """On a smaller sky, in few large jobs; all else is as it is written."""
    operator.folder.joinpath("campaign.yaml").unlink()
    notebook = nbformat.read(ROOT / "docs" / "campaign.ipynb", as_version=4)
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
    summary = operator.summary()
    assert summary["good"]
    stored = read_apdb(operator.folder / "apdb.db")
    assert len(stored["visits"]) == 2
    assert summary["apdb_rows"]["DiaSource"] == len(stored["sources"]) > 0
    said = f"{len(stored['sources'])} DiaSources of {len(stored['objects'])} DiaObjects\n"
    assert outputs["tables"][0].text == said
    assert "image/png" in outputs["light-curve"][0].data
    for cell in ("inspect", "check", "forecast", "plan", "status", "summary", "score"):
        assert "<table" in outputs[cell][-1].data["text/html"], cell
    assert not [output for found in outputs.values() for output in found if output.get("name") == "stderr"]
    assert Path(outputs["report"][0].text.strip()).is_file()
