"""Files in folders that others may write to: their links are not followed, our files are not theirs to change."""

import errno
import fcntl
import itertools
import os
import stat
from pathlib import Path

import pytest
from apcampaign.common.errors import FileError, PreconditionError
from apcampaign.common.explain import explain
from apcampaign.common.files import (
    find_files,
    keep_others_out,
    list_tree,
    make_folder,
    open_own,
    write_atomically,
)
from apcampaign.common.reading import check_ordinary, read_bytes, read_text
from apcampaign.ledger import is_submitting, submission_lock
from system_faults import KINDS, SystemFaults


@pytest.fixture
def no_mask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_nobody_else_may_write_to_what_is_made_without_a_mask(no_mask, tmp_path: Path):
    with submission_lock(tmp_path / "campaign" / "templates"):
        write_atomically(tmp_path / "campaign" / "diffim" / "run" / "run.yaml", "")
        make_folder(tmp_path / "a" / "b")
        made = [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o022]
    assert made == []


def test_what_a_command_starts_makes_nothing_for_others_either(no_mask, tmp_path: Path):
    keep_others_out()
    (tmp_path / "file").touch()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_lock_that_leads_elsewhere_is_refused_and_that_file_kept(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    folder = tmp_path / "campaign" / "templates"
    folder.mkdir(parents=True)
    (folder / "submission.lock").symlink_to(precious)
    with pytest.raises(FileError, match=r"submission\.lock is a symbolic link"), submission_lock(folder):
        pass
    assert precious.read_text() == "x"


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "log")
    with pytest.raises(FileError, match="no ordinary file"):
        open_own(tmp_path / "log")
    os.mkfifo(tmp_path / "submission.lock")
    with pytest.raises(FileError, match=r"submission\.lock is no ordinary file"):
        is_submitting(tmp_path)
    for read in (read_text, read_bytes, check_ordinary):
        with pytest.raises(OSError, match="no ordinary file") as caught:
            read(tmp_path / "log")
        assert str(explain(caught.value)) == (
            f"{tmp_path}/log: it is no ordinary file, such as a pipe; see whose it is, and remove it"
        )
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    check_ordinary(tmp_path / "nowhere")


def test_a_written_file_replaces_a_link_and_keeps_what_that_leads_to(tmp_path: Path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "file").symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "file", "y")
    assert (tmp_path / "precious").read_text() == "x"
    assert not (tmp_path / "file").is_symlink()


def test_the_second_who_submits_is_told_who_is_the_first(tmp_path: Path):
    folder = tmp_path / "campaign" / "templates"
    with (
        submission_lock(folder),
        pytest.raises(PreconditionError, match=rf"by .* \(process {os.getpid()}\)"),
        submission_lock(folder),
    ):
        pass
    assert (folder / "submission.lock").read_text() == ""


def test_each_call_of_a_lock_that_fails_names_it(tmp_path: Path):
    names = itertools.count()

    def lock() -> None:
        with submission_lock(tmp_path / f"campaign{next(names)}" / "templates"):
            pass

    faults = SystemFaults(tmp_path)
    with faults.failing():
        lock()
    calls = faults.calls
    assert {"mkdir", "open", "lock", "write"} <= {call.kind for call in calls}
    for place, call in enumerate(calls[:-1]):  # the last empties the file, which nobody needs
        for number in KINDS[call.kind]:
            with faults.failing(place, number), pytest.raises((OSError, FileError)) as caught:
                lock()
            said = str(explain(caught.value))
            assert str(tmp_path) in said or "name of a file is too long" in said
            assert "; " in said


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(number, tmp_path: Path, monkeypatch):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(FileError, match=r"submission\.lock cannot be locked: its file system knows no locks"),
        submission_lock(tmp_path / "campaign" / "templates"),
    ):
        pass


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(tmp_path: Path):
    for name in ("b/run.yaml", "a/run.yaml", "c/other.yaml"):
        write_atomically(tmp_path / name, "")
    assert [path.parent.name for path in find_files(tmp_path, "*/run.yaml")] == ["a", "b"]
    assert find_files(tmp_path / "nowhere", "*/run.yaml") == []
    assert find_files(tmp_path / "a", "run.yaml/*") == []
    faults = SystemFaults(tmp_path)
    with faults.failing():
        find_files(tmp_path, "*/*.yaml")
    assert faults.calls
    for place in range(len(faults.calls)):
        with faults.failing(place, errno.EIO), pytest.raises(OSError, match="Input/output error"):
            find_files(tmp_path, "*/*.yaml")
    assert [path.name for path in list_tree(tmp_path)] == [
        "a",
        "run.yaml",
        "b",
        "run.yaml",
        "c",
        "other.yaml",
    ]
    with faults.failing():
        list_tree(tmp_path)
    listings = [place for place, call in enumerate(faults.calls) if call.kind == "list"]
    assert len(listings) == 4
    for place in listings:
        with faults.failing(place, errno.EIO), pytest.raises(OSError, match="Input/output error"):
            list_tree(tmp_path)
