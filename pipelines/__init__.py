"""Pipelines of the two steps, based on Rubin's ``ap_pipe`` (``$AP_PIPE_DIR``).

``ApTemplate-DC2.yaml`` builds good-seeing templates; ``ApPipe-DC2.yaml`` difference-images against them and
fills the APDB, and ``ApPipeWithFakes-DC2.yaml`` injects sources before that. ``ApTemplate-HSC.yaml`` and
``ApTemplate-LATISS.yaml`` build the templates of cameras for which ``ap_pipe`` has no template pipeline.
"""

__all__ = ["find_pipeline"]

from importlib import resources
from pathlib import Path

from ..common.errors import PipelineError


def find_pipeline(name: str, key: str = "pipeline") -> str:
    """Find a pipeline file by the name of one in this package, or by path.

    Parameters
    ----------
    name
        ``ApPipe-DC2.yaml``, a path, or a path that begins with an environment variable such as
        ``$AP_PIPE_DIR/…``; each may end in ``#subset``.
    key
        The key that names it in the campaign file, for messages.

    Returns
    -------
    location
        The absolute path (a relative one would be looked up in the working directory of the jobs), with the
        subset if there is one. A location with a variable is returned unchanged: the jobs expand it.

    Raises
    ------
    PipelineError
        If there is no such file.
    """
    file, mark, subset = name.partition("#")
    if "$" in file:
        return name
    ours = Path(str(resources.files(__package__)))
    path = Path(file) if "/" in file else ours / file
    if not path.is_file() and Path(file).is_file():
        path = Path(file)
    if not path.is_file():
        names = ", ".join(sorted(entry.name for entry in ours.glob("*.yaml")))
        raise PipelineError(
            f"{key}: there is no file {file!r}", expected=f"one of {names}, or the path of a pipeline file"
        )
    return f"{path.resolve()}{mark}{subset}"
