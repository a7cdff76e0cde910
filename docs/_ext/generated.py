"""Parts of the site that are made from files of the code: the built-in sites.

What other documents have from the code is written into them by ``make reference``, since they are read without a
site too.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SITES = Path(__file__).resolve().parents[2] / "bps" / "sites"


def write_sites(folder: Path) -> str:
    """Write each site file with its name, in Markdown."""
    blocks = (
        f"### `{file.stem}`\n\n```yaml\n{file.read_text(encoding='utf-8')}```\n"
        for file in sorted(folder.glob("*.yaml"))
    )
    return "\n".join(blocks)


class SiteFiles(SphinxDirective):
    """The built-in site files, as they are."""

    def run(self) -> list[nodes.Node]:
        """Show them, and read the page again when one changes."""
        for file in SITES.glob("*.yaml"):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes(write_sites(SITES), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Give the directives to Sphinx."""
    app.add_directive("site-files", SiteFiles)
    return {"parallel_read_safe": True}
