"""Sending of a notification by command, e-mail or webhook."""

__all__ = ["send_notification", "unreachable_secrets"]

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

from ...bps import EmailSettings, NotifySettings
from ...common.environment import environment_for_batch
from ...common.secrets import read_secret
from .messages import Notification

_DEADLINE = 30.0  # seconds for each way


class _UnusableError(Exception):
    """A setting that cannot be used, with a message that holds no secret."""


def send_notification(notification: Notification, settings: NotifySettings) -> list[str]:
    """Send a notification in every way that is set, if its event is one of those that are.

    Parameters
    ----------
    notification
        What to tell.
    settings
        Who is told, how, and when.

    Returns
    -------
    problems
        A sentence for each way that failed, without secrets; it is no reason for a campaign to fail.
    """
    if notification.event not in settings.when:
        return []
    ways: dict[str, Callable[[], None]] = {}
    if command := settings.command:
        ways["command"] = lambda: _run(notification, command)
    if email := settings.email:
        ways["email"] = lambda: _mail(notification, email)
    if webhook := settings.webhook:
        ways["webhook"] = lambda: _post(notification, webhook)
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
            problems.append(f"notify.{name}: the notification could not be sent: {_explain(error)}")
    return problems


def unreachable_secrets(settings: NotifySettings) -> list[str]:
    """Say which secrets the last node of a campaign DAG cannot read: those in variables, which no job gets."""
    return [
        f"notify: {reference} does not reach the campaign DAG's last node, since no job is given secrets; "
        "put it into a file (chmod 600) and name that: file:PATH"
        for reference in settings.secrets
        if reference.startswith("env:")
    ]


def _run(notification: Notification, command: str) -> None:
    arguments = shlex.split(command)
    done = subprocess.run(
        arguments,
        input=json.dumps(notification.as_dict()),
        env={**environment_for_batch(), "APCAMPAIGN_EVENT": str(notification.event)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        reason = f": {output[-1]}" if output else ""
        raise _UnusableError(f"{arguments[0]} ended with exit code {done.returncode}{reason}")


def _mail(notification: Notification, settings: EmailSettings) -> None:
    message = EmailMessage()
    message["Subject"] = f"[apcampaign] {notification.title}"
    message["From"] = settings.sender or settings.to[0]
    message["To"] = ", ".join(settings.to)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notification.text + "\n")
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


def _post(notification: Notification, reference: str) -> None:
    url = _read(reference)
    if urlsplit(url).scheme not in ("http", "https"):
        raise _UnusableError(f"{reference} does not hold an http(s) URL")
    body = json.dumps({"text": notification.text}).encode()
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
