"""No secret survives redaction, and nothing else changes."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardianflow.support.secrets import redaction
from guardianflow.support.secrets.redaction import MARK, Redactor, redact_text, redact_value

SECRET = "pl4nted-S3cret"
GITHUB = "ghp_" + "a1B2" * 9
KEYS = ["api_key", "apiKey", "API-KEY", "training.options.api_key", "AWS_SECRET_ACCESS_KEY"]
KEYS += [
    "password",
    "db.passwd",
    "MLFLOW_TRACKING_TOKEN",
    "client_secret",
    "private_key",
    "비밀번호",
]
KEYS += ["AWS_ACCESS_KEY_ID", "Authorization", "accessToken", "GUARDIANFLOW_CREDENTIALS"]
PLAIN_KEYS = ["keypoints", "key_frames", "token_count", "max_tokens", "tokenizer", "pad_token"]
PLAIN_KEYS += ["password_file", "monkey", "keyboard", "author", "secretary", "epochs", "bypass"]


pytestmark = pytest.mark.usefixtures("secrets_forgotten")


# --- what is a secret -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_value_is_replaced_whose_key_names_a_secret(key: str) -> None:
    assert redact_value(key, SECRET) == MARK
    assert redact_value("options", {"deep": [{key: SECRET}]}) == {"deep": [{key: MARK}]}
    for text in (
        f"{key}={SECRET}",
        f"a=1 {key}={SECRET}&b=2",
        f"--{key} {SECRET} --epochs 3",
        f"['--{key}', '{SECRET}']",
        f"{key}: {SECRET}",
        f'{key} = "{SECRET}"',
        json.dumps({key: SECRET, "epochs": 3}, ensure_ascii=False),
        json.dumps({"said": json.dumps({key: SECRET}, ensure_ascii=False)}, ensure_ascii=False),
        repr({key: SECRET, "epochs": 3}),
        f"Trainer({key}='{SECRET}', epochs=3)",
    ):
        assert redact_text(text) == text.replace(SECRET, MARK)


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_a_key_that_only_looks_like_one_keeps_its_value(key: str) -> None:
    assert redact_value(key, SECRET) == SECRET
    for text in (f"{key}={SECRET}", f"{key}: {SECRET}", f'{{"{key}": "{SECRET}"}}'):
        assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git+https://u:p%40ss@h.example/x.git@main#subdir=a",
         f"git+https://{MARK}@h.example/x.git@main#subdir=a"),
        (f"https://{SECRET}@h/x", f"https://{MARK}@h/x"),
        ("postgresql+psycopg://u:p/w?d@db:5432/mlflow", f"postgresql+psycopg://{MARK}@db:5432/mlflow"),
        ("rtsp://admin:pw@10.0.0.1/1", f"rtsp://{MARK}@10.0.0.1/1"),
        ("https://s3/x?a=1&X-Amz-Signature=abc&b=2", f"https://s3/x?a=1&X-Amz-Signature={MARK}&b=2"),
        (f"remote: {GITHUB} denied", f"remote: {MARK} denied"),
        ("AKIAIOSFODNN7EXAMPLE", MARK),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MARK}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nnext",
         f"-----BEGIN RSA PRIVATE KEY-----{MARK}-----END RSA PRIVATE KEY-----\nnext"),
        ('p.add_argument("--api-key", type=str,\n    default="abc1")',
         f'p.add_argument("--api-key", type=str,\n    default="{MARK}")'),
        ('p.add_argument("--api-key", default="abc1")\np.add_argument("--name", default="x y")',
         f'p.add_argument("--api-key", default="{MARK}")\np.add_argument("--name", default="x y")'),
        ('p.add_argument("--token")\np.add_argument("--name", default="abc1")',
         'p.add_argument("--token")\np.add_argument("--name", default="abc1")'),
        ('p.add_argument("--token", help="x")\np.add_argument("--name", default="abc1")',
         'p.add_argument("--token", help="x")\np.add_argument("--name", default="abc1")'),
        ('{"token": 123456789}', f'{{"token": "{MARK}"}}'),  # JSON stays JSON
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_replaced(text: str, shown: str) -> None:
    assert redact_text(text) == shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ssh://git@host/x.git",
        "git@host:team/x.git",
        "http://127.0.0.1:5000/#/experiments/1/runs/2",
        "models:/site.ppe@champion",
        "kim@example.org wrote https://example.org",
        "api_key=${API_KEY} token=$TOKEN password=",
        "a file, or git+https://…@ref; rtsp://admin:****@camera",
        "usage: x [--token TOKEN] [--password PASSWORD]",
        "token: str = None",
        "self.token = args.token",
        "error: the token expired",
        "what stands there is a secret: fill it in",
        "password: None",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert redact_text(text, bare=not text.startswith("token: str")) == text


@given(st.text(alphabet=string.ascii_letters + string.digits + " .,:;=-_/\n가나다{}[]()'\"\\%@#"))
def test_other_text_is_unchanged(text: str) -> None:
    lowered = text.lower()
    assume("://" not in text and not any(h in lowered for h in ("key", "token", "secret", "pass")))
    assume(not any(shape in text for shape in ("ghp_", "hf_", "sk-", "eyJ", "xox", "AKIA", "AIza")))
    assume("credential" not in lowered and "authorization" not in lowered)
    assert redact_text(text) == text
    assert redact_value("note", {"a": [text]}) == {"a": [text]}


# --- what was learnt ------------------------------------------------------------------------------

SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "!@#$%^&*/+=-_.~ <>\"'\\암호",
                  min_size=8, max_size=40)  # fmt: skip
FORMS: list[Callable[[str], str]] = [
    str,
    lambda s: quote(s, safe=""),
    lambda s: quote_plus(s),
    lambda s: json.dumps(s)[1:-1],
    lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    lambda s: repr(s)[1:-1],
    html.escape,
    lambda s: base64.b64encode(s.encode()).decode(),
]


@given(SECRETS, st.text(max_size=30), st.text(max_size=30))
def test_nothing_learnt_survives_however_it_is_written(
    secret: str, before: str, after: str
) -> None:
    secret = secret.strip()
    assume(redaction.is_distinct(secret) and "%" not in secret)
    redaction.forget_learnt()
    redaction.learn(secret)
    for form in FORMS:
        written = form(secret)
        shown = redact_text(f"{before}|{written}|{after}")
        assert written not in shown
        assert redact_text(shown) == shown


@given(SECRETS, st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_a_secret_is_found_wherever_the_output_is_cut(
    secret: str, cuts: list[int], flushed: bool
) -> None:
    secret = secret.strip()
    assume(redaction.is_distinct(secret))
    redaction.forget_learnt()
    redaction.learn(secret)
    text = f"first\nepoch 1 \rkey {secret} {secret}{secret} end\nlast {secret}"
    redactor, out, past = Redactor(), "", 0
    for cut in sorted(min(cut, len(text)) for cut in cuts):
        out += redactor.feed(text[past:cut])
        out += redactor.flush() if flushed else ""
        past = cut
    out += redactor.feed(text[past:]) + redactor.finish()
    assert secret not in out
    assert out.startswith("first\nepoch 1 \r")


def test_a_line_that_never_ends_is_cut_beside_its_secrets() -> None:
    redaction.learn(SECRET)
    text = ", ".join(f'"{number}": "{SECRET}"' for number in range(20_000))
    redactor = Redactor()
    blocks = [text[place : place + 7001] for place in range(0, len(text), 7001)]
    out = "".join([*map(redactor.feed, blocks), redactor.finish()])
    assert out == text.replace(SECRET, MARK)


def test_colours_hide_no_secret() -> None:
    redaction.learn("abc123def")
    redactor = Redactor()
    assert redactor.feed("\x1b[1mkey\x1b[0m abc\x1b[36m123\x1b[0mdef\n") == f"key {MARK}\n"
    assert redactor.feed("\x1b[32mok\x1b[0m\n") == "\x1b[32mok\x1b[0m\n"


def test_a_private_key_is_found_line_by_line() -> None:
    redactor = Redactor()
    lines = "a\n-----BEGIN PRIVATE KEY-----\nMIIEabc\nMIIEdef\n-----END PRIVATE KEY-----\nb\n"
    out = "".join(redactor.feed(line) for line in lines.splitlines(keepends=True))
    assert "MIIE" not in out
    assert out.startswith("a\n") and out.endswith("\nb\n")


@pytest.mark.parametrize("word", ["secret", "person", "12345", "20261", "aaaaaaaa", ""])
def test_a_word_of_everyday_is_not_replaced_everywhere(word: str) -> None:
    redaction.learn_environment({"MY_PASSWORD": word})
    assert redact_text(f"a {word} at the gate") == f"a {word} at the gate"


def test_the_environment_arguments_and_addresses_are_learnt() -> None:
    redaction.learn_environment(
        {
            "MY_SERVICE_TOKEN": "tok3n-of-env",
            "DB_PASS": "p4ss-of-env",
            "PWD": "/home/kim/place-1",
            "HTTPS_PROXY": "http://kim:pr0xy-pw@proxy:3128",
            "TOKEN_FILE": "/run/secrets/t0ken",
        }
    )
    redaction.learn_arguments(
        ["run", "x", "--api-key", "k3y-of-flag", "-p", "training.options.api_key=k3y-of-option"]
    )
    redaction.learn_text("git+https://kim:g1t%2Fpw-of-uri@host/x.git")
    basic = base64.b64encode(b"kim:g1t/pw-of-uri").decode().rstrip("=")
    for said in (
        *("tok3n-of-env", "p4ss-of-env", "pr0xy-pw", "k3y-of-flag", "k3y-of-option"),
        *("g1t%2Fpw-of-uri", "g1t/pw-of-uri", basic),
    ):
        assert redact_text(f"x {said} y") == f"x {MARK} y"
    assert redact_text("/home/kim/place-1 /run/secrets/t0ken") == (
        "/home/kim/place-1 /run/secrets/t0ken"
    )


def test_an_address_is_shown_so_that_it_can_be_followed() -> None:
    assert redaction.shown_address("https://kim:pw@mlflow:5000/a") == "https://mlflow:5000/a"
    assert redaction.shown_address("sqlite:////srv/mlflow.db") == "sqlite:////srv/mlflow.db"
    assert redaction.shown_command("x -e git+https://t0k3n@h/x") == (
        f"x -e git+https://{MARK}@h/x  # {MARK} stands for a secret, fill it in"
    )
