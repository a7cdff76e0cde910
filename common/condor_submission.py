"""Submission of jobs and DAGs to HTCondor."""

__all__ = ["Submitted", "submit_file", "write_dag_path", "write_dag_submission"]

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .condor import advise, open_schedd, quote
from .environment import environment_for_batch
from .errors import PreconditionError, SchedulerError
from .files import write_atomically

_SUBMIT_SECONDS = 120  # a busy scheduler of a large cluster may take its time


class Submitted(NamedTuple):
    """A job that HTCondor has taken: its id, and the name of the scheduler that has it; empty if it is gone."""

    cluster: str
    schedd: str


def write_dag_submission(dag: Path, path: Path, *, batch_name: str, attributes: Mapping[str, str]) -> None:
    """Write the submit description of the DAGMan job of a DAG.

    Parameters
    ----------
    dag
        The DAG; its folder becomes the working directory.
    path
        Where the submit description goes.
    batch_name
        Under which name ``condor_q`` shows it.
    attributes
        Attributes of the job's ad, which tell it from others.
    """
    with open_schedd():  # for its errors
        import htcondor2

        description = htcondor2.Submit.from_dag(str(dag), {})
    # The whole environment, so that the nodes find what the process that submits finds.
    description["getenv"] = "True"
    description["batch_name"] = batch_name
    description["initialdir"] = str(dag.parent)
    for name, value in attributes.items():
        description[f"MY.{name}"] = quote(value)
    write_atomically(path, str(description))


def submit_file(path: Path, locks: tuple[int, ...] = ()) -> Submitted:
    """Submit a job, in a process of its own whose environment holds no secrets.

    With ``getenv`` the job takes the environment of the process that submits it along.

    Parameters
    ----------
    path
        The submit description.
    locks
        Open files that the process inherits: nobody else gets their locks before HTCondor has answered it.

    Returns
    -------
    submitted
        The job's id, and who has it.

    Raises
    ------
    SchedulerError
        If HTCondor does not take it.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(path)],
            env=environment_for_batch(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SUBMIT_SECONDS,
            check=False,
            pass_fds=locks,
        )
    except subprocess.TimeoutExpired:
        raise SchedulerError(
            f"HTCondor did not answer for {_SUBMIT_SECONDS} s when it was given {path}", remedy=advise()
        ) from None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise SchedulerError(f"HTCondor did not take {path}: {said}", remedy=advise())
    return Submitted(*json.loads(done.stdout))


def write_dag_path(path: Path) -> str:
    """Write a path as a DAG has it.

    Raises
    ------
    PreconditionError
        If a DAG cannot carry it.
    """
    text = os.fspath(path)
    if shlex.quote(text) != text:
        odd = next(character for character in text if shlex.quote(character) != character)
        raise PreconditionError(
            f"{text!r} holds {'a space' if odd == ' ' else repr(odd)}, which a DAG cannot carry",
            expected="letters without accents, digits and @%+=:,./_- in the names of folders",
            remedy="use another folder for the runs (--runs FOLDER)",
        )
    return text


if __name__ == "__main__":
    import htcondor2

    description = htcondor2.Submit(Path(sys.argv[1]).read_text(encoding="utf-8"))
    schedd = htcondor2.Schedd()
    number = schedd.submit(description).cluster()
    try:
        ads = schedd.query(f"ClusterId == {number}", projection=["GlobalJobId"], limit=1)
    except (htcondor2.HTCondorException, RuntimeError):
        ads = []  # it has the job all the same
    name = str(ads[0]["GlobalJobId"]).partition("#")[0] if ads else ""
    print(json.dumps([str(number), name]))  # noqa: T201
