"""The campaign without a fault that others are compared with: one for all workers of pytest-xdist."""

__all__ = ["Reference", "begin_reference"]

from dataclasses import dataclass
from pathlib import Path

from apcampaign.sandbox.create import Sandbox
from apcampaign.sandbox.servers import CondorPool, PostgresServer
from apcampaign.sandbox.servers.processes import locked
from operators import COARSE, COARSE_DIFFIM, Operator, make_operator, write_campaign
from shared import copy_sandbox

_NAME = "undisturbed"


@dataclass(frozen=True)
class Reference:
    """A campaign whose DAG runs to its end without a fault, in a sandbox and on a pool of its own.

    Parameters
    ----------
    operator
        Whose campaign it is.
    url
        Its database.
    sandbox, pool
        Where it runs.
    """

    operator: Operator
    url: str
    sandbox: Sandbox
    pool: CondorPool

    def wait(self) -> tuple[Operator, str]:
        """Wait until it has ended, and give its operator and the URL of its database."""
        assert self.operator.wait_for_dag() == 0
        return self.operator, self.url


def begin_reference(folder: Path, sandbox: Sandbox, pool: CondorPool, postgres: PostgresServer) -> Reference:
    """Submit the campaign, unless another worker has.

    Parameters
    ----------
    folder
        Where all of it goes.
    sandbox
        What its sandbox is a copy of.
    pool, postgres
        Its servers, which run.
    """
    begun, url = folder / "begun", postgres.url(_NAME)
    mine = Sandbox(folder.resolve() / "dc2", sandbox.size)
    with locked(folder / "lock", seconds=300, doing="submitting the reference campaign"):
        if not begun.exists():
            copy_sandbox(sandbox, mine.folder)
            (folder / _NAME).mkdir()
        operator = make_operator(folder / _NAME, mine, pool)
        # One detector: neighbours of one visit are associated in any order, and see different histories.
        write_campaign(operator.folder, mine, where="detector = 94", templates=COARSE, diffim=COARSE_DIFFIM)
        if not begun.exists():
            postgres.create_database(_NAME)
            operator.apcampaign("apdb", "init", "--db", url)
            assert "submitted the campaign DAG" in operator.apcampaign("submit", "--tracts", "3828")
            begun.touch()
    return Reference(operator, url, mine, pool)
