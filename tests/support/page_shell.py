"""A shell in which the lines of a page are typed, on a campaign that has ended."""

__all__ = ["PageShell"]

import re
import shlex
import shutil
from pathlib import Path

import yaml
from forked import run_forked
from operators import Operator

_DEADLINE = 120  # seconds for a command


class PageShell:
    """A shell in a folder of its own, with the campaign file of a campaign that has ended.

    Parameters
    ----------
    operator
        Who has run the campaign. Nothing is written to their folder but what commands write to that of the runs.
    folder
        The folder of the shell, which is made.
    """

    def __init__(self, operator: Operator, folder: Path):
        self._finished = operator.folder / "campaign.yaml"
        self.folder = folder
        folder.mkdir()
        for file in operator.folder.glob("*.yaml"):
            content = yaml.safe_load(file.read_text())
            if file != self._finished:  # with PostgreSQL each campaign has a namespace of its own
                content["apdb"] = {"url": f"sqlite:///{folder}/{file.stem}.db"}
            (folder / file.name).write_text(yaml.safe_dump(content))
        (folder / "dc2").symlink_to(operator.folder / "dc2")
        self._environment = {**operator.environment, "APCAMPAIGN_RUNS": str(operator.folder / "runs")}
        del self._environment["DB"]

    def export(self, line: str) -> None:
        """Set a variable, as the line ``export NAME=VALUE`` does."""
        name, _, value = line.removeprefix("export ").partition("=")
        self._environment[name] = value.replace("$PWD", str(self.folder))

    def campaign_file(self, line: str) -> Path:
        """Give the campaign file that a command is about."""
        named = re.search(r"--campaign (\S+)", line)
        return self.folder / (
            named[1] if named else self._environment.get("APCAMPAIGN_CAMPAIGN", "campaign.yaml")
        )

    def campaign(self, line: str) -> str:
        """Give the name of the campaign that a command is about."""
        return str(yaml.safe_load(self.campaign_file(line).read_text())["name"])

    def stand_in(self, line: str) -> None:
        """Let the campaign that has ended be that which a line would have run."""
        shutil.copy(self._finished, self.campaign_file(line))

    def run(self, line: str) -> tuple[int, str]:
        """Run a command of ours; give its exit code, and all that it has said."""
        words = shlex.split(line)[1:]
        done = run_forked(words, cwd=self.folder, env=self._environment, timeout=_DEADLINE)
        return done.returncode, f"{done.stdout}\n{done.stderr}"
