"""Random faults for a campaign while it runs, and an operator who does what the commands say."""

__all__ = ["FAULTS", "Ground", "Outcome", "live_through"]

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apcampaign.sandbox.servers import CondorPool, PostgresServer
from interference import find_processes
from operators import COMMAND, Operator

_ADVICE = re.compile(r"`apcampaign ((?:resume|doctor|cancel|submit)\b[^`]*)`")
_COMMAND_SECONDS = 300.0
_DEADLINE = 1500.0  # of a campaign, on two busy cores
#: A campaign that is active, and of which nothing changes for so long, stands still.
_STILL = 150.0
#: How often an operator tries before they give up.
_TRIES = 15


@dataclass
class Outcome:
    """What became of a campaign.

    Parameters
    ----------
    faults
        What befell it, in turn.
    commands
        What its operator typed, in turn.
    said
        What these commands said that was no success.
    stuck
        Why the operator gave up; empty if the campaign is complete.
    """

    faults: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stuck: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"faults": self.faults, "commands": self.commands, "stuck": self.stuck}


@dataclass
class Ground:
    """A campaign, its servers, and chance."""

    operator: Operator
    pool: CondorPool
    database: PostgresServer
    chance: random.Random
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def folder(self) -> Path:
        return self.operator.folder

    def type(self, *words: str) -> str:
        """Run a command as an operator does, and give all that it says; empty if it succeeded."""
        self.outcome.commands.append(" ".join(words))
        done = self.start(*words)
        said, _ = done.communicate(timeout=_COMMAND_SECONDS)
        text = said.decode()
        if done.returncode:
            self.outcome.said.append(f"{' '.join(words)}: {text}")
        assert "Traceback" not in text, text
        return text if done.returncode else ""

    def kill_command(self, *words: str) -> bool:
        """Kill a command some seconds after its start."""
        begun = self.start(*words)
        try:
            begun.wait(self.chance.uniform(0.3, 8))
        except subprocess.TimeoutExpired:
            begun.kill()
        begun.communicate(timeout=60)
        return True

    def kill_one(self, *words: str, seconds: float = 0) -> bool:
        """Kill one of the processes of the campaign with these words, if there is any within some seconds."""
        end = time.monotonic() + seconds
        while not (found := find_processes(self.folder, *words)) and time.monotonic() < end:
            time.sleep(0.2)
        return bool(found) and _kill(self.chance.choice(found))

    def status(self) -> dict[str, object]:
        said = self.operator.apcampaign("status", "--json", seconds=_COMMAND_SECONDS, good=None)
        found: dict[str, object] = json.loads(said)
        return found

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [str(COMMAND), *words],
            cwd=self.folder,
            env=dict(self.operator.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def _kill(process: int) -> bool:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _kill_schedd(ground: Ground) -> bool:
    master = ground.pool.process
    assert master is not None
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if name == "condor_schedd" and int(rest.split()[1]) == master.pid:
            return _kill(int(stat.parent.name))
    return False


def _restart_pool(ground: Ground) -> bool:
    ground.pool.stop()
    ground.pool.start()
    return True


def _restart_database(ground: Ground) -> bool:
    ground.database.stop()
    time.sleep(ground.chance.uniform(0, 5))
    ground.database.start()
    return True


def _resume_twice(ground: Ground) -> bool:
    both = [ground.start("resume") for _ in range(2)]
    for each in both:
        said, _ = each.communicate(timeout=_COMMAND_SECONDS)
        assert b"Traceback" not in said, said.decode()
    return True


def _cancel(ground: Ground) -> bool:
    ground.type("cancel")
    return True


#: What can befall a campaign: each tells whether it did.
FAULTS: Mapping[str, Callable[[Ground], bool]] = {
    # There is none while DAGMan goes from one job to the next.
    "a job was killed": lambda ground: ground.kill_one("run-qbb", seconds=10),
    "a DAGMan was killed": lambda ground: ground.kill_one("condor_dagman"),
    "a node was killed": lambda ground: ground.kill_one("node"),
    "BPS was killed": lambda ground: ground.kill_one("apcampaign.submit.bps_process.worker"),
    "the scheduler was killed": _kill_schedd,
    "the pool was restarted": _restart_pool,
    "the database was restarted": _restart_database,
    "it was cancelled": _cancel,
    "a cancel was killed": lambda ground: ground.kill_command("cancel"),
    "a resume was killed": lambda ground: ground.kill_command("resume"),
    "two resumed it": _resume_twice,
}


def live_through(ground: Ground, faults: int) -> Outcome:
    """Submit a campaign, let so many faults befall it, and do what the commands say until it is complete.

    Parameters
    ----------
    ground
        The campaign, with an empty APDB.
    faults
        How many faults there are while it runs.
    """
    outcome, deadline = ground.outcome, time.monotonic() + _DEADLINE
    if ground.chance.random() < 0.3:
        outcome.faults.append("its submission was killed")
        ground.kill_command("submit", "--no-check")
    else:
        ground.type("submit", "--no-check")
    tries = 0
    while time.monotonic() < deadline:
        if faults > 0:
            faults -= 1
            _befall(ground)
            continue
        if ground.status().get("active"):
            if not _wait_for_end(ground, deadline):
                ground.type("cancel")
            continue
        if not (said := ground.type("summary")):
            return outcome
        tries += 1
        if tries > _TRIES:
            outcome.stuck = f"after {_TRIES} tries: {said[-500:]}"
            return outcome
        _follow(ground, said)
    outcome.stuck = f"it has taken {_DEADLINE:.0f} s"
    return outcome


def _befall(ground: Ground) -> None:
    """Let a fault befall the campaign after a while; another one where there is nothing that it could hit."""
    time.sleep(ground.chance.uniform(1, 20))
    kinds = list(FAULTS)
    ground.chance.shuffle(kinds)
    struck = next((kind for kind in kinds if FAULTS[kind](ground)), None)
    if struck:
        ground.outcome.faults.append(struck)


def _wait_for_end(ground: Ground, deadline: float) -> bool:
    """Wait until a campaign is not active any more; tell whether that is, or whether it stands still."""
    before, since = None, time.monotonic()
    while time.monotonic() < min(deadline, since + _STILL):
        status = ground.status()
        if not status.get("active"):
            return True
        if (now := _count_jobs(status)) != before:
            before, since = now, time.monotonic()
        time.sleep(3)
    return False


def _count_jobs(status: Mapping[str, Any]) -> list[object]:
    """Give what changes while a campaign goes on, without the estimates, which change always."""
    nodes = [(node["name"], node["state"]) for node in status.get("dag", ())]
    return [nodes, [(step["state"], step["jobs"]) for step in status.get("steps", ())]]


def _follow(ground: Ground, said: str) -> None:
    """Do what a command says is to be done; an operator who is told nothing asks for more."""
    for _ in range(4):
        advice = _ADVICE.search(said)
        words = advice[1].split() if advice else ["doctor", "--fix"]
        if words[0] == "submit" and "--no-check" not in words:
            words.append("--no-check")
        if not (said := ground.type(*words)):
            return
