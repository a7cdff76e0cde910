"""Run a notebook in a new folder, and write its outputs into it: run_notebook.py NOTEBOOK."""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 1800  # seconds for a cell
#: Where folders are says nothing to others: the outputs name these instead.
SHOWN_FOLDER, SHOWN_CLONE = "/tmp/campaign", "/path/to/apcampaign"  # noqa: S108


def main() -> None:
    """Execute it."""
    file = Path(sys.argv[1])
    notebook = nbformat.read(file, as_version=4)
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        client = NotebookClient(
            notebook,
            timeout=DEADLINE,
            resources={"metadata": {"path": folder}},
            record_timing=False,
            coalesce_streams=True,
        )
        client.execute()
    # Else each version of Python would change the file.
    notebook.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(notebook).replace(folder, SHOWN_FOLDER).replace(str(ROOT), SHOWN_CLONE)
    file.write_text(text + "\n", encoding="utf-8")


main()
