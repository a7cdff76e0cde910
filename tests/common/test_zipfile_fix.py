"""The environment reads large quantum graphs, whatever CPython it is made with."""

import importlib.util
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from apcampaign.common import zipfile_fix
from apcampaign.sandbox.create import create_sandbox
from apcampaign.sandbox.survey import SandboxSize

ROOT = Path(__file__).resolve().parents[2]


def fresh_zipfile():
    """A second `zipfile` as the interpreter has it, without the cure."""
    spec = importlib.util.find_spec("zipfile")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reads_rightly(module) -> bool:
    """Read two members in turns, seeking relatively, as a quantum graph is read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("first", bytes(range(250)))
        archive.writestr("second", bytes(range(250)))
    with module.ZipFile(stream) as archive, archive.open("first") as first, archive.open("second") as second:
        first.read(10)
        second.read(1)
        shared = first._fileobj
        before = shared.tell()
        shared.seek(5, 1)
        return shared.tell() == before + 5


def test_the_environment_that_make_makes_is_cured():
    code = "from apcampaign.common.zipfile_fix import is_cured; import sys; sys.exit(not is_cured())"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_cure_is_given_where_it_is_needed():
    if zipfile_fix.is_affected():
        assert not reads_rightly(fresh_zipfile())
    assert reads_rightly(zipfile)


@pytest.mark.parametrize(
    ("version", "affected"),
    [((3, 12, 1), True), ((3, 12, 9), False), ((3, 13, 0), True), ((3, 13, 2), False), ((3, 14, 0), False)],
)
def test_releases_with_the_bug_are_known(version, affected):
    assert zipfile_fix.is_affected(version) is affected


@pytest.mark.slow
def test_quanta_of_a_large_graph_are_read_and_run(tmp_path):
    size = SandboxSize(visits=5, detectors=tuple(range(81, 108)), pixels=32)
    sandbox = create_sandbox(tmp_path / "sandbox", size)
    environment = {**os.environ, **sandbox.environment}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(
        *(
            "pipetask",
            "qgraph",
            "-b",
            str(sandbox.butler),
            "-i",
            "2.2i/defaults/test-med-1",
            "-o",
            "u/test/large",
        ),
        *("--output-run", "u/test/large/run", "--qgraph-datastore-records", "--save-qgraph", "large.qg"),
        *("-p", f"{ROOT / 'pipelines' / 'ApTemplate-DC2.yaml'}#singleFrame"),
        *("-d", "instrument='LSSTCam-imSim' AND skymap='DC2' AND tract=3828"),
    )
    code = (
        "from lsst.pipe.base.quantum_graph import PredictedQuantumGraph\n"
        "with PredictedQuantumGraph.open('large.qg') as reader:\n"
        "    reader.read_thin_graph()\n"
        "    graph = reader.finish()\n"
        "for quantum in graph.quanta_by_task['isr'].values():\n"
        "    print(quantum)\n"
    )
    isr = run(sys.executable, "-c", code).split()
    assert 2 * len(isr) > 200
    run("pipetask", "pre-exec-init-qbb", str(sandbox.butler), "large.qg")
    chosen = random.Random(1).sample(isr, 6)
    run("pipetask", "run-qbb", str(sandbox.butler), "large.qg", "--qgraph-node-id", ",".join(chosen))
