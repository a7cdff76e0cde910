"""The documents say what the code does."""

import ast
import getpass
import inspect
import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from apcampaign import Campaign, CampaignApdb
from apcampaign.bps import (
    ApdbSettings,
    CampaignConfig,
    EmailSettings,
    InjectionSettings,
    NotifySettings,
    Ordering,
    StepSettings,
)
from apcampaign.bps.campaign import DiffimSettings
from apcampaign.bps.loading import ENVIRONMENT
from apcampaign.scripts.cli import COMMANDS
from apcampaign.scripts.cli import command as apcampaign
from documents import DOCUMENTS, FENCED, NOTEBOOKS, ROOT, commands_of, text_of
from shell_lines import read_shell_blocks

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
#: Options that name a campaign, and are documented with the campaign file.
COMMON = {
    "--campaign",
    "--runs",
    "--butler",
    "--tracts",
    "--bands",
    "--day-obs",
    "--site",
    "--namespace",
    "--json",
}
#: Options of other programs.
FOREIGN = {
    "--rebase",
    "--hist",
    "--id",
    "--now",
    "--skip-existing-in",
    "--user",
    "--format",
    "--dataset-query-constraint",
    "--retained-dataset-types",
    "--prune-unanchored-quanta",
    "--qgraph",
    "--qgraph-datastore-records",
    "--no-raise-on-partial-outputs",
    "--raise-on-partial-outputs",
    "--checkouts",
    "--write",
}


def section(text: str, heading: str) -> str:
    return re.split(r"\n##+ ", text.split(heading, 1)[1], maxsplit=1)[0]


def keys_of_table(text: str) -> set[str]:
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def test_what_is_made_from_the_code_is_as_the_code():
    tool = runpy.run_path(str(ROOT / "tools" / "renew_reference.py"))
    documents = {path: text_of(path) for path in DOCUMENTS if path.suffix == ".md"}
    for path, text in documents.items():
        assert tool["renew"](text) == text, f"{path.name}: run `make reference`"
    used = re.findall(r"<!-- from the code: (.*?) -->", "".join(documents.values()))
    assert sorted(used) == sorted(tool["PARTS"])


def test_every_key_of_the_campaign_is_documented():
    documented = keys_of_table((ROOT / "docs" / "campaign.md").read_text())
    for model in (
        CampaignConfig,
        StepSettings,
        DiffimSettings,
        InjectionSettings,
        ApdbSettings,
        NotifySettings,
        EmailSettings,
    ):
        keys = {field.alias or name for name, field in model.model_fields.items()}
        assert keys <= documented, model


def test_every_order_of_visits_is_documented():
    text = section((ROOT / "docs" / "campaign.md").read_text(), "## The order of visits")
    assert keys_of_table(text) == set(Ordering)


def test_every_environment_variable_is_documented():
    text = (ROOT / "docs" / "campaign.md").read_text()
    assert set(ENVIRONMENT) <= keys_of_table(section(text, "## Environment"))


def anchors_of(document: Path) -> set[str]:
    """Name the headings of a document as links do."""
    headings = re.findall(r"^#+ (.*)", text_of(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document):
    for target, _, anchor in (
        link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text_of(document))
    ):
        if not target.startswith(("http://", "https://")):
            file = document.parent / target if target else document
            assert file.exists(), target
            assert not anchor or anchor in anchors_of(file), f"{target}#{anchor}"


def test_every_document_is_in_the_table_of_contents():
    contents = (ROOT / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^[\w-]+$", contents, flags=re.MULTILINE))
    assert listed == {path.stem for path in DOCUMENTS if path.parent.name == "docs"} - {"index"}


def test_files_that_the_documents_name_exist():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"runs", "configs", "demo"}
    for document in DOCUMENTS:
        for name in re.findall(r"`([\w./-]+/[\w.-]*)`", text_of(document)):
            if name.split("/")[0] in folders and document.name not in ("lint.md", "raw-bps.md"):
                assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_make_targets_that_the_documents_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in DOCUMENTS:
        for command in re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text_of(document), flags=re.MULTILINE):
            assert command in targets, f"{document.name}: make {command}"


def command_lines_of(document: Path) -> Iterator[str]:
    """Find what is written as a command: in a block of code, or in back quotes."""
    text = text_of(document)
    code = [line for _, block in FENCED.findall(text) for line in block.splitlines()]
    code += re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    for line in code:
        if found := re.match(
            r"[$ ]*(?:.*(?:&& |\(|run: |entry: ))?(?:\S*bin/)?(apcampaign [a-z][^#|)]*)", line
        ):
            yield found[1]


def test_what_is_removed_in_the_clone_is_named_as_the_clone_has_it():
    commands = commands_of("install.md", "Removing all traces")
    assert "bin/apcampaign sandbox" in commands
    assert not re.findall(r"^apcampaign", commands, flags=re.MULTILINE)  # .venv/bin is not on PATH


def find_commands(words: list[str]) -> list[click.Command]:
    """Find the commands that a line names, the innermost last."""
    found: list[click.Command] = [apcampaign]
    for word in words:
        if isinstance(found[-1], click.Group):
            inner = found[-1].get_command(click.Context(found[-1]), word)
            if inner is None and not word.startswith(("-", "[")):
                break
            found += [inner] if inner else []
    return found


def options_of(command: click.Command) -> set[str]:
    options = [option for param in command.params for option in (*param.opts, *param.secondary_opts)]
    if isinstance(command, click.Group) and "both" in command.list_commands(click.Context(command)):
        options += options_of(command.commands["both"])  # whose options it takes as its own
    return {*options, "--help", "--version"}


@pytest.fixture(scope="module")
def all_options() -> set[str]:
    def collect(command: click.Command) -> Iterator[str]:
        yield from options_of(command)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                if inner := command.get_command(context, name):
                    yield from collect(inner)

    return set(collect(apcampaign))


def test_commands_that_the_documents_name_exist_with_their_options():
    lines = [(document, line) for document in DOCUMENTS for line in command_lines_of(document)]
    assert len(lines) > 100
    for document, line in lines:
        words = line.split()[1:]
        assert words[0] in COMMANDS, f"{document.name}: {line}"
        known = {option for command in find_commands(words) for option in options_of(command)}
        assert set(OPTION.findall(line)) <= known, f"{document.name}: {line}"


def texts_of_the_code() -> Iterator[tuple[Path, int, str, bool]]:
    """Find the texts in the code, with X for what is filled in, and whether each is a remedy."""
    for path in sorted(
        file for package in ROOT.glob("*/__init__.py") for file in package.parent.rglob("*.py")
    ):
        tree = ast.parse(path.read_text())
        remedies = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == "remedy"
            for part in ast.walk(node.value)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
                yield path, node.lineno, "".join(map(str, parts)), id(node) in remedies
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.lineno, node.value, id(node) in remedies


def test_commands_that_messages_name_exist_with_their_options(all_options):
    named, wrong = 0, []
    for path, line, text, is_remedy in texts_of_the_code():
        for command in re.findall(r"`(apcampaign [^`]+)`", text):
            words = command.split()[1:]
            found = find_commands(words)
            known = {option for each in found for option in options_of(each)}
            named += 1
            rest = words[len(found) - 1 :] if isinstance(found[-1], click.Group) else []
            unknown = bool(rest) and re.fullmatch(r"[a-z-]+", rest[0]) and not rest[0].startswith("-")
            if words[0] != "X" and (unknown or not set(OPTION.findall(command)) <= known):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {command}")
        if is_remedy and not set(OPTION.findall(text)) <= all_options | FOREIGN:
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {text}")
    assert wrong == []
    assert named > 100


def test_messages_name_no_page_which_an_installation_does_not_have():
    named = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, line, text, _ in texts_of_the_code()
        if re.search(r"\bdocs/\w+\.md", text) and "\n" not in text  # those of several lines are docstrings
    ]
    assert named == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_options_that_a_document_names_exist(document, all_options):
    code = re.findall(r"`([^`\n]+)`", FENCED.sub("", text_of(document)))
    named = {option for text in code for option in OPTION.findall(text)}
    assert named <= all_options | FOREIGN


def test_options_of_the_commands_that_submit_and_of_apdb_init_are_documented():
    submit = (ROOT / "docs" / "running.md").read_text()
    init = section((ROOT / "docs" / "apdb.md").read_text(), "## Creating one")
    for words, text in (
        (["submit", "both"], submit),
        (["submit", "diffim"], submit),
        (["resume"], submit),
        (["apdb", "init"], init),
    ):
        command = find_commands(words)[-1]
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden and not COMMON & set(param.opts):
                names = {*param.opts, *param.secondary_opts}
                assert any(name in text for name in names), f"{' '.join(words)}: {param.opts}"


def test_messages_that_are_explained_are_said():
    folders = [path.parent for path in ROOT.glob("*/__init__.py")]
    code = "".join(file.read_text() for folder in folders for file in sorted(folder.rglob("*.py")))
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # literals in several lines
    table = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(table) > 20
    for message in table:
        for words in message.split("…"):
            assert words.strip() in code, message


def test_what_commands_print_is_shown_where_the_list_of_commands_says_so():
    text = (ROOT / "docs" / "cli.md").read_text()
    listed: set[str] = set()
    for names, page in re.findall(r"((?:`[a-z -]+`[, and\n]*)+) in\s+\[[^]]+\]\(([\w.]+\.md)", text):
        shown = {
            line for block in read_shell_blocks(ROOT / "docs" / page) if block.shown for line in block.lines
        }
        for name in re.findall(r"`([a-z -]+)`", names):
            assert any(line.startswith(f"apcampaign {name}") for line in shown), f"{page}: {name}"
            listed.add(name.split()[0])
    # What others show, or have nothing to show but what they write.
    others = {"demo", "sandbox", "submit", "cancel", "status", "summary", "report", "schema", "completion"}
    assert listed | others == set(COMMANDS)


def calls_of_the_api(document: Path) -> Iterator[tuple[type, str, set[str]]]:
    """Find the methods of a campaign that code in a document calls, and their keywords."""
    for language, code in FENCED.findall(text_of(document)):
        for node in ast.walk(ast.parse(code if language == "python" else "")):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = {"campaign": Campaign, "Campaign": Campaign, "campaign.apdb": CampaignApdb}.get(
                    ast.unparse(node.func.value)
                )
                if owner:
                    yield owner, node.func.attr, {str(keyword.arg) for keyword in node.keywords}


def test_the_python_that_the_documents_show_is_there():
    calls = [call for document in DOCUMENTS for call in calls_of_the_api(document)]
    assert {name for _, name, _ in calls} >= {"open", "check", "submit", "plan_resume", "dia_sources"}
    for owner, name, keywords in calls:
        assert keywords <= set(inspect.signature(getattr(owner, name)).parameters), f"{name}: {keywords}"


def test_every_method_of_a_campaign_is_documented():
    text = (ROOT / "docs" / "python.md").read_text()
    for owner in (Campaign, CampaignApdb):
        for name in vars(owner):
            if not name.startswith("_") and callable(getattr(owner, name)):
                assert f".{name}" in text, f"{owner.__name__}.{name}"


def test_what_methods_of_a_campaign_return_is_in_the_reference():
    text = (ROOT / "docs" / "api.md").read_text()
    listed = {name.rpartition(".")[2] for name in re.findall(r"autoclass:: (\S+)", text)}
    # Not ours; what `campaign.md` documents; what only functions below the API take.
    others = {"DataFrame", "Iterator", "None", "Path", "Table", "CampaignConfig", "ReportData", "Workspace"}
    for owner in (Campaign, CampaignApdb):
        for name, member in vars(owner).items():
            getter = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(getter):
                returned = re.findall(r"\b[A-Z]\w+", str(inspect.signature(getter).return_annotation))
                assert set(returned) <= listed | others, f"{owner.__name__}.{name}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_small_and_was_executed_from_top_to_bottom(notebook):
    text = notebook.read_text()
    assert len(text) < 300_000
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if "error" in (output["output_type"], output.get("name"))]
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_names_nobody_and_no_machine(notebook):
    text = notebook.read_text()
    assert not [name for name in (str(ROOT), str(Path.home()), f"u/{getpass.getuser()}/") if name in text]
    assert "/tmp/campaign/" in text  # where it was executed
