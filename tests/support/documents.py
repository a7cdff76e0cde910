"""The documents of the project as text, notebooks too."""

__all__ = ["DOCUMENTS", "FENCED", "NOTEBOOKS", "ROOT", "commands_of", "text_of"]

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


def commands_of(document: str, *headings: str) -> str:
    """Give the shell commands of some sections of a document in `docs`, in the order in which they are typed."""
    sections = re.split(r"^## (.*)\n", (ROOT / "docs" / document).read_text(), flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    blocks = [code for each in headings for language, code in FENCED.findall(found[each]) if language == "sh"]
    return "\n".join(blocks)
