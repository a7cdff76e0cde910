"""Sphinx settings: this folder as a site, made by ``make docs``."""

import importlib.metadata
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "apcampaign"
author = "the apcampaign developers"
release = importlib.metadata.version(project)
version = release

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_click",
    "sphinx_copybutton",
    "generated",
]
exclude_patterns = ["_ext"]

myst_heading_anchors = 4
nb_execution_mode = "off"  # tests/test_docs_run.py runs it
# Prompts are shown, and not copied.
copybutton_prompt_text = "$ "

# Docstrings name what they refer to in single backquotes, also commands.
default_role = "py:obj"
smartquotes_action = "qe"  # no dash instead of --option
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
numpydoc_show_class_members = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"apcampaign {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

linkcheck_ignore = [r".*(localhost|127\.0\.0\.1|example\.org).*"]
linkcheck_timeout = 20
