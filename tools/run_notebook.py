"""Run a notebook in a new folder, and write its outputs into it: run_notebook.py NOTEBOOK FOLDER."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 1800  # seconds for a cell


def main() -> None:
    """Execute it; the folder's name shows in its outputs, so it should be a neutral one."""
    file, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True)
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=DEADLINE,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    # Else each version of Python would change the file.
    notebook.metadata["language_info"] = {"name": "python"}
    # Where this clone is says nothing to others.
    text = nbformat.writes(notebook).replace(str(ROOT), "/path/to/apcampaign")
    file.write_text(text + "\n", encoding="utf-8")


main()
