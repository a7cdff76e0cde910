"""Butler access: the only module that opens existing repositories; translates Butler's errors."""

__all__ = ["butler_errors", "open_butler"]

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ApcampaignError, RepositoryError


@contextmanager
def butler_errors(purpose: str, *, remedy: str = "") -> Iterator[None]:
    """Turn what Butler, and what reads its files, raises inside the block into a `RepositoryError`.

    Parameters
    ----------
    purpose
        What cannot be done if it fails, as a sentence: «the outcome of run R cannot be read».
    remedy
        The next step, if there is one that is known.

    Raises
    ------
    RepositoryError
        For any error that is not ours already: what foreign code below Butler may raise is not known.
    """
    try:
        yield
    except ApcampaignError:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise RepositoryError(f"{purpose}: {type(error).__name__}: {first}", remedy=remedy) from error


@contextmanager
def open_butler(repository: str, purpose: str, *, writeable: bool = False) -> Iterator[Any]:
    """Open a repository for as long as the block lasts.

    Parameters
    ----------
    repository
        Its URI, path or alias.
    purpose
        What cannot be done if it fails, as for `butler_errors`.
    writeable
        Whether it may be changed.

    Returns
    -------
    butler
        As a context: an `lsst.daf.butler.Butler`.

    Raises
    ------
    RepositoryError
        If it cannot be opened, or anything inside the block fails.
    """
    with butler_errors(purpose):
        from lsst.daf.butler import Butler

        try:
            butler = Butler.from_config(repository, writeable=writeable)
        except FileNotFoundError as error:
            raise RepositoryError(
                f"{purpose}: there is no Butler repository {repository}", remedy="correct its path or alias"
            ) from error
        with butler:
            yield butler
