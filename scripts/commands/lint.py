"""``apcampaign lint``: find the mistakes of BPS submit files."""

__all__ = ["command"]

import os
import sys
from pathlib import Path

import click

from ...common.progress import show_progress
from ..display.findings import show_findings
from ..exits import ExitCode
from ..options.findings import exit_code, finding_options


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--pipeline", help="The pipeline whose labels the files must use; by default the one they name."
)
@click.option("--butler", is_flag=True, help="Also ask the repository that the files name (slower).")
@finding_options
def command(
    files: tuple[Path, ...],
    pipeline: str | None,
    butler: bool,
    form: str,
    ignore: tuple[str, ...],
    strict: bool,
) -> None:
    """Find mistakes in BPS submit files and campaign files, without running anything.

    A file may be one to submit or one for others to include. Of a campaign file the pair that `apcampaign
    generate` would write is looked at. Exits with 1 if there is an error, and with 3 if a file is not there or
    cannot be opened.
    """
    from ...bps.lint import is_campaign_file, lint_file

    findings = []
    for file in files:
        with show_progress(f"reading {file}"):
            findings += lint_file(file, pipeline=pipeline, ignore=ignore)
            if is_campaign_file(file):
                from ...submit.preflight import check_campaign_file

                findings += [each for each in check_campaign_file(file) if each.rule not in ignore]
            elif butler:
                from ...submit.preflight import check_file

                findings += [finding for finding in check_file(file) if finding.rule not in ignore]
    findings = list(dict.fromkeys(findings))
    show_findings(findings, form)
    if not all(os.access(file, os.R_OK) for file in files):
        sys.exit(ExitCode.UNKNOWN)
    sys.exit(exit_code(findings, strict=strict))
