"""The ``apcampaign`` command: finds the commands, and turns errors into a sentence and an exit code."""

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
