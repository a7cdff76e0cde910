"""``apcampaign completion``: print the shell-completion script."""

__all__ = ["command"]

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script with which a shell completes this command and its options.

    For this shell alone: eval "$(apcampaign completion bash)". For all that are started later, put that line
    into ~/.bashrc (zsh: ~/.zshrc). For fish: apcampaign completion fish >
    ~/.config/fish/completions/apcampaign.fish.
    """
    from ..cli import command as whole

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}; expected one of {', '.join(SHELLS)}")
    click.echo(kind(whole, {}, "apcampaign", "_APCAMPAIGN_COMPLETE").source())
