"""Against a real server: what certainly did not arrive is told from what may have."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from listening import CUT, DRIP, HANG, webhook

from apps.automation.notifications.channels import (
    Message,
    RefusedError,
    RejectedError,
    UncertainError,
)
from apps.automation.notifications.webhook import Webhook, signature
from guardianflow.contracts.errors import ConfigurationError

HERE = ["127.0.0.1"]
MESSAGE = Message("0123456789abcdef", "용접장 <b> & mAP50 0.7 below 0.75")
KEY = "9f0c1d2e3a4b5c6d"


def test_the_body_is_slack_s_and_the_signature_that_of_its_bytes() -> None:
    with webhook(200) as hook:
        Webhook(hook.url, KEY, HERE, clock=lambda: 1_772_323_200.5).send(MESSAGE)
    (taken,) = hook.taken
    assert json.loads(taken.body) == {"text": "용접장 &lt;b&gt; &amp; mAP50 0.7 below 0.75"}
    assert taken.headers["X-GuardianFlow-Delivery"] == MESSAGE.message_id
    assert taken.headers["X-GuardianFlow-Timestamp"] == "1772323200"
    signed = f"v1={signature(KEY, '1772323200', taken.body)}"
    assert taken.headers["X-GuardianFlow-Signature"] == signed


def test_the_signature_is_hmac_sha256() -> None:
    # printf '1.{}' | openssl dgst -sha256 -hmac key
    assert signature("key", "1", b"{}") == (
        "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    )


def test_without_a_key_nothing_is_signed() -> None:
    with webhook(204) as hook:
        Webhook(hook.url, private_hosts=HERE).send(MESSAGE)
    assert "X-GuardianFlow-Signature" not in hook.taken[0].headers


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_says_later_has_not_taken_it(status: int) -> None:
    with webhook(status) as hook, pytest.raises(RefusedError) as told:
        Webhook(hook.url, private_hosts=HERE).send(MESSAGE)
    assert not isinstance(told.value, RejectedError)


@pytest.mark.parametrize("status", [301, 307, 400, 404])
def test_a_wrong_address_is_no_better_later_and_redirects_are_not_followed(status: int) -> None:
    with webhook(status) as hook, pytest.raises(RejectedError, match=str(status)):
        Webhook(hook.url, private_hosts=HERE).send(MESSAGE)
    assert len(hook.taken) == 1


@pytest.mark.parametrize("answer", [HANG, DRIP, CUT])
def test_a_server_that_takes_it_and_never_answers_is_left_and_nothing_is_known(answer: str) -> None:
    with webhook(answer) as hook, pytest.raises(UncertainError):
        Webhook(hook.url, "", HERE, deadline_s=0.5).send(MESSAGE)
    assert len(hook.taken) == 1


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(RefusedError, match="can't be reached"):
            Webhook(url, private_hosts=HERE).send(MESSAGE)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "host/path", "http://", "https://a:b@host/", "http://host/a b", "http://호/한"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="GUARDIANFLOW_ALERTS_WEBHOOK must"):
        Webhook(url)


def answer_of_names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """A name server whose answer for hooks.example is another one each time; gives who asked."""
    asked, left, real = list[str](), list(answers), socket.getaddrinfo

    def look_up(host: str, *words: Any, **more: Any) -> Any:
        if host != "hooks.example":
            return real(host, *words, **more)
        asked.append(host)
        return real(left.pop(0) if len(left) > 1 else left[0], *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "hooks.example"])
def test_a_private_address_is_refused_unless_it_is_allowed(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_of_names(monkeypatch, "127.0.0.1")
    with webhook(200) as hook:
        url = hook.url.replace("127.0.0.1", host)
        with pytest.raises(RefusedError, match="private network: name the host in GUARDIANFLOW_P"):
            Webhook(url, private_hosts=["10.0.0.0/8", "gateway.plant"]).send(MESSAGE)
        assert hook.taken == []
        Webhook(url, private_hosts=["127.0.0.0/8", host]).send(MESSAGE)
    assert len(hook.taken) == 1


def test_a_second_answer_of_the_name_server_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A public address for whoever judges, a private one for whoever connects."""
    asked = answer_of_names(monkeypatch, "192.0.2.1", "127.0.0.1")
    with webhook(200) as hook:
        url = hook.url.replace("127.0.0.1", "hooks.example")
        with pytest.raises(RefusedError):  # 192.0.2.0/24 is for documents; allowed, nobody is there
            Webhook(url, private_hosts=["192.0.2.0/24"], deadline_s=0.3).send(MESSAGE)
        assert hook.taken == []
    assert asked == ["hooks.example"]


def test_a_redirect_leads_nowhere() -> None:
    with webhook(200) as inside, webhook(307) as outside:
        outside.elsewhere = inside.url
        with pytest.raises(RejectedError, match="307"):
            Webhook(outside.url, private_hosts=HERE).send(MESSAGE)
    assert inside.taken == []
    assert len(outside.taken) == 1
