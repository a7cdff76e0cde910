"""``apcampaign schema``: print the JSON Schema of campaign files."""

__all__ = ["command"]

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of campaign files, for editors.

    Campaign files that apcampaign writes name it in their first line, so that editors with a YAML language server
    check and complete them.
    """
    from ...bps import schema_text

    click.echo(schema_text(), nl=False)
