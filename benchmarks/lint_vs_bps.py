"""What raw BPS says to each planted mistake, and what `apcampaign lint` and `apcampaign check` say.

``python benchmarks/lint_vs_bps.py FOLDER [files] [campaigns]`` makes a sandbox in FOLDER, plants each mistake
of `planted` and `planted_campaigns` (tests/support), runs ``bps prepare`` on it, then ours, and prints two
tables in Markdown. Takes about twenty minutes.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import yaml  # noqa: E402
from apcampaign.bps import (  # noqa: E402
    Step,
    build_config,
    dump_config,
    lint,
    load_campaign,
    load_site,
    plan_campaign,
)
from apcampaign.common.errors import ApcampaignError  # noqa: E402
from apcampaign.sandbox.create import PACKAGES, create_sandbox  # noqa: E402
from planted import DIFFIM, FILES, TEMPLATES, fill_in  # noqa: E402
from planted_campaigns import CAMPAIGNS, CampaignMistake  # noqa: E402
from planting import SIZE, Ground, check_all, make_ground  # noqa: E402

BIN = Path(sys.executable).parent
#: Warnings that every preparation gives.
USUAL = ("dagman_configurator", "lsst.utils.packages")
SILENT = "**nothing**, exit 0"


def run(
    command: list[str], ground: Ground, environment: dict[str, str | None] | None = None
) -> tuple[int, str, float]:
    variables = ground.environment | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    for name, value in (environment or {}).items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = value
    begin = time.monotonic()
    done = subprocess.run(
        command, cwd=ground.folder, env=variables, capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begin


def bps_prepare(
    path: Path, ground: Ground, environment: dict[str, str | None] | None = None
) -> tuple[str, float]:
    """Run raw BPS; return its most telling last line and how long it took."""
    code, text, seconds = run([str(BIN / "bps"), "prepare", str(path)], ground, environment)
    if code == 0:
        lines = [line for line in text.splitlines() if re.search(r"\bWARNING\b", line)]
        warnings = [line for line in lines if not any(word in line for word in USUAL)]
        note = f" ({shorten(warnings[-1])})" if warnings else ""
        return SILENT + note, seconds
    # A usage error of a subcommand is logged, not raised.
    telling = [
        line
        for line in text.splitlines()
        if re.match(r"\s*[\w.]*(Error|Exception|Exit)\b.*", line) or "INFO: Error: " in line
    ]
    lines = telling or text.strip().splitlines() or ["no word"]
    return f"exit {code}: `{shorten(lines[-1])}`", seconds


def shorten(line: str) -> str:
    line = (
        re.sub(r"^(\S+ )?lsst\.\S+ (WARNING|ERROR|CRITICAL|INFO|\(\)\(\S+\) -):? ", "", line.strip())
        .replace("|", "\\|")
        .replace("`", "'")
    )
    line = re.sub(r"(?<![\w.])/[^\s'\"]*/", "…/", line)
    return line if len(line) <= 120 else line[:117] + "…"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    parts = sys.argv[2:] or ["files", "campaigns"]
    folder.mkdir(parents=True, exist_ok=True)
    ground = Ground(folder, create_sandbox(folder / "dc2", SIZE))
    if not ground.apdb("ready").exists():
        make_ground(folder)
        make_templates(ground)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores.\n")
    if "files" in parts:
        show_files(ground)
    if "campaigns" in parts:
        show_campaigns(ground)


def show_files(ground: Ground) -> None:
    print("## Submit files: `bps prepare` and `apcampaign lint`\n")
    print("| mistake | `bps prepare` | s | `apcampaign lint` | rule | s |\n|---|---|---|---|---|---|")
    for text, name in ((TEMPLATES, "(none: templates)"), (DIFFIM, "(none: diffim)")):
        show_file(ground, name, text, None)
    for mistake in FILES:
        show_file(ground, mistake.name, mistake.text, mistake.rule)


def show_campaigns(ground: Ground) -> None:
    print("\n## Campaigns: `bps prepare` of the configs, and `apcampaign check`\n")
    print("| mistake | `bps prepare` | s | `apcampaign check` | rule | s |\n|---|---|---|---|---|---|")
    results = check_all(ground, list(CAMPAIGNS))
    for case, result in zip(CAMPAIGNS, results, strict=True):
        said, seconds = prepare_campaign(ground, case)
        finding = next(finding for finding in result["findings"] if finding["rule"] == case.rule)
        message = shorten(f"{finding['what']}; {finding['remedy']}")
        print(
            f"| {case.name} | {said} | {seconds:.0f} | {message} | {case.rule} | {result['seconds']:.1f} |",
            flush=True,
        )


def make_templates(ground: Ground) -> None:
    """Run the templates step, so that the files of the second one are right but for their mistakes."""
    command = [str(BIN / "pipetask"), "run", "--register-dataset-types", "-b", str(ground.sandbox.butler)]
    command += [
        "-i",
        "2.2i/defaults/test-med-1",
        "-o",
        "u/me/templates",
        "-p",
        str(ROOT / "pipelines/ApTemplate-DC2.yaml"),
    ]
    command += ["-d", "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828"]
    code, text, _ = run(command, ground)
    if code and "u/me/templates" not in text:
        raise SystemExit(text[-3000:])
    shutil.copy(ground.apdb("ready"), ground.folder / "apdb.yaml")


def show_file(ground: Ground, name: str, text: str, rule: str | None) -> None:
    path = ground.folder / "bps.yaml"
    path.write_text(fill_in(text, folder=ground.folder, butler=ground.sandbox.butler))
    said, before = bps_prepare(path, ground)
    os.environ.update(PACKAGES)
    _, _, seconds = run([str(BIN / "apcampaign"), "lint", str(path)], ground)
    findings = [finding for finding in lint.lint_file(path) if rule in (None, finding.rule)]
    message = (
        f"line {findings[0].line}: {findings[0].what}; {findings[0].remedy}" if findings else "nothing found"
    )
    print(
        f"| {name} | {said} | {before:.0f} | {shorten(message)} | {rule or ''} | {seconds:.1f} |", flush=True
    )
    shutil.rmtree(ground.folder / "submit", ignore_errors=True)


def prepare_campaign(ground: Ground, mistake: CampaignMistake) -> tuple[str, float]:
    path = ground.folder / "campaign.yaml"
    content = {**ground.campaign(mistake)}
    content["diffim"] = content.get("diffim") or {"pipeline": "ApPipe-DC2.yaml"}
    path.write_text(yaml.safe_dump(content))
    try:
        campaign = load_campaign(path, environment={})
        step = Step(mistake.step)
        templates = "u/me/templates" if step is Step.DIFFIM else None
        (planned,) = plan_campaign(campaign, steps=[step], templates=templates)
        submit = ground.folder / "submit" / re.sub(r"\W+", "-", mistake.name)
        config = build_config(
            campaign,
            planned,
            load_site(campaign.site),
            submit_path=submit,
            apdb_config=campaign.apdb.config or str(ground.folder / "no-apdb.yaml"),
            environment=ground.environment,
        )
    except ApcampaignError as error:
        return f"(refused by apcampaign: {shorten(str(error))})", 0.0
    bps = ground.folder / "campaign-bps.yaml"
    bps.write_text(dump_config(config))
    return bps_prepare(bps, ground, mistake.environment)


if __name__ == "__main__":
    main()
