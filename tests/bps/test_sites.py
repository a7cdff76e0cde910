"""The sites that come along: what people are told of them, and what BPS and its plugins make of them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from apcampaign.bps import Wms, build_config, list_sites, load_campaign, load_site, plan_campaign
from apcampaign.common.errors import SettingsError
from apcampaign.scripts.cli import command
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
PARSL = [name for name in list_sites() if load_site(name).wms is Wms.PARSL]


@pytest.mark.parametrize("name", list_sites())
def test_a_site_says_what_it_is_what_it_needs_what_has_run_there_and_where_that_comes_from(name):
    site = load_site(name)
    assert all((site.notes.title, site.notes.needs, site.notes.tried, site.notes.sources))
    assert "about" not in site.settings
    said = CliRunner().invoke(command, ["sites", name], catch_exceptions=False).output
    assert said.startswith(f"{name}: {site.notes.title}")
    assert all(text in said for text in (*site.notes.needs, site.notes.tried, *site.notes.sources))
    settings = said.partition("in a copy):\n")[2]
    assert yaml.safe_load(settings) == site.settings


def test_all_sites_are_listed_and_documented():
    listed = CliRunner().invoke(command, ["sites", "--json"], catch_exceptions=False).output
    assert [site["name"] for site in json.loads(listed)["sites"]] == [*list_sites()]
    rows = re.findall(
        r"^\| `([\w-]+)` \| (HTCondor|Parsl|PanDA) \|", (ROOT / "docs" / "sites.md").read_text(), re.MULTILINE
    )
    assert sorted((name, wms.lower()) for name, wms in rows) == [
        (name, str(load_site(name).wms)) for name in list_sites()
    ]
    table = CliRunner().invoke(command, ["sites"], catch_exceptions=False).output
    assert all(name in table for name in list_sites())


def test_notes_that_a_site_file_misspells_are_refused_with_the_valid_ones(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("wmsServiceClass: a.B\ncomputeSite: here\nabout:\n  titel: mine\n")
    with pytest.raises(SettingsError, match=r"about.titel: .*expected any of title, needs"):
        load_site(str(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSL)
def test_parsl_starts_with_the_settings_of_a_site_and_logs_where_its_jobs_are_read(name, tmp_path):
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
    from lsst.ctrl.bps.parsl.site import SiteConfig

    campaign = load_campaign(ROOT / "campaign.yaml", environment={})
    for run in plan_campaign(campaign).runs:
        config = build_config(
            campaign,
            run,
            load_site(name),
            submit_path=tmp_path / "submit",
            apdb_config="/runs/apdb.yaml",
            environment={},
        )
        bps = BpsConfig({**config, "operator": "me"}, search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
        parsl = SiteConfig.from_config(bps).get_parsl_config()
        assert parsl.run_dir == "runinfo"  # as in `apcampaign.monitor.parsl_log`
        assert parsl.retries == 0
        assert parsl.executors


LISTENERS = """
import sys

import parsl
import psutil
import yaml
from lsst.ctrl.bps import BpsConfig
from lsst.ctrl.bps.parsl.site import SiteConfig

site = SiteConfig.from_config(BpsConfig(yaml.safe_load(sys.stdin)))
with parsl.load(parsl.Config(executors=site.get_executors(), run_dir=sys.argv[1], initialize_logging=False)):
    me = psutil.Process()
    sockets = [each for one in (me, *me.children(recursive=True)) for each in one.net_connections("tcp")]
    listening = [each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN]
    print(*sorted({address.removeprefix("::ffff:") for address in listening}))
"""


@pytest.mark.slow
def test_parsl_on_this_machine_cannot_be_reached_from_others(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LISTENERS, tmp_path],
        input=yaml.safe_dump(load_site("parsl-local").settings),
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["127.0.0.1"], done.stderr
