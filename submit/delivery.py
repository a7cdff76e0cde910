"""Getting a notice to people: by a command, by e-mail, to a webhook."""

__all__ = ["deliver", "unreachable_secrets"]

import http.client
import json
import shlex
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from ..bps import EmailSettings, NotifySettings
from ..common.secrets import read_secret
from .notices import Notice
from .surroundings import environment_for_batch

_DEADLINE = 30.0  # seconds for each way


class _UnusableError(Exception):
    """A setting that cannot be used, in words that hold no secret."""


def deliver(notice: Notice, settings: NotifySettings) -> list[str]:
    """Send a notice in every way that is set.

    Parameters
    ----------
    notice
        What to tell.
    settings
        Who is told, how, and when.

    Returns
    -------
    problems
        A sentence for each way that failed; the campaign does not fail for that. None of them holds a secret.
    """
    if notice.occasion not in settings.when:
        return []
    ways: dict[str, Callable[[], None]] = {}
    if command := settings.command:
        ways["command"] = lambda: _run(notice, command)
    if email := settings.email:
        ways["email"] = lambda: _mail(notice, email)
    if webhook := settings.webhook:
        ways["webhook"] = lambda: _post(notice, webhook)
    problems = []
    for name, send in ways.items():
        try:
            send()
        except _UnusableError as error:
            problems.append(f"notify.{name}: {error}")
        except (
            OSError,
            ValueError,
            subprocess.SubprocessError,
            smtplib.SMTPException,
            http.client.HTTPException,
        ) as error:
            # The text of a foreign error may hold the URL.
            problems.append(f"notify.{name}: the notice could not be sent: {_explain(error)}")
    return problems


def unreachable_secrets(settings: NotifySettings) -> list[str]:
    """Say which secrets the last node of a chain cannot read: those in variables, which no job gets."""
    return [
        f"notify: {reference} does not reach the chain's last node, since no job is given secrets; "
        "put it into a file (chmod 600) and name that: file:PATH"
        for reference in settings.secrets
        if reference.startswith("env:")
    ]


def _run(notice: Notice, command: str) -> None:
    words = shlex.split(command)
    done = subprocess.run(
        words,
        input=json.dumps(notice.as_dict()),
        env={**environment_for_batch(), "APCAMPAIGN_OCCASION": str(notice.occasion)},
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise _UnusableError(f"{words[0]} ended with {done.returncode}" + (f": {said[-1]}" if said else ""))


def _mail(notice: Notice, settings: EmailSettings) -> None:
    message = EmailMessage()
    message["Subject"] = f"[apcampaign] {notice.title}"
    message["From"] = settings.sender or settings.to[0]
    message["To"] = ", ".join(settings.to)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text + "\n")
    host, port = settings.host_and_port
    kind: Any = smtplib.SMTP_SSL if settings.tls == "ssl" else smtplib.SMTP
    with kind(host, port, timeout=_DEADLINE) as server:
        if settings.tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.user:
            server.login(settings.user, _read(settings.password) if settings.password else "")
        server.send_message(message)


def _read(reference: str) -> str:
    try:
        return read_secret(reference)
    except ValueError as error:
        raise _UnusableError(str(error)) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it could lead anywhere."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""
        return


def _post(notice: Notice, reference: str) -> None:
    url = _read(reference)
    if urlsplit(url).scheme not in ("http", "https"):
        raise _UnusableError(f"{reference} does not hold an http(s) URL")
    body = json.dumps({"text": notice.text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - seen to
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=_DEADLINE):
        pass


def _explain(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server answered {error.smtp_code}"
    return type(error).__name__ + (
        f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    )
