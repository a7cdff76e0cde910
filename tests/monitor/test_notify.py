"""Notifications reach people by command, e-mail and webhook, and no secret is in them or in any file."""

import email
import json
import os
import socket
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from apcampaign.bps import NotifyEvent, NotifySettings, Step, load_campaign, plan_campaign
from apcampaign.common.environment import environment_for_batch
from apcampaign.common.errors import SettingsError
from apcampaign.ledger import Workspace
from apcampaign.monitor import Attempt, Job, JobState
from apcampaign.monitor.campaign_summary import CampaignSummary, RunSummary, StepSummary
from apcampaign.monitor.notify import (
    Notification,
    TroubleNotifier,
    TroubleWatch,
    completion_message,
    failure_message,
    send_notification,
    unreachable_secrets,
)
from apcampaign.monitor.outcomes import QuantaCount
from apcampaign.submit.executors.campaign_dag import write_campaign_dag
from apcampaign.submit.work import Work

SECRET = "T00/B00/hunter2-must-not-appear"
NOTIFICATION = Notification(
    event=NotifyEvent.END,
    campaign="dc2",
    good=False,
    title="campaign dc2: NOT complete",
    lines=("cannot reach postgresql://me:hunter2-must-not-appear@db/x", "Größe: 3"),
)


class Hook(ThreadingHTTPServer):
    """A webhook that remembers what it gets."""

    def __init__(self, answer: int = 200):
        self.got: list[tuple[str, dict[str, object]]] = []
        self.answer = answer
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body)))
        self.send_response(self.server.answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.shutdown()
    server.server_close()


class Mailbox:
    """A mail server's box."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], email.message.Message]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got.append((envelope.rcpt_tos, message))
        return self.answer

    def authenticate(self, server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame")


@pytest.fixture
def mail_server():
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, authenticator=box.authenticate, auth_require_tls=False
    )
    controller.start()
    yield box
    controller.stop()


def test_a_notification_is_posted_as_slack_takes_it(hook, tmp_path):
    secret = tmp_path / "webhook"
    secret.write_text(hook.url + "\n")
    assert send_notification(NOTIFICATION, NotifySettings(webhook=f"file:{secret}")) == []
    ((path, content),) = hook.got
    assert path == f"/{SECRET}"
    assert content == {"text": NOTIFICATION.text}
    assert "hunter2" not in NOTIFICATION.text
    assert "Größe" in content["text"]


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_a_webhook_that_refuses_is_a_sentence_without_its_url(hook, monkeypatch, answer):
    hook.answer = answer
    monkeypatch.setenv("TEAM_WEBHOOK_URL", hook.url)
    (problem,) = send_notification(NOTIFICATION, NotifySettings(webhook="env:TEAM_WEBHOOK_URL"))
    assert f"answered {answer}" in problem
    assert len(hook.got) == 1  # no redirection was followed
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "url", [f"http://127.0.0.1:1/{SECRET}", f"ftp://x/{SECRET}", f"http:{SECRET}", f"http://x y/{SECRET}", ""]
)
def test_what_is_no_webhook_is_a_sentence_without_its_url(tmp_path, url):
    (tmp_path / "webhook").write_text(url)
    (problem,) = send_notification(NOTIFICATION, NotifySettings(webhook=f"file:{tmp_path / 'webhook'}"))
    assert problem.startswith("notify.webhook: ")
    assert "hunter2" not in problem


def test_a_notification_is_mailed(mail_server, tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    settings = NotifySettings.model_validate(
        {
            "email": {
                "to": ["one@example.org", "two@example.org"],
                "from": "campaign@example.org",
                "server": f"127.0.0.1:{mail_server.port}",
                "user": "me",
                "password": f"file:{tmp_path / 'password'}",
            }
        }
    )
    assert send_notification(NOTIFICATION, settings) == []
    ((recipients, message),) = mail_server.got
    assert recipients == ["one@example.org", "two@example.org"]
    assert message["Subject"] == "[apcampaign] campaign dc2: NOT complete"
    assert message["From"] == "campaign@example.org"
    assert message.get_content().strip().splitlines() == NOTIFICATION.text.splitlines()
    assert mail_server.logins == [(b"me", b"open sesame")]
    mail_server.answer = "554 hunter2-must-not-appear is no transaction"
    assert send_notification(NOTIFICATION, settings) == [
        "notify.email: the notification could not be sent: the server answered 554"
    ]


def test_a_command_gets_the_notification_as_json(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hunter2-must-not-appear")
    script = tmp_path / "my hook"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, sys, pathlib\n"
        "pathlib.Path(sys.argv[1]).write_text(json.dumps([json.load(sys.stdin), dict(os.environ)]))\n"
    )
    script.chmod(stat.S_IRWXU)
    assert send_notification(NOTIFICATION, NotifySettings(command=f"'{script}' {tmp_path / 'said'}")) == []
    content, environment = json.loads((tmp_path / "said").read_text())
    assert content == NOTIFICATION.as_dict()
    assert environment["APCAMPAIGN_EVENT"] == "end"
    assert "hunter2" not in json.dumps(environment)


def test_each_way_that_fails_is_named_and_the_others_are_gone(hook, tmp_path):
    (tmp_path / "webhook").write_text(hook.url)
    settings = NotifySettings.model_validate(
        {
            "command": "sh -c 'echo no such luck >&2; exit 3'",
            "email": {"to": "me@example.org", "server": "127.0.0.1:1"},
            "webhook": f"file:{tmp_path / 'webhook'}",
        }
    )
    command, mail = send_notification(NOTIFICATION, settings)
    assert command == "notify.command: sh ended with exit code 3: no such luck"
    assert mail.startswith("notify.email: the notification could not be sent: ConnectionRefusedError")
    assert len(hook.got) == 1
    assert send_notification(NOTIFICATION, settings.model_copy(update={"when": (NotifyEvent.TROUBLE,)})) == []


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ({"webhook": f"https://hooks.slack.com/{SECRET}"}, "expected its place: file:PATH"),
        ({"webhook": [f"https://hooks.slack.com/{SECRET}"]}, "notify.webhook: "),
        ({"webhook": "env:PATH"}, "$PATH is not known as a secret"),
        ({"email": "nobody"}, "'nobody' is not an e-mail address"),
        ({"email": {"to": "me@host", "password": "hunter2-must-not-appear"}}, "expected its place"),
        ({"email": {"to": "me@host", "serve": "x"}}, "did you mean 'server'?"),
        ({"wehbook": "env:A_WEBHOOK"}, "did you mean 'webhook'?"),
        ({"when": "sometimes"}, "notify.when"),
    ],
)
def test_mistakes_in_the_settings_are_named_and_no_secret_is_repeated(tmp_path, notify, said):
    path = write_campaign(tmp_path, notify)
    with pytest.raises(SettingsError) as error:
        load_campaign(path, environment={})
    assert said in str(error.value)
    assert "hunter2" not in str(error.value)


def write_campaign(folder: Path, notify: object) -> Path:
    path = folder / "campaign.yaml"
    content = {"name": "dc2", "butler": "/repo", "tracts": [1], "inCollection": "raw", "notify": notify}
    path.write_text(yaml.safe_dump(content))
    return path


def test_secrets_reach_neither_a_campaign_dag_nor_its_jobs(tmp_path):
    environment = {**os.environ, "TEAM_WEBHOOK": SECRET, "MY_SMTP_PASSWORD": SECRET}
    assert SECRET not in environment_for_batch(environment).values()
    notify = {"webhook": "env:TEAM_WEBHOOK", "email": "me@example.org"}
    workspace = Workspace.open(write_campaign(tmp_path, notify), tmp_path / "runs", environment={})
    plan = plan_campaign(workspace.campaign, steps=[Step.DIFFIM])
    files = write_campaign_dag(Work(workspace=workspace, plan=plan))
    assert load_campaign(files.campaign, environment={}).notify == workspace.campaign.notify
    (warning,) = unreachable_secrets(workspace.campaign.notify)
    assert "env:TEAM_WEBHOOK does not reach the campaign DAG's last node" in warning


def test_the_end_of_a_campaign_is_told_with_what_to_do_next():
    count = QuantaCount(expected=9, successful=7, failed=1, blocked=1, unknown=0)
    runs = tuple(
        RunSummary(
            output_run=f"u/me/x/{part}", submit_dir="/s", state=state, quanta={"makeDirectWarp": count}
        )
        for part, state in (("a", "SUCCEEDED"), ("b", "FAILED"))
    )
    step = StepSummary(step=Step.TEMPLATES, runs=runs, product="template_coadd", products=7)
    assert step.state == "FAILED"
    summary = CampaignSummary(
        campaign="dc2", steps=(step,), apdb_config=None, apdb_rows={}, verification=None
    )
    notification = completion_message(summary, Path("/runs/report.html"))
    assert notification.title == "campaign dc2: NOT complete"
    for text in (
        "14 of 18 quanta done",
        "makeDirectWarp: 4 not done",
        "/runs/report.html",
        "apcampaign resume",
    ):
        assert text in notification.text
    message = failure_message("dc2", ValueError("no database at postgresql://me:hunter2@db/x"))
    assert message.title == "campaign dc2 has ended, but its results could not be read"
    assert "hunter2" not in message.text


def test_whoever_watches_has_trouble_sent_once(hook, tmp_path, caplog):
    (tmp_path / "webhook").write_text(hook.url)
    notify = {"webhook": f"file:{tmp_path / 'webhook'}", "command": "false"}
    campaign = load_campaign(write_campaign(tmp_path, notify), environment={})
    failed = Job(name="warp1", label="warp", step=None, state=JobState.FAILED, folder=Path("/"))
    notifier = TroubleNotifier(campaign)
    for _ in range(2):
        notifier.look([failed])
    ((_, content),) = hook.got
    assert content["text"].startswith("campaign dc2: jobs in trouble: 1 failed")
    (problem,) = caplog.messages
    assert problem == "notify.command: false ended with exit code 1"


def test_trouble_is_told_once_and_again_when_it_has_doubled():
    def jobs(bad: int) -> list[Job]:
        held = Attempt(cluster=1, reason="Job exceeded its memory")
        return [
            Job(
                name=f"job{number}",
                label="makeWarp",
                step=Step.TEMPLATES,
                state=JobState.HELD if number < bad else JobState.RUNNING,
                attempts=(held,),
                folder=Path("/"),
            )
            for number in range(10)
        ]

    watch = TroubleWatch("dc2")
    assert watch.look(jobs(0)) is None
    first = watch.look(jobs(2))
    assert first is not None
    assert "2 held" in first.title
    assert "2 makeWarp held: Job exceeded its memory" in first.lines
    assert watch.look(jobs(2)) is None
    assert watch.look(jobs(3)) is None
    assert watch.look(jobs(4)) is not None
