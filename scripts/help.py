"""What helps with the command line: examples, suggestions for misspelt commands, versions."""

__all__ = ["Group", "add_examples", "show_versions", "suggest_command", "write_examples"]

import difflib
import importlib.metadata
import platform
from collections.abc import Collection
from typing import Any, NoReturn

import click

from .examples import EXAMPLES

#: What decides about how a campaign runs. Their versions are read without importing them.
_PACKAGES = (
    "lsst-ctrl-bps",
    "lsst-ctrl-bps-htcondor",
    "lsst-ctrl-bps-parsl",
    "lsst-daf-butler",
    "lsst-dax-apdb",
    "htcondor",
    "parsl",
    "sqlalchemy",
)


class Group(click.Group):
    """A group that says which commands are close to one that is not there, and lists its own in their order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in their order."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which are close."""
        unknown = args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None
        if unknown and not ctx.resilient_parsing:
            suggest_command(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with the whole first sentence of its help."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(1000)) for name, each in found if each])


def write_examples(words: str) -> str:
    """Write the end of a command's help; click leaves its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[words])])


def add_examples(command: click.Command, words: str) -> None:
    """Give a command, and those in it, the examples of their use.

    Parameters
    ----------
    command
        The command.
    words
        By which it is called.
    """
    if words in EXAMPLES:
        command.epilog = write_examples(words)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_examples(inner, f"{words} {name}")


def suggest_command(ctx: click.Context, name: str, known: Collection[str]) -> NoReturn:
    """Refuse a command that is not there, with those that it is close to.

    Raises
    ------
    click.UsageError
        Always.
    """
    near = difflib.get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected one of {', '.join(known)}"
    raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)


def show_versions(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
    """Print the versions, and exit."""
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"apcampaign, version {_version('apcampaign')}")
    click.echo(f"Python {platform.python_version()}")
    for name in _PACKAGES:
        click.echo(f"{name} {_version(name)}")
    ctx.exit()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"
