"""The command of jobs that is written out is what BPS would have made for each of them."""

import pytest
from apcampaign.submit.bps_process.job_command import write_out_command

CONFIG = {
    "computeSite": "here",
    "butlerConfig": "/repo",
    "extraRunQuantumOptions": "--no-raise-on-partial-outputs",
    "runPreCmdOpts": "{defaultPreCmdOpts} --log-file ${HOME}/{visit}.log",
    "site": {"here": {"extraRunQuantumOptions": "--of-the-site"}},
    "pipetask": {
        "isr": {"requestMemory": 4096},
        "requestMemory": 2048,
        "pipetaskInit": {"runPreCmdOpts": "--quiet"},
    },
    "cluster": {"singleFrame": {"pipetasks": "isr,calibrateImage"}},
}


def command_of(config, label):
    from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig

    read = BpsConfig(config, search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
    of_the_job = {"qgraphFile": "x.qg", "qgraphNodeId": "1,2", "visit": 7, "curr_site": "here"}
    values = {**of_the_job, "curr_pipetask": label, "curr_cluster": label}
    return read.search("runQuantumCommand", opt={"curvals": values, "expandEnvVars": False})[1]


def test_the_command_written_out_is_what_bps_makes_for_each_job():
    written = write_out_command(CONFIG)
    assert "--of-the-site" in written
    for label in ("isr", "singleFrame", "pipetaskInit"):
        assert command_of({**CONFIG, "runQuantumCommand": written}, label) == command_of(CONFIG, label)


@pytest.mark.parametrize(
    "settings",
    [
        {"pipetask": {"isr": {"extraRunQuantumOptions": "--other"}}},
        {"pipetask": {"isr": {"defaultPreCmdOpts": "--other"}}},
        {"pipetask": {"isr": {"computeSite": "elsewhere"}}},
        {"pipetask": {"extraRunQuantumOptions": "--of-tasks-without-a-section"}},
        {"cluster": {"singleFrame": {"runQuantumCommand": "other {qgraphFile}"}}},
        {"extraRunQuantumOptions": "bpsEval(len, 'x')"},
    ],
)
def test_a_command_that_is_not_the_same_for_all_jobs_is_left_to_bps(settings):
    assert write_out_command({**CONFIG, "site": {}, **settings}) is None
