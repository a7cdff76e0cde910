"""The commands of the command line, for tests that go through all of them."""

__all__ = ["list_commands"]

from collections.abc import Iterator

import click


def list_commands(
    group: click.Group, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """List the commands of a group and of the groups in it, with the words by which each is called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from list_commands(found, (*names, name))
        else:
            yield (*names, name), found
