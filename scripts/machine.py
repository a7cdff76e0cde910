"""Whether a command prints for a machine, so that standard output is for JSON and the like only."""

__all__ = ["prints_for_a_machine"]

import click


def prints_for_a_machine() -> bool:
    """Tell whether the command that this thread runs prints for a machine."""
    context = click.get_current_context(silent=True)
    return bool(
        context and (context.params.get("as_json") or context.params.get("form") not in (None, "table"))
    )
