"""The JSON Schema of campaign files says what the reader says."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from apcampaign.bps import SCHEMA_FILE, campaign_schema, dump_campaign, load_campaign, schema_text
from apcampaign.common.errors import SettingsError

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "campaign.yaml", *sorted((ROOT / "bps" / "campaigns").glob("*.yaml"))]
BEGIN = "name: x\nbutler: /repo\ninCollection: 2.2i/raw, refcats\n"


def takes(text: str) -> bool:
    return not [*jsonschema.Draft7Validator(campaign_schema()).iter_errors(yaml.safe_load(text))]


def test_the_schema_that_comes_along_is_that_of_the_model():
    assert SCHEMA_FILE.read_text() == schema_text(), "run `make reference`"
    jsonschema.Draft7Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_campaign_files_that_come_along_name_the_schema_and_keep_to_it(file):
    head = file.read_text().splitlines()[0]
    assert (file.parent / head.partition("$schema=")[2]).resolve() == SCHEMA_FILE.resolve()
    assert takes(file.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "tracts: 3828..3830\nbands: gri\ndayObs: 20260905\n",
        "tracts: [3828..3830, 4431]\nsteps: diffim\ndiffim: {templates: t}\n",
        "templates: {pipelineYaml: x, parts: 3, parameters: {a: null, b: 1.5}}\nbps:\nnotify: {email: a@b.org}\n",
        "site: sites/mine.yaml\napdb: {filled: true}\nnotify: {email: {to: [a@b.org]}, when: end}\n",
        # Not valid.
        "tract: 3828\n",
        "diffim: {ordering: totl}\n",
        "templates: {parts: many}\n",
        "tracts:\n",
        "allowMissingTemplates: 5%\n",
        "apdb: mine\n",
    ],
)
def test_the_schema_takes_what_the_reader_takes(tmp_path, text):
    path = tmp_path / "campaign.yaml"
    path.write_text(BEGIN + text)
    try:
        campaign = load_campaign(path, environment={})
    except SettingsError:
        assert not takes(BEGIN + text)
    else:
        assert takes(BEGIN + text)
        assert takes(dump_campaign(campaign))
        assert f"$schema={SCHEMA_FILE}" in dump_campaign(campaign).splitlines()[0]


def test_every_key_is_described():
    schema = campaign_schema()
    for section in (schema, *schema["definitions"].values()):
        for key, entry in section.get("properties", {}).items():
            assert entry["description"], key
