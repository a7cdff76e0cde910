"""The Python API as its users see it: what it costs, and what it says."""

import pydoc
import subprocess
import sys

import pytest
from apcampaign import Campaign, CampaignApdb

HEAVY = {
    "lsst",
    "htcondor2",
    "classad2",
    "sqlalchemy",
    "pydantic",
    "pandas",
    "astropy",
    "numpy",
    "yaml",
    "rich",
}


@pytest.mark.parametrize("statement", ["import apcampaign", "from apcampaign import Campaign, CampaignApdb"])
def test_importing_it_loads_nothing_that_takes_time(statement):
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "apcampaign" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("owner", [Campaign, CampaignApdb])
def test_help_shows_sections_and_no_environment(owner):
    text = pydoc.plain(pydoc.render_doc(owner))
    assert "Parameters\n |  ----------" in text
    assert "Notes -----" not in text
    assert "environ(" not in text


def test_an_unknown_name_is_an_import_error():
    done = subprocess.run(
        [sys.executable, "-c", "from apcampaign import Campain"], capture_output=True, text=True, check=False
    )
    assert "cannot import name 'Campain'" in done.stderr
