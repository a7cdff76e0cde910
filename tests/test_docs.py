"""The documents say what the code does."""

import re
from pathlib import Path

import pytest
from apcampaign.bps import ApdbSettings, Campaign, EmailSettings, NotifySettings, Ordering, StepSettings
from apcampaign.bps.loading import ENVIRONMENT
from apcampaign.scripts.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


def section(text: str, heading: str) -> str:
    return re.split(r"\n##+ ", text.split(heading, 1)[1], maxsplit=1)[0]


def keys_of_table(text: str) -> set[str]:
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("# The campaign file", Campaign),
        ("## A step", StepSettings),
        ("## The database", ApdbSettings),
        ("## Who is told", NotifySettings),
        ("### E-mail", EmailSettings),
    ],
)
def test_every_key_of_the_campaign_is_documented(heading, model):
    text = section((ROOT / "docs" / "campaign.md").read_text(), heading)
    assert keys_of_table(text) == {field.alias or name for name, field in model.model_fields.items()}


def test_every_order_of_visits_is_documented():
    text = section((ROOT / "docs" / "campaign.md").read_text(), "## The order of visits")
    assert keys_of_table(text) == set(Ordering)


def test_every_environment_variable_is_documented():
    text = (ROOT / "docs" / "campaign.md").read_text()
    assert set(ENVIRONMENT) <= keys_of_table(section(text, "## Environment"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_make_targets_that_the_documents_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in DOCUMENTS:
        for command in re.findall(r"(?:^|`)make ([a-z][a-z-]+)", document.read_text(), flags=re.MULTILINE):
            assert command in targets, f"{document.name}: make {command}"


def test_commands_that_the_documents_name_exist():
    for document in DOCUMENTS:
        for command in re.findall(
            r"(?:^|`)apcampaign ([a-z][a-z-]+)", document.read_text(), flags=re.MULTILINE
        ):
            assert command in COMMANDS, f"{document.name}: apcampaign {command}"
