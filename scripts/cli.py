"""The ``apcampaign`` command: finds the commands, and turns errors into a sentence and an exit code."""

__all__ = ["main"]

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from ..common.errors import ApcampaignError
from ..common.secrets import redact

#: The commands, in the order in which a campaign needs them; each is the module of that name beside this.
COMMANDS = {
    "demo": "Run a whole small campaign on this machine.",
    "sandbox": "Make a miniature DC2; score what was found in it.",
    "generate": "Write the pair of BPS submit configs of a campaign.",
    "lint": "Find the mistakes of BPS submit files.",
    "apdb": "Create and look after the alert production database.",
    "inspect": "Say what is in the repository for a campaign.",
    "check": "Check a campaign before it is submitted.",
    "plan": "Say what a campaign will run and take, before it is submitted.",
    "submit": "Submit a campaign, or one of its steps.",
    "resume": "Continue a campaign after a failure.",
    "cancel": "End what is going on.",
    "status": "Say how far a campaign is.",
    "failures": "Say what went wrong, by root cause.",
    "runs": "List a campaign's runs.",
    "summary": "Say what came of a campaign.",
    "report": "Write one HTML page of what a campaign does and what came of it.",
    "completion": "Print what makes a shell complete this command.",
}
HIDDEN = {"node": "Run one node of a chain (called by HTCondor)."}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that the others cost nothing.

    Parameters
    ----------
    commands
        Module names beside this one, ``_`` for ``-``, and the help line of each.
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
        module = importlib.import_module(f"{__package__}.{self._prefix}{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name]) for name in self.list_commands(ctx)])


@click.command(cls=LazyGroup, commands={**COMMANDS, **HIDDEN}, hidden=list(HIDDEN))
@click.version_option(package_name="apcampaign")
def command() -> None:
    """Run a Rubin Alert Production campaign on a cluster.

    One campaign file says what to run: good-seeing templates, then difference imaging against them into a
    fresh alert production database, through BPS.
    """


def main() -> None:
    """Run the command line: exit 1 with a sentence for what the user can mend, 2 for a wrong usage."""
    try:
        command(prog_name="apcampaign")
    except ApcampaignError as error:
        for line in redact(str(error)).splitlines():
            click.echo(f"apcampaign: {line}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
