"""Every file name of a campaign's runs."""

__all__ = ["CampaignPaths", "ChainPaths", "RunPaths"]

from dataclasses import dataclass
from pathlib import Path

from ..bps import PlannedRun, Step


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Parameters
    ----------
    folder
        The run's own folder, ``runs/<campaign>/<step>/<timestamp>``.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """The run's page in the ledger."""
        return self.folder / "run.yaml"

    @property
    def config(self) -> Path:
        """The BPS submit config."""
        return self.folder / "bps.yaml"

    @property
    def campaign(self) -> Path:
        """The campaign as it was when the run was prepared, with everything that overrode its file."""
        return self.folder / "campaign.yaml"

    @property
    def prepare_log(self) -> Path:
        """What BPS said while it prepared the run."""
        return self.folder / "prepare.log"

    @property
    def jobs(self) -> Path:
        """The jobs that the run consists of."""
        return self.folder / "jobs.json"

    @property
    def submit(self) -> Path:
        """BPS's submit directory."""
        return self.folder / "submit"

    @property
    def costs(self) -> Path:
        """What its quanta and jobs took, for the forecasts of later runs."""
        return self.folder / "costs.json"

    def dag(self, output_run: str) -> Path:
        """HTCondor's DAG, which BPS names after the RUN collection."""
        return self.submit / f"{_unique_name(output_run)}.dag"

    def graph(self, output_run: str) -> Path:
        """The quantum graph."""
        return self.submit / f"{_unique_name(output_run)}.qg"


@dataclass(frozen=True)
class ChainPaths:
    """The files of one chain of runs.

    Parameters
    ----------
    folder
        The chain's own folder, ``runs/<campaign>/chain/<timestamp>``.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """The chain's page in the ledger."""
        return self.folder / "chain.yaml"

    @property
    def campaign(self) -> Path:
        """The campaign as it was when the chain was submitted, with everything that overrode its file."""
        return self.folder / "campaign.yaml"

    @property
    def dag(self) -> Path:
        """The DAG that chains the runs."""
        return self.folder / "chain.dag"

    @property
    def dagman_config(self) -> Path:
        """HTCondor's settings for the chain's DAGMan."""
        return self.folder / "dagman.conf"

    @property
    def submission(self) -> Path:
        """The submit description of the chain's DAGMan job."""
        return self.folder / "chain.sub"

    @property
    def metrics(self) -> Path:
        """What DAGMan leaves when it has ended: its exit code and numbers of nodes."""
        return self.folder / "chain.dag.metrics"

    def has_rescue(self) -> bool:
        """Whether DAGMan left where it ended, to go on from there."""
        return any(self.folder.glob(f"{self.dag.name}.rescue*"))

    @property
    def summary(self) -> Path:
        """What came of it."""
        return self.folder / "summary.json"

    def node(self, name: str, ending: str) -> Path:
        """A file of one node: its submit description or what it said."""
        return self.folder / f"{name}.{ending}"


@dataclass(frozen=True)
class CampaignPaths:
    """The files of one campaign.

    Parameters
    ----------
    runs
        The folder of all campaigns' runs.
    campaign
        The campaign's name.
    """

    runs: Path
    campaign: str

    @property
    def folder(self) -> Path:
        """The campaign's own folder."""
        return self.runs.resolve() / self.campaign

    @property
    def apdb_config(self) -> Path:
        """The configuration of the APDB that was made for the campaign."""
        return self.folder / "apdb_config.yaml"

    def step(self, step: Step) -> Path:
        """The folder of a step's runs."""
        return self.folder / step

    def run(self, run: PlannedRun) -> RunPaths:
        """The files of a run."""
        return RunPaths(self.step(run.step) / run.timestamp)

    @property
    def chains(self) -> Path:
        """The folder of the campaign's chains."""
        return self.folder / "chain"

    def chain(self, timestamp: str) -> ChainPaths:
        """The files of a chain."""
        return ChainPaths(self.chains / timestamp)


def _unique_name(output_run: str) -> str:
    """Name the files of a run as BPS does."""
    return output_run.replace("/", "_")
