"""Entry point of the ``apcampaign`` command: finds its subcommands, and ends with their exit codes."""

__all__ = ["main"]

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from ..common.explain import DEBUG
from .exits import run
from .help import Group, add_examples, show_versions, write_examples
from .logs import show_logs
from .process import hide_passwords, prepare_process
from .progress import show_progress_lines

#: The commands, in the order in which a campaign needs them; each is the module of that name in `commands`.
COMMANDS = {
    "demo": "Run a whole small campaign on this machine.",
    "sandbox": "Make a miniature DC2, run its servers, score what was found in it.",
    "init": "Write a campaign file, with comments.",
    "start-over": "Write a campaign file that runs the same campaign again, into an empty APDB.",
    "sites": "List and explain the sites where jobs can run.",
    "generate": "Write the pair of BPS submit configs of a campaign.",
    "lint": "Find mistakes in BPS submit files and campaign files.",
    "apdb": "Create and manage the alert production database.",
    "inspect": "Show what the repository holds for a campaign.",
    "check": "Check a campaign before it is submitted.",
    "plan": "Forecast what a campaign will run and take, before it is submitted.",
    "submit": "Submit a campaign, or one of its steps.",
    "adopt": "Adopt runs submitted with `bps submit` into a campaign.",
    "resume": "Continue a campaign after a failure.",
    "doctor": "Find what keeps a campaign from going on, and fix it.",
    "cancel": "Cancel the running jobs of a campaign.",
    "status": "Show the progress of a campaign.",
    "failures": "Show what failed, by root cause, and what to do next.",
    "runs": "List a campaign's runs.",
    "summary": "Summarise the results of a campaign.",
    "completeness": "Tell what share of injected sources a campaign has found.",
    "report": "Write one HTML page of what a campaign does and of its results.",
    "compare": "Compare two campaigns, or two submissions of one.",
    "retire": "Show what a campaign holds, and remove what nobody needs any more.",
    "archive": "Pack the records of a campaign into one file.",
    "schema": "Print the JSON Schema of campaign files.",
    "completion": "Print the shell-completion script.",
}
HIDDEN = {"node": "Run one node of a campaign DAG (called by HTCondor)."}


class LazyGroup(Group):
    """A group whose commands are imported when they are used, so that the others cost nothing.

    Parameters
    ----------
    commands
        Module names in `commands`, ``_`` for ``-``, and the help line of each.
    prefix
        What the names of the modules begin with.
    """

    def __init__(
        self,
        *args: Any,
        commands: dict[str, str],
        hidden: Sequence[str] = (),
        prefix: str = "",
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self._lazy = commands
        self._hidden = hidden
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in their order."""
        return [name for name in self._lazy if name not in self._hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._lazy:
            return None
        module = importlib.import_module(f"{__package__}.commands.{self._prefix}{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.name = cmd_name  # click has made it from that of the function
        words = f"{self._prefix.rstrip('_')} {cmd_name}".strip()
        add_examples(command, words)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name]) for name in self.list_commands(ctx)])


@click.command(
    cls=LazyGroup,
    commands={**COMMANDS, **HIDDEN},
    hidden=list(HIDDEN),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=write_examples(""),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_versions,
    help="Show the versions of apcampaign and of what it works with, and exit.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error too.")
def command(debug: bool) -> None:
    """Run a Rubin Alert Production campaign on a cluster.

    One campaign file says what to run: good-seeing templates, then difference imaging against them into a
    fresh alert production database, through BPS.
    """
    if debug:
        os.environ[DEBUG] = "1"  # also for what this command starts


def main() -> None:
    """Run the command line, and exit as `ExitCode` says."""
    prepare_process()
    hide_passwords()
    show_logs()
    show_progress_lines()
    sys.exit(run(command))


if __name__ == "__main__":
    main()
