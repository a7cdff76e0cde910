"""How the YAML of campaign and site files is read: nothing is lost or changed silently, and lines are named."""

from pathlib import Path

import pytest
import yaml
from apcampaign.bps import change_campaign, dump_campaign, load_campaign, load_site
from apcampaign.bps.planning import plan_campaign
from apcampaign.bps.query import LONGEST_ARGUMENT
from apcampaign.common.errors import SettingsError

BEGIN = "name: dc2\nbutler: /repo/dc2\ninCollection: 2.2i/defaults\n"  # lines 1 to 3


@pytest.fixture
def load(tmp_path: Path):
    def load(text: str, **arguments: object):
        path = tmp_path / "campaign.yaml"
        path.write_text(text)
        return load_campaign(path, **{"environment": {}, **arguments})

    return load


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        # Lost by YAML.
        (BEGIN + "name: other\n", 4, "name: this key is given twice, first in line 1"),
        (BEGIN + "bps: {a: 1, b: 2, a: 3}\n", 4, "bps.a: this key is given twice"),
        (
            BEGIN + "templates:\n  where: a = 1\n  where: b = 1\n",
            6,
            "templates.where: this key is given twice",
        ),
        (BEGIN + "---\nname: other\n", 4, "a second document begins here"),
        (BEGIN + "where: exposure.target = 'a #1' AND b = 2\n", 4, '"#1\' AND b = 2" is a comment'),
        (BEGIN + "templates:\n  pipeline: mine.yaml #coadds\n", 5, "'#coadds' is a comment"),
        # Changed by YAML.
        (BEGIN + "tracts: [3828, 0127]\n", 4, "reads 0127 as the number 87 (in base 8)"),
        (
            BEGIN + "bps:\n  requestWalltime: 72:00:00\n",
            5,
            "reads 72:00:00 as the number 259200 (in base 60)",
        ),
        (BEGIN + "bps: {LSST_VERSION: 2026_43}\n", 4, "reads 2026_43 as the number 202643"),
        (BEGIN + "dayObs: 2026-09-05\n", 4, "reads 2026-09-05 as a date; write it in quotes, or a night as"),
        (BEGIN + "bps:\n  on: 1\n", 5, "reads this key as true or false"),
        (BEGIN + "bps: {1: x}\n", 4, "reads this key as a number"),
        # Of another type than what was meant.
        (BEGIN + "bands: [g, no]\n", 4, "bands: False is not a text; YAML reads no as true or false"),
        (BEGIN + "operator: 0x1F\n", 4, "operator: 31 is not a text; YAML reads 0x1F as a number"),
        (BEGIN + "site: 1.10\n", 4, "site: 1.1 is not a text; YAML reads 1.10 as a number"),
        (BEGIN + "outCollection: {operator}\n", 4, "YAML reads what stands in braces as a mapping"),
        ("name: x\nbutler: ~\ninCollection: x\n", 2, "butler: there is no value"),
        (BEGIN + "tracts:\n", 4, "tracts: there is no value; write one, or remove the key"),
        # Not YAML.
        (BEGIN + "bps:\n\tsite: x\n", 5, "a tab stands where only spaces may"),
        (BEGIN + "where: 'a = 1\n", 4, "a quote that is opened here is not closed"),
        (BEGIN + "tracts: [3828\n", 4, "a bracket or brace is not closed"),
        (BEGIN + "where: a: b\n", 4, "a ': ' in a value; put the value in quotes"),
        (BEGIN + "where: *x\n", 4, "a value that begins with * is an alias"),
        (BEGIN + "site: !include x.yaml\n", 4, "YAML takes this for a tag"),
        (BEGIN + "site: x\x07\n", 4, "it holds the character"),
        ("name:dc2\nbutler: x\n", 2, "line 1 has no ': ' after its key"),
        (BEGIN + "  site: x\n", 4, "this line is indented more than the one before, which has a value"),
        ("[campaign]\nname = dc2\n", 2, "text follows where YAML has ended; expected lines such as"),
        (BEGIN + "? [a, b]\n: x\n", 4, "?: YAML reads this key as a list"),
        # Copied from a web page.
        (
            BEGIN + "diffim:\n\u00a0\u00a0ordering: total\n",
            5,
            "column 1 holds a character that cannot be seen (U+00A0",
        ),
        (
            BEGIN + "site: s3df\u200b  # x\n",
            4,
            "(U+200B, zero width space); write a space instead, or remove it",
        ),
        # Values that are not valid.
        (
            BEGIN + "templates:\n  # a comment\n  parts: many\n",
            6,
            "templates.parts: 'many' is neither 'auto' nor",
        ),
        (BEGIN + "tracts:\n- 3828\n- x\n", 6, "tracts: 'x' is not a whole number"),
        (BEGIN + "ordering: total\n", 4, "this key is unknown; it belongs to diffim"),
        (BEGIN + "templates: mine.yaml\n", 4, "templates: 'mine.yaml' is not a section"),
        (BEGIN + "prepareSlots: yes\n", 4, "True is not a whole number ≥ 1; YAML reads yes as true or false"),
    ],
)
def test_a_mistake_is_named_once_and_with_its_line(load, text, line, part):
    with pytest.raises(SettingsError) as caught:
        load(text)
    (said,) = str(caught.value).splitlines()
    assert f"campaign.yaml:{line}: " in said
    assert part in said


def test_the_place_of_what_is_not_utf8_is_named(tmp_path):
    (tmp_path / "campaign.yaml").write_bytes(BEGIN.encode() + b"where: caf\xe9\n")
    with pytest.raises(SettingsError, match=r"campaign.yaml:4: the campaign file is not UTF-8"):
        load_campaign(tmp_path / "campaign.yaml", environment={})


def test_secrets_are_not_repeated(load):
    with pytest.raises(SettingsError) as caught:
        load(BEGIN + "notify: {email: {to: a@b.org, password: 0127}}\n")
    assert "0127" not in str(caught.value)


def test_comments_and_words_that_are_what_they_look_like_are_taken(load):
    campaign = load(
        "\ufeff"
        + BEGIN
        + "where: detector < 3  # without\u00a0the wavefront sensors\nbps:  # nothing yet\ndiffim:\n"
        "apdb: {filled: yes}\ntemplates: {config: {'isr:x': 0x1F}, bps: {requestWalltime: '72:00:00'}}\n"
    )
    assert campaign.where == "detector < 3"
    assert campaign.apdb.filled
    assert campaign.templates.bps == {"requestWalltime": "72:00:00"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tracts: 3828..3830", (3828, 3829, 3830)),
        ("tracts: [3828..3829, 4431, 3829]", (3828, 3829, 4431)),
        ("tracts: 3828..3829 4431", (3828, 3829, 4431)),
        ("bands: gri", ("g", "r", "i")),
        ("bands: [gr, VR, N708]", ("g", "r", "VR", "N708")),
        ("dayObs: 20260905", (20260905,)),
        ("dayObs: 20260830..20260902", (20260830, 20260831, 20260901, 20260902)),
    ],
)
def test_ranges_and_bands_without_spaces_are_understood(load, tmp_path, text, value):
    key = text.partition(":")[0]
    campaign = load(BEGIN + text)
    assert campaign.model_dump(by_alias=True)[key] == value
    assert load(dump_campaign(campaign)) == campaign


@pytest.mark.parametrize("text", ["tracts: 5..3", "tracts: 1..999999", "dayObs: 20260931..20261002"])
def test_a_range_of_nothing_is_refused(load, text):
    with pytest.raises(SettingsError, match=r"is a range of too many|ends before it begins|is not a night"):
        load(BEGIN + text)


def test_several_nights_are_asked_for_at_once_and_name_no_single_one(load):
    (run, *_) = plan_campaign(load(BEGIN + "dayObs: 20260905..20260906"))
    assert "day_obs IN (20260905, 20260906)" in run.query
    with pytest.raises(SettingsError, match="several are given"):
        load(BEGIN.replace("dc2\n", "n-{day_obs}\n", 1), flags={("dayObs",): "20260905..20260906"})


def test_paths_may_name_the_home_folder_and_variables(load, monkeypatch):
    monkeypatch.setenv("HOME", "/home/jdoe")
    monkeypatch.setenv("REPOS", "/sdf/repos")
    text = BEGIN.replace("/repo/dc2", "$REPOS/dc2") + "templates: {pipeline: '~/mine.yaml#coadds'}\n"
    campaign = load(text + "apdb: {config: '${REPOS}/apdb.yaml'}\ndiffim: {pipeline: $AP_PIPE_DIR/x.yaml}\n")
    assert campaign.butler == "/sdf/repos/dc2"
    assert campaign.templates.pipeline == "/home/jdoe/mine.yaml#coadds"
    assert campaign.apdb.config == "/sdf/repos/apdb.yaml"
    assert campaign.diffim.pipeline == "$AP_PIPE_DIR/x.yaml"  # the release that is set up
    monkeypatch.delenv("REPOS")
    with pytest.raises(
        SettingsError, match=r"campaign.yaml:2: butler: .* names the variable REPOS, which is not"
    ):
        load(text)


def test_a_login_name_that_collections_cannot_hold_is_refused(load, monkeypatch):
    monkeypatch.setenv("LOGNAME", "SLAC\\jdoe")
    with pytest.raises(SettingsError, match="write operator: NAME"):
        load(BEGIN)
    assert load(BEGIN + "operator: jdoe").operator == "jdoe"


def test_a_query_that_no_command_can_take_is_refused_before_anything_runs(load):
    visits = ", ".join(str(2026_0905_00000 + number) for number in range(9000))
    campaign = load(BEGIN + f"templates:\n  where: visit IN ({visits})\n")
    with pytest.raises(SettingsError, match=r"templates: its data query has .* bytes"):
        plan_campaign(campaign)
    # Difference imaging gets a table of its raws instead.
    (run,) = plan_campaign(
        load(BEGIN + f"steps: [diffim]\ndiffim: {{templates: t, where: 'visit IN ({visits})'}}")
    )
    assert len(run.query) > LONGEST_ARGUMENT


@pytest.mark.parametrize("text", ["a=[1", "a: {", "x=0127"])
def test_a_setting_that_is_no_yaml_is_refused(load, text):
    with pytest.raises(SettingsError, match="--set"):
        change_campaign(load(BEGIN), [f"templates.{text}"])


def test_a_mistake_in_a_site_file_is_named_with_its_line(tmp_path):
    for text, said in (
        (
            "wmsServiceClass: x\ncomputeSite: no\n",
            r"site.yaml:2: computeSite cannot be False; .*reads no as true",
        ),
        (
            "wmsServiceClass: x\ncomputeSite: a\ncomputeSite: b\n",
            r"site.yaml:3: computeSite: .* first in line 2",
        ),
        (
            "wmsServiceClass: x\ncomputeSite: a\npassEnvironment: PATH\n",
            r"site.yaml:3: passEnvironment cannot be",
        ),
    ):
        (tmp_path / "site.yaml").write_text(text)
        with pytest.raises(SettingsError, match=said):
            load_site(str(tmp_path / "site.yaml"))


@pytest.mark.parametrize("name", ["x" * 300, "a/" + "x" * 300, "nowhere.yaml"])
def test_a_site_that_no_file_can_be_is_unknown(load, name):
    with pytest.raises(SettingsError, match=r"is unknown|there is no file|cannot be read"):
        load_site(load(BEGIN + yaml.safe_dump({"site": name})).site)
