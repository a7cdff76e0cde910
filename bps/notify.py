"""Notification settings of a campaign: who is notified, how, and of which events."""

__all__ = ["EmailSettings", "NotifyEvent", "NotifySettings"]

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ..common.secrets import check_secret_reference
from .model import Model, split_list

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:(?P<port>\d{1,5}))?")


class NotifyEvent(StrEnum):
    """The events of which somebody is notified."""

    END = "end"
    TROUBLE = "trouble"


def _check_address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"{value!r} is not an e-mail address; expected such as operator@example.org")
    return value


def _check_server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError(f"{value!r} is not a mail server; expected HOST or HOST:PORT")
    return value


def _take_address(value: Any) -> Any:
    """Read ``email: me@host`` as ``email: {to: me@host}``."""
    return {"to": value} if isinstance(value, str | list) else value


Address = Annotated[str, AfterValidator(_check_address)]
SecretReference = Annotated[str, AfterValidator(check_secret_reference)]


class EmailSettings(Model):
    """How e-mail is sent.

    Parameters
    ----------
    to
        One address or several.
    sender
        The sender; by default the first recipient.
    server
        Host and port of the mail server.
    tls
        How the connection is protected.
    user
        For servers that require a login.
    password
        Where to find the password of that user: ``file:PATH`` or ``env:NAME``.
    """

    to: Annotated[tuple[Address, ...], BeforeValidator(split_list), Field(min_length=1)]
    sender: Address | None = Field(default=None, alias="from")
    server: Annotated[str, AfterValidator(_check_server)] = "localhost:25"
    tls: Literal["none", "starttls", "ssl"] = "none"
    user: str | None = None
    password: SecretReference | None = None

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The server's host and port; by default the usual port for the protection."""
        match = _SERVER.fullmatch(self.server)
        assert match is not None  # noqa: S101 - the validator has checked it
        usual = {"none": 25, "starttls": 587, "ssl": 465}[self.tls]
        return match["host"].strip("[]"), int(match["port"] or usual)


class NotifySettings(Model):
    """Who is notified, how, and when.

    Parameters
    ----------
    when
        About which events.
    command
        A command that gets the notification as JSON on its standard input.
    email
        An address, several, or a mapping.
    webhook
        Where to find the URL that JSON in Slack's format is posted to: ``file:PATH`` or ``env:NAME``.
    """

    when: Annotated[tuple[NotifyEvent, ...], BeforeValidator(split_list)] = tuple(NotifyEvent)
    command: str | None = Field(default=None, min_length=1)
    email: Annotated[EmailSettings | None, BeforeValidator(_take_address)] = None
    webhook: SecretReference | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The references to secrets, as written in the campaign file."""
        references = (self.webhook, self.email.password if self.email else None)
        return tuple(reference for reference in references if reference)
