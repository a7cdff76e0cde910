"""The campaign file: what it may hold, what overrides it, and what is said of a mistake."""

from pathlib import Path

import pytest
import yaml
from apcampaign.bps import CampaignConfig, change_campaign, dump_campaign, load_campaign
from apcampaign.common.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = {"name": "dc2", "butler": "/repo/dc2", "tracts": [3828], "inCollection": "2.2i/defaults"}


@pytest.fixture
def write(tmp_path: Path):
    def write(**changes: object) -> Path:
        path = tmp_path / "campaign.yaml"
        path.write_text(yaml.safe_dump({**MINIMAL, **changes}))
        return path

    return write


def load(path: Path, **arguments: object) -> CampaignConfig:
    return load_campaign(path, **{"environment": {}, **arguments})


def test_the_campaign_that_comes_with_the_project_is_the_one_of_the_guide():
    campaign = load(ROOT / "campaign.yaml")
    assert campaign.butler == "/repo/dc2"
    assert campaign.tracts == (3828, 3829)
    assert campaign.input_collections == ("2.2i/defaults/test-med-1",)
    assert (campaign.instrument, campaign.skymap) == ("LSSTCam-imSim", "DC2")


def test_what_is_nearer_wins(write):
    path = write(site="s3df", tracts=[1])
    environment = {"APCAMPAIGN_SITE": "local", "APCAMPAIGN_TRACTS": "2 3"}
    assert load(path).tracts == (1,)
    assert load(path).skymap == "DC2"
    assert load(path, environment=environment).tracts == (2, 3)
    assert load(path, environment=environment, flags={("tracts",): "4,5"}).tracts == (4, 5)
    assert load(path, environment=environment, flags={("tracts",): None}).site == "local"
    assert load(path, environment={"APCAMPAIGN_SITE": ""}).site == "s3df"


def test_a_database_given_nearer_replaces_a_ready_configuration(write):
    path = write(apdb={"config": "label:prod"})
    assert load(path).apdb.config == "label:prod"
    campaign = load(path, environment={"APCAMPAIGN_DB": "postgresql://me@host/db"})
    assert (campaign.apdb.config, campaign.apdb.url) == (None, "postgresql://me@host/db")


def test_the_words_of_the_guide_are_understood(write):
    campaign = load(
        write(
            outCollection="u/{operator}/x",
            operator="me",
            templates={"pipelineYaml": "mine.yaml", "dataQuery": "tract = 3829 AND patch = 47"},
        )
    )
    assert campaign.root_collection == "u/me/x"
    assert campaign.templates.pipeline == "mine.yaml"
    assert campaign.templates.data_query == "tract = 3829 AND patch = 47"


MISTAKES = [
    (
        {"tract": [3828]},
        "tract: this key is unknown; did you mean 'tracts'? valid keys here are name, butler,",
    ),
    (
        {"diffim": {"pipeline": "a", "pipelin": "b"}},
        "diffim.pipelin: this key is unknown; did you mean 'pipeline'?",
    ),
    (
        {"diffim": {"ordering": "visit"}},
        "diffim.ordering: 'visit' is unknown; valid are overlap, total, none",
    ),
    ({"diffim": {"ordering": "Totla"}}, "'Totla' is unknown; did you mean 'total'? valid are overlap,"),
    ({"diffim": {"ordering": True}}, "diffim.ordering: True is unknown; valid are overlap, total, none"),
    ({"diffim": {"qgraphOptions": "—prune x"}}, "'—prune' begins with a —; options begin with plain hyphens"),
    ({"notify": {"when": "ends"}}, "notify.when: 'ends' is unknown; did you mean 'end'?"),
    ({"notify": "me@example.org"}, "notify: it is not a section; expected lines such as"),
    (
        {"apdb": {"uri": "x"}},
        "apdb.uri: this key is unknown; did you mean 'url'? valid keys here are url, namespace",
    ),
    ({"tracts": []}, "tracts: the list is empty"),
    ({"tracts": ["3828a"]}, "tracts: '3828a' is not a whole number"),
    ({"tracts": [38.5]}, "tracts: 38.5 is not a whole number"),
    ({"tracts": [-1]}, "tracts: -1 is not a whole number"),
    ({"tracts": [[3828, 3829]]}, "tracts: [3828, 3829] is not a whole number"),
    ({"tracts": [10**20]}, "tracts: there is no tract 100000000000000000000; expected"),
    ({"tracts": [True]}, "tracts: True is not a whole number"),
    ({"prepareSlots": 0}, "prepareSlots: 0 is not a whole number ≥ 1"),
    ({"prepareSlots": True}, "prepareSlots: True is not a whole number ≥ 1"),
    ({"templates": {"parts": True}}, "templates.parts: True is neither 'auto' nor a whole number ≥ 1"),
    ({"dayObs": "2026-09-05"}, "dayObs: '2026-09-05' is not a night; expected such as 20260905, or a range"),
    ({"apdb": {"filled": "maybe"}}, "apdb.filled: 'maybe' is neither true nor false"),
    (
        {"tracts": "3830..3828"},
        "'3830..3828' ends before it begins; expected FIRST..LAST, such as 3828..3830",
    ),
    ({"operator": "Jürgen Müller"}, "cannot be a part of collections and files; write operator: NAME with"),
    ({"skymap": "DC 2"}, "skymap: 'DC 2' is not a name; expected letters, digits,"),
    ({"butler": ""}, "butler: the text is empty"),
    ({"bands": ["g", "it's"]}, 'bands: "it\'s" is not a band; expected a name such as g, VR or N708'),
    ({"name": "a b"}, "name: 'a b' is not a campaign name"),
    ({"inCollection": "2.2i//x"}, "inCollection: '2.2i//x' is not a collection name"),
    ({"inCollection": "it's"}, 'inCollection: "it\'s" is not a collection name'),
    ({"inCollection": []}, "inCollection: the list is empty"),
    (
        {"outCollection": "u/{user}/x"},
        "outCollection: {user} is unknown in 'u/{user}/x'; valid are {operator}",
    ),
    ({"outCollection": "u/me x"}, "is not a collection name"),
    ({"dayObs": 20261341}, "dayObs: 20261341 is not a night; expected YYYYMMDD, such as 20260905"),
    ({"name": "night-{day_obs}"}, "'night-{day_obs}' names the night, and none is given"),
    ({"where": "band = 'g"}, 'where: "band = \'g" has an unbalanced quote'),
    ({"where": "(visit > 3"}, "where: '(visit > 3' has unbalanced parentheses"),
    ({"where": 'band = "g"'}, "BPS puts the query between double quotes"),
    ({"where": "visit = {v}"}, "BPS would replace what is in braces"),
    ({"diffim": {"pipeline": "p", "where": "a = 1", "dataQuery": "b = 2"}}, "not both"),
    ({"apdb": {"url": "mysql://host/db"}}, "apdb.url: 'mysql://host/db' is not an APDB URL"),
    ({"apdb": {"url": "postgresql://h/d", "config": "label:x"}}, "not both"),
    ({"butler": None}, "butler:"),
    (
        {"steps": ["diffim"]},
        "the 'steps' make no templates; write the collection that holds them as 'templates' of",
    ),
    (
        {"diffim": {"templates": "u/x"}},
        "diffim.templates: this is for a campaign that makes no templates; write steps: [diffim]",
    ),
    (
        {"instrument": "HSC", "templates": {"pipeline": "a"}},
        "the default of skymap and diffim.pipeline is for LSSTCam-imSim, and the instrument is HSC",
    ),
    ({"injection": {"catalog": "u/x/fakes.csv"}}, "is a file, and tasks read catalogues from the repository"),
    ({"injection": {}}, "injection.catalog: this key is missing"),
    (
        {"injection": {"catalog": "u/x", "radius": 0}},
        "injection.radius: 0 is not a number of arcseconds above 0",
    ),
    (
        {"injection": {"catalog": "u/x", "edge": -1.5}},
        "injection.edge: -1.5 is not a number of arcseconds ≥ 0",
    ),
    ({"injection": {"catalog": "u/x", "edges": 1}}, "did you mean 'edge'?"),
    ({"injection": {"catalog": "u/x"}, "apdb": {"config": "label:x", "filled": True}}, "an APDB of its own"),
    ({"injection": {"catalog": "u/x"}, "steps": "templates"}, "add diffim to 'steps'"),
    ({"allowMissingTemplates": -0.5}, "allowMissingTemplates: -0.5 is not a number from 0 to 100"),
    ({"allowMissingTemplates": 101}, "allowMissingTemplates: 101 is not a number from 0 to 100"),
    ({"allowMissingTemplates": True}, "allowMissingTemplates: True is not a number from 0 to 100"),
    ({"steps": []}, "steps: the list is empty"),
    ({"steps": ["difim"]}, "steps: 'difim' is unknown; did you mean 'diffim'?"),
    (
        {"bps": {"payload": {"output": "u/x"}}},
        "bps: payload.output is set by apcampaign; write its beginning as",
    ),
    ({"bps": {"outputRun": "u/x/{timestamp}"}}, "bps: outputRun is set by apcampaign"),
    (
        {"diffim": {"pipeline": "p", "bps": {"pipelineYaml": "q"}}},
        "diffim.bps: pipelineYaml is set by apcampaign",
    ),
    (
        {"bps": {"submitPath": "/x"}},
        "submitPath is set by apcampaign; choose the folder of all runs with --runs",
    ),
    ({"bps": {"payload": {"inCollection": "x"}}}, "payload.inCollection is set by apcampaign"),
    ({"bps": {"payload": {"dataQuery": "visit = 1"}}}, "payload.dataQuery is set by apcampaign"),
    (
        {"bps": {"payload": {"butlerConfig": "x"}}},
        "payload.butlerConfig is set by apcampaign; write it as 'butler'",
    ),
    ({"bps": {"wmsServiceClass": "x"}}, "wmsServiceClass is set by apcampaign; write it in a site file"),
    (
        {"bps": {"extraQgraphOptions": "--skip-existing-in u/x"}},
        "bps: extraQgraphOptions: the option --skip-existing-in is set by apcampaign; remove it",
    ),
    (
        {"diffim": {"pipeline": "p", "qgraphOptions": "-c parameters:apdb_config=x"}},
        "diffim.qgraphOptions: parameters:apdb_config is set by apcampaign; write it as 'config' of 'apdb'",
    ),
    (
        {"diffim": {"pipeline": "p", "parameters": {"apdb_config": "x"}}},
        "diffim.parameters.apdb_config: parameters:apdb_config is set by apcampaign",
    ),
    ({"templates": {"pipeline": "p", "qgraphOptions": "-iu/x"}}, "the option -i is set by apcampaign"),
    ({"templates": {"pipeline": "p", "qgraphOptions": "--output-run=u/x"}}, "the option --output-run is set"),
    (
        {"templates": {"pipeline": "p", "runOptions": "--qgraph-node-id 1"}},
        "the option --qgraph-node-id is set",
    ),
    ({"templates": {"pipeline": "p", "runOptions": "--debug 'x"}}, "close every quote"),
    (
        {"templates": {"pipeline": "p", "config": {"isr.x": 1}}},
        "'isr.x' names no field; expected label:field",
    ),
    ({"templates": {"pipeline": "p", "parameters": {"x": "{a}"}}}, "holds a brace"),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES, ids=[sentence[:40] for _, sentence in MISTAKES])
def test_a_mistake_is_named_with_its_key_and_what_is_valid(write, change, sentence):
    with pytest.raises(SettingsError) as caught:
        load(write(**change))
    assert sentence in str(caught.value)
    assert "campaign.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [diffim]\n", ":4: steps: the 'steps' make no templates"),
        ("instrument: LSSTCam\n", ":4: instrument: the default of skymap and"),
        ("site: s3fd\n", ":4: site: 's3fd' is unknown; did you mean 's3df'? expected one of htcondor,"),
        (
            "templates:\n  config:\n    calibrateImage: {foo: 3}\n",
            ":6: templates.config.calibrateImage: 'calibrateImage' names no field",
        ),
        ("bps:\n  payload:\n    output: u/x\n", ":6: bps: payload.output is set by apcampaign"),
        (
            "diffim:\n  bps:\n    extraQgraphOptions: -i x\n",
            ":6: diffim.bps: extraQgraphOptions: the option -i",
        ),
        ("diffim:\n  where: a = 1\n  dataQuery: b = 2\n", ":6: diffim.dataQuery: give 'where'"),
        ("apdb:\n  url: sqlite:////x\n  config: label:x\n", ":6: apdb.config: give 'url'"),
    ],
)
def test_what_does_not_fit_the_rest_is_named_with_its_line(tmp_path, text, said):
    path = tmp_path / "campaign.yaml"
    path.write_text(f"name: a\nbutler: /repo\ninCollection: 2.2i/raw\n{text}")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert f"{path}{said}" in str(caught.value)


def test_an_unknown_site_of_the_command_line_is_no_mistake_of_the_file(write):
    with pytest.raises(SettingsError, match=r"the command line: site: 'nosite' is unknown"):
        load(write(site="s3df"), flags={("site",): "nosite"})


def test_a_section_of_a_step_may_leave_out_the_pipeline(write):
    campaign = load(write(templates={"where": "visit < 3"}, diffim={"ordering": "total"}))
    assert (campaign.templates.pipeline, campaign.diffim.pipeline) == (
        "ApTemplate-DC2.yaml",
        "ApPipe-DC2.yaml",
    )


def test_bands_of_any_camera_are_taken(write):
    assert load(write(bands="VR N708,g")).bands == ("VR", "N708", "g")


def test_the_night_is_written_wherever_it_is_named_but_in_settings_of_bps(write):
    path = write(
        name="night-{day_obs}",
        dayObs=20260905,
        inCollection=["raw", "prompt/{day_obs}"],
        diffim={"skipExistingIn": "prompt/{day_obs}", "bps": {"templateDataId": "{day_obs}_{visit}"}},
    )
    for environment, night in (({}, 20260905), ({"APCAMPAIGN_DAY_OBS": "20260906"}, 20260906)):
        campaign = load(path, environment=environment)
        assert (campaign.name, campaign.day_obs) == (f"night-{night}", (night,))
        assert campaign.input_collections == ("raw", f"prompt/{night}")
        assert campaign.diffim.skip_existing == (f"prompt/{night}",)
        assert campaign.diffim.bps == {"templateDataId": "{day_obs}_{visit}"}


def test_a_changed_setting_must_not_undo_what_is_ours_either(write):
    with pytest.raises(SettingsError, match=r"--set 'diffim.payload.output=u/x': payload.output is set by"):
        change_campaign(load(write()), ["diffim.payload.output=u/x"])


def test_values_for_the_pipeline_are_kept_by_the_copy_of_a_campaign(write, tmp_path):
    step = {"pipeline": "p", "parameters": {"a": None, "b": 1.0}, "config": {"isr:x": True, "isr:y": [1, 2]}}
    campaign = load(write(diffim=step))
    (tmp_path / "copy.yaml").write_text(dump_campaign(campaign))
    assert load(tmp_path / "copy.yaml").diffim == campaign.diffim
    assert campaign.diffim.overrides[1::2] == [
        "parameters:a=None",
        "parameters:b=1.0",
        "isr:x=True",
        "isr:y=[1, 2]",
    ]


def test_all_mistakes_are_named_at_once(write):
    with pytest.raises(SettingsError) as caught:
        load(write(tracts=[], bands=["q'"], name=""), environment={"APCAMPAIGN_TRACTS": "x"})
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("$APCAMPAIGN_TRACTS: tracts: 'x'")
    assert [line.split(": ")[0].rpartition("campaign.yaml:")[2] for line in lines[1:]] == ["2", "5"]


@pytest.mark.parametrize(
    "url", ["postgresql://me:hunter2@host/db", "postgresql://me@host/db?password=hunter2"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(write, url):
    with pytest.raises(SettingsError) as caught:
        load(write(apdb={"url": url}))
    assert "~/.pgpass" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text("[1, 2]")
    with pytest.raises(SettingsError, match="campaign file"):
        load(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "includeConfigs: [x.yaml]\npayload: {inCollection: x}\n",
            "is a BPS submit file, not a campaign file",
        ),
        ("computeSite: x\nwmsServiceClass: y\n", "is a site file, not a campaign file"),
        ("description: x\ntasks: {isr: lsst.ip.isr.IsrTask}\n", "name it as 'pipeline' of a step"),
        ("implementation_type: sql\ndb_url: x\n", "is the configuration of an APDB, not a campaign file"),
        ("samples: {a: x}\nthreads: 4\n", "it has none of its keys (samples, threads)"),
        ("# nothing yet\n", "campaign.yaml is empty"),
    ],
)
def test_a_file_of_another_kind_is_told_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 1
    assert sentence in str(caught.value)


def test_valid_keys_are_listed_once(write):
    with pytest.raises(SettingsError) as caught:
        load(write(colour="blue", shape="round"))
    first, second = str(caught.value).splitlines()
    assert "valid keys here are name, butler" in first
    assert second.endswith("shape: this key is unknown")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"there is no campaign file .*nowhere"):
        load(tmp_path / "nowhere.yaml")


def test_a_query_may_hold_parentheses_inside_strings(write):
    assert load(write(where="target = 'a)'")).where == "target = 'a)'"


def test_paths_are_relative_to_the_file_and_names_of_ours_and_aliases_stay(write, tmp_path, monkeypatch):
    for name in ("repo", "sites", "embargo"):
        (tmp_path / name).mkdir()
    for name in ("sites/mypool.yaml", "Mine.yaml", "apdb_config.yaml", "memory.yaml", "ApPipe-DC2.yaml"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir("/")
    campaign = load(
        write(
            butler="../" + tmp_path.name + "/repo",
            site="sites/mypool.yaml",
            templates={"pipeline": "Mine.yaml#makeTemplate"},
            diffim={
                "pipeline": "ApPipe-DC2.yaml",
                "bps": {"includeConfigs": ["memory.yaml", "$X/more.yaml"]},
            },
            apdb={"config": "apdb_config.yaml"},
        )
    )
    assert campaign.butler == str(tmp_path / "repo")
    assert campaign.site == str(tmp_path / "sites/mypool.yaml")
    assert campaign.templates.pipeline == f"{tmp_path / 'Mine.yaml'}#makeTemplate"
    assert campaign.diffim.pipeline == "ApPipe-DC2.yaml"
    assert campaign.diffim.bps["includeConfigs"] == [str(tmp_path / "memory.yaml"), "$X/more.yaml"]
    assert campaign.apdb.config == str(tmp_path / "apdb_config.yaml")
    assert load(write(butler="embargo", site="local")).butler == "embargo"
