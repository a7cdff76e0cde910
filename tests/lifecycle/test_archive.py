"""Archive: what is in it, what never is, and in which order."""

import hashlib
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from apcampaign import Campaign
from apcampaign.common.errors import ApcampaignError
from apcampaign.ledger import CampaignPaths
from apcampaign.lifecycle.packing import read_campaign
from older_runs import unpack_older_runs


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a whole campaign, of an older version, with a password in a log and a graph."""
    runs = unpack_older_runs(tmp_path_factory.mktemp("older"), Path("/nowhere")) / "complete/runs"
    paths = CampaignPaths(runs, "complete")
    paths.report.write_text("<html>the report</html>")
    (run, *_) = paths.list_runs()
    (run.folder / "prepare.log").write_text(
        "postgresql://me:hunter2@host/apdb and MY_WEBHOOK=https://hunter2\n"
    )
    (run.submit / "all.env.info.yaml").write_text("TOKEN: hunter2\n")
    keys = run.folder / "runinfo/000/local/certificates"
    keys.mkdir(parents=True)
    (keys / "client.key_secret").write_text("hunter2\n")
    (run.folder / "runinfo/000/parsl.log").write_text("a log\n")
    (run.submit / "jobs/isr").mkdir(parents=True, exist_ok=True)
    (run.submit / "jobs/isr/1.out").write_text("a job\n")
    for graph in run.submit.glob("*.qg"):
        graph.unlink()
    with zipfile.ZipFile(run.submit / "of_the_run.qg", "w") as graph:
        graph.writestr("header.json.zst", zstandard.compress(b'{"n_quanta": 3}'))
        graph.writestr("quantum_datasets.mb", b"large")
    return runs


@pytest.fixture
def campaign(untouched: Path, tmp_path: Path) -> Campaign:
    shutil.copytree(untouched, tmp_path / "runs")
    (file := tmp_path / "campaign.yaml").write_text(
        "{name: complete, butler: /nowhere, inCollection: inputs}\n"
    )
    return Campaign.open(file, runs=tmp_path / "runs", environment={})


def unpack(file: Path) -> dict[str, bytes]:
    raw = file.read_bytes()
    if file.name.endswith(".zst"):
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
        file = file.with_suffix(".tar")
        file.write_bytes(raw)
    with tarfile.open(file) as tar:
        return {each.name: stream.read() for each in tar if (stream := tar.extractfile(each))}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_an_archive_holds_the_records_and_no_secret_and_is_always_the_same(
    campaign: Campaign, tmp_path: Path, suffix: str
) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    plan = campaign.plan_archive(one)
    assert not one.exists()
    archive = plan.execute()
    content = unpack(one)
    parts = {name.removeprefix("complete/") for name in content}
    assert {name for name in plan.files if not name.endswith(".qg")} == {
        name for name in parts if ".qg." not in name and name != "MANIFEST.json"
    }
    assert any(line.startswith("replace the older") for line in campaign.plan_archive(one).describe())
    assert len(content) == archive.files + 1
    assert next(iter(content)) == "complete/MANIFEST.json"
    assert list(content)[1:] == sorted(list(content)[1:])
    manifest = json.loads(content["complete/MANIFEST.json"])
    for name, said in manifest["files"].items():
        data = content[f"complete/{name}"]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (said["bytes"], said["sha256"])
    names = {Path(name).name for name in content}
    assert {"run.yaml", "bps.yaml", "campaign.yaml", "report.html", "of_the_run.qg.header.json"} <= names
    assert not {"1.out", "all.env.info.yaml", "of_the_run.qg"} & names
    assert not any(b"hunter2" in data for data in content.values())
    assert any(b"me:***@host" in data for data in content.values())
    # There is no repository here: that is said, and the rest is kept all the same.
    assert "summary.json" in " ".join(archive.left_out)
    assert campaign.archive(other).size == archive.size
    assert other.read_bytes() == one.read_bytes()


def test_an_archive_takes_the_place_of_an_older_one_only(campaign: Campaign, tmp_path: Path) -> None:
    file = tmp_path / "one.tar.gz"
    campaign.archive(file)
    assert read_campaign(file) == "complete"
    campaign.archive(file)
    file.write_bytes(b"\x1f\x8bsomething else")
    for name in ("one.tar.gz", "one.zip", "nowhere/one.tar.gz", "runs/complete/diffim/x/one.tar.gz"):
        with pytest.raises(ApcampaignError):
            campaign.archive(tmp_path / name)
    assert file.read_bytes() == b"\x1f\x8bsomething else"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["campaign.yaml", "one.tar.gz", "runs"]
