"""The documents of the project as text, notebooks too."""

__all__ = ["DOCUMENTS", "FENCED", "NOTEBOOKS", "ROOT", "text_of"]

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs").glob("**/*.ipynb"))
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob(".github/**/*.md"), *(ROOT / "docs").glob("**/*.md"), *NOTEBOOKS]
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def text_of(document: Path) -> str:
    """Read a document; the code of a notebook comes as blocks of Python between its text, without outputs."""
    if document.suffix != ".ipynb":
        return document.read_text()
    cells = json.loads(document.read_text())["cells"]
    return "\n\n".join(
        source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"
        for cell in cells
        for source in ["".join(cell["source"])]
    )
