"""Settings of a campaign file about the alert production database."""

__all__ = ["ApdbSettings"]

from pydantic import Field, model_validator

from .model import MisfitError, Model
from .values import ApdbUrl


class ApdbSettings(Model):
    """Which alert production database the campaign fills.

    Parameters
    ----------
    url
        ``postgresql://user@host/database`` or ``sqlite:////absolute/path``, without a password.
    namespace
        The PostgreSQL schema; by default derived from the campaign's name.
    config
        Instead of both: the configuration of an existing APDB, the URI of its file or ``label:NAME``.
    filled
        Whether it may hold rows of other campaigns already. A run that would associate an image again is
        refused all the same.
    """

    url: ApdbUrl | None = None
    namespace: str | None = None
    config: str | None = Field(default=None, min_length=1)
    filled: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "ApdbSettings":
        if self.config and (self.url or self.namespace):
            raise MisfitError(
                ("config",),
                "give 'url' (and 'namespace') of an APDB to create, or the 'config' of an existing one, not both",
            )
        return self
