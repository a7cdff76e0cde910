"""The collection that all runs of a step are read through."""

__all__ = ["renew_output"]

from ..bps import PlannedRun
from ..common.errors import SubmissionError


def renew_output(butler: str, run: PlannedRun) -> bool:
    """Let the output collection of a step read what its next run shall read.

    Once it is there, building a graph searches it and not the inputs that are given (with ``--rebase`` too, which
    has an effect only where it is written): templates of an earlier time would be used without a word.

    Parameters
    ----------
    butler
        The repository.
    run
        The next run. Its output gets the step's earlier runs, then the inputs of this one.

    Returns
    -------
    renewed
        Whether it has been changed.

    Raises
    ------
    SubmissionError
        If the repository cannot be read or written.
    """
    from lsst.daf.butler import Butler, CollectionType, MissingCollectionError

    try:
        with Butler.from_config(butler, writeable=True) as repository:
            try:
                info = repository.collections.get_info(run.output)
            except MissingCollectionError:
                return False
            if info.type is not CollectionType.CHAINED:
                return False  # BPS says what is wrong with that
            inputs = repository.collections.query(run.inputs, flatten_chains=True)
            own = [name for name in info.children if name.startswith(f"{run.output}/")]
            wanted = (*own, *inputs)
            if tuple(info.children) == wanted:
                return False
            repository.collections.redefine_chain(run.output, wanted)
    except Exception as error:
        raise SubmissionError(
            f"the inputs of {run.output} in {butler} cannot be renewed: {type(error).__name__}: {error}"
        ) from error
    return True
