"""Against a real server: mail that was certainly not taken is told from mail that may have been."""

from __future__ import annotations

import email
import email.policy

import pytest
from listening import HANG, mail_server

from apps.automation.notifications.channels import (
    Message,
    RefusedError,
    RejectedError,
    UncertainError,
)
from apps.automation.notifications.mail import Mail
from guardianflow.contracts.errors import ConfigurationError

MESSAGE = Message("0123456789abcdef", "용접장: mAP50 0.7 below 0.75\r\nBcc: all@example.org")
READERS = ("a@example.org", "b@example.org")


def mail(port: int, login: str = "") -> Mail:
    server = f"smtp://{login}127.0.0.1:{port}"
    return Mail(server, "gf@example.org", READERS, ["127.0.0.1"], timeout_s=0.5)


def test_a_mail_arrives_with_its_text() -> None:
    with mail_server() as box:
        assert mail(box.port).send(MESSAGE) == ""
    found = email.message_from_string(box.mails[0], policy=email.policy.default)
    assert found["Subject"] == ("[GuardianFlow] 용접장: mAP50 0.7 below 0.75  Bcc: all@example.org")
    assert found["To"] == "a@example.org, b@example.org"
    assert "mAP50 0.7 below 0.75" in found.get_content()
    assert [line for line in box.commands if line.startswith("rcpt")] == [
        "rcpt TO:<a@example.org>",
        "rcpt TO:<b@example.org>",
    ]


def test_readers_that_are_refused_are_told_and_the_others_get_it() -> None:
    with mail_server(**{"rcpt TO:<a": "550 nobody"}) as box:
        assert mail(box.port).send(MESSAGE) == "refused readers: a@example.org"
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ({"mail": "451 later"}, RefusedError),
        ({"rcpt": "450 busy"}, RefusedError),
        ({"rcpt": "550 nobody"}, RejectedError),
        ({"DATA": "451 later"}, RefusedError),
        ({"END": "452 full"}, RefusedError),
        ({"END": "554 spam"}, RejectedError),
        ({"mail": HANG}, RefusedError),
        ({"END": HANG}, UncertainError),
    ],
)
def test_how_it_can_end(replies: dict[str, str], kind: type[Exception]) -> None:
    with mail_server(**replies) as box, pytest.raises(kind) as told:
        mail(box.port).send(MESSAGE)
    assert type(told.value) is kind


def test_a_password_is_not_sent_without_tls() -> None:
    with mail_server() as box, pytest.raises(RejectedError, match="offers no TLS"):
        mail(box.port, "kim:hunter2hunter2@").send(MESSAGE)
    assert not any("auth" in line.lower() for line in box.commands)


def test_settings_that_can_t_be_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as told:
        Mail("imap://host", "nobody", ["a@b", "c d@e"])
    assert len(told.value.problems) == 3
    with pytest.raises(ConfigurationError, match="MAIL_TO"):
        Mail("smtp://host", "a@b", [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_in_a_private_network_is_not_asked_unless_it_is_allowed(scheme: str) -> None:
    with mail_server() as box:
        server = f"{scheme}://localhost:{box.port}"
        with pytest.raises(RefusedError, match="private network: name the host in GUARDIANFLOW_P"):
            Mail(server, "gf@example.org", READERS).send(MESSAGE)
    assert box.commands == []
