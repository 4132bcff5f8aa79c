"""Finds secrets by how they look: in an address, behind a key that names one, by a known shape.

    user info of an address    https://user:PASSWORD@host, git+https://TOKEN@host; not ssh://git@
    a signed address           ?X-Amz-Signature=…, ?sig=…
    behind a key               api_key=…, password: …, --token …, "secret": "…"
    known shapes               ghp_…, glpat-…, AKIA…, xoxb-…, hf_…, JSON web tokens, private keys

Nothing is remembered here; see redaction.py. A text may be a long log: a rule is tried only where
a word that it needs is in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MARK = "REDACTED"
"""Stands where a secret was: a word that JSON, YAML, HTML, addresses and shells leave as it is."""


LONG_WORD = 12
"""A word of letters alone must be so long to be told from other text by itself."""


class Span(NamedTuple):
    """A secret in a text; `quote` belongs around what replaces it."""

    start: int
    end: int
    quote: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- keys ---------------------------------------------------------------------------------------

_WORDS = _words(
    "secret secrets token password passwords passwd passphrase passcode credential credentials "
    "authorization apikey apikeys accesskey secretkey privatekey authkey authtoken "
    "비밀번호 암호 토큰"
)
_BEFORE_KEY = _words("api access secret private account auth signing encryption")
# 'password_file' says where one is, 'token_count' how many there are.
_ABOUT_ONE = _words(
    "count counts file files path paths dir directory folder name names type kind length len size "
    "limit url uri host env id ids num index expiry expires ttl rate weight loss dim field"
)
# Tokens of texts and of transformers are no secrets.
_OTHER_TOKENS = _words(
    "pad bos eos unk sep cls mask class special stop next first last max min num per page"
)
_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def names_secret(key: str) -> bool:
    """Whether a key names a secret: 'training.options.api_key', 'AWS_SECRET_ACCESS_KEY'.

    Words count as wholes: 'tokenizer', 'max_tokens', 'token_count' and 'keypoints' name none.
    """
    words = [word.lower() for word in _KEY_WORD.findall(key)]
    if not words:
        return False
    if words[-3:] == ["access", "key", "id"]:
        return True
    if words[-1] in _ABOUT_ONE:
        return False
    pairs = list(zip(["", *words], words, strict=False))
    return any(
        (word in _WORDS and not (word == "token" and before in _OTHER_TOKENS))
        or (word in ("key", "keys") and before in _BEFORE_KEY)
        for before, word in pairs
    )


_HINTS = (
    *("secret", "token", "passw", "passphrase", "passcode", "credential", "authorization"),
    *("key", "비밀번호", "암호", "토큰"),
)
_HINT = re.compile("|".join(_HINTS))
_SMALL = str.maketrans({c: c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
_KEY_CHARACTER = re.compile(r"[\w.\-]")
_SEPARATOR = re.compile(
    r"""(?P<closed>\\*["'])?\]?(?:(?P<sign>\s*(?::=|=>|==?|:(?!/))\s*)|(?P<gap>,?[ \t]+))"""
)
_QUOTED = re.compile(
    r"""[bBrRuUfF]{0,2}(?:(?P<quote>["'])(?P<value>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)"""
    r"""|(?P<escaped>\\+["'])(?P<inner>.*?)(?P=escaped))"""
)
# An option that code declares: add_argument("--api-key", type=str, default="…")
_DECLARED = re.compile(r"""["']\s*,(?P<between>[^=]*?(?:=[^=]*?){0,4}?)\bdefault\s*=\s*""")
_DECLARED_WITHIN = 300
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|Digest)\s+", re.IGNORECASE)
_BARE = re.compile(r"""[^\s,;&"'`<>\\]+""")
_WHOLE_LINE = re.compile(r"""[^\s"'#{}\[\]|>&*!%@`\\][^\r\n"'\\]*?(?=\s+#|\s*$)""")
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[].*|(?:[A-Za-z_]\w*\.)+(?P<last>[A-Za-z_]\w*)")
_NO_SECRET = _words(
    "none null nil true false yes no on off str int bytes float bool optional any string secretstr "
    "value text required unset empty todo token password secret"
) | {MARK.lower()}


def _is_value(text: str, key: str) -> bool:
    """Whether what stands behind a key can be its secret: no gap, reference or piece of code."""
    if len(text) < 2 or not any(character.isalnum() for character in text):
        return False
    if text.lower() in _NO_SECRET or text[0] in "${%<" or MARK in text:
        return False
    plain = "".join(_KEY_WORD.findall(key)).lower()
    return "".join(_KEY_WORD.findall(text)).lower() != plain or any(map(str.isdigit, text))


def _keyed(text: str, bare: bool) -> Iterator[Span]:
    """Values behind keys, each in the line of its key; `bare` also those without quotes."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that has no small one of its own
        lowered = text.translate(_SMALL)
    if not any(hint in lowered for hint in _HINTS):
        return
    past = 0
    for hint in _HINT.finditer(lowered):
        start, end = hint.span()
        if start < past or (hint[0] == "key" and not _is_key_of_secret(lowered, start)):
            continue
        while start and _KEY_CHARACTER.match(text[start - 1]):
            start -= 1
        while end < len(text) and _KEY_CHARACTER.match(text[end]):
            end += 1
        past, key = end, text[start:end].strip(".")
        if not names_secret(key):
            continue
        if (declared := _declared(text, end, key)) is not None:
            yield declared
            past = declared.end
            continue
        begin = text.rfind("\n", 0, start) + 1
        stop = text.find("\n", end)
        line = text[begin : stop if stop >= 0 else len(text)]
        separator = _SEPARATOR.match(line, end - begin)
        if separator is None or (separator["gap"] is not None and not key.startswith("-")):
            continue
        found = _value(line, separator.end(), key, separator, bare, start - begin)
        if found is not None:
            yield Span(found.start + begin, found.end + begin, found.quote)
            past = found.end + begin


def _declared(text: str, at: int, key: str) -> Span | None:
    """The default of an option that is declared in code, over several lines perhaps."""
    found = _DECLARED.match(text, at, at + _DECLARED_WITHIN) if key.startswith("-") else None
    if found is None or "add_argument" in found["between"] or "option(" in found["between"]:
        return None
    quoted = _QUOTED.match(text, found.end())
    if quoted is None or not quoted["quote"] or not _is_value(quoted["value"], key):
        return None
    return Span(*quoted.span("value"))


def _is_key_of_secret(lowered: str, at: int) -> bool:
    """Whether it is the 'key' of 'api_key', not of 'keypoints'."""
    return lowered[max(0, at - 14) : at].rstrip("_.-").endswith(tuple(_BEFORE_KEY))


def _value(
    line: str, at: int, key: str, separator: re.Match[str], bare: bool, key_start: int
) -> Span | None:
    quoted = _QUOTED.match(line, at)
    if quoted is not None:
        start, end = quoted.span("value" if quoted["quote"] else "inner")
        if scheme := _SCHEME.match(line, start, end):
            start = scheme.end()
        return Span(start, end) if _is_value(line[start:end], key) else None
    closed, sign = separator["closed"] or "", separator["sign"] or ""
    if (not bare and not (closed and ":" in sign)) or "," in (separator["gap"] or ""):
        return None
    if scheme := _SCHEME.match(line, at):
        at = scheme.end()
    found = _BARE.match(line, at)
    # `password: two words` of YAML is one value; in JSON the brackets are not its own
    begins_line = not line[:key_start].strip(" \t-")
    if not closed and ":" in sign and begins_line:
        found = _WHOLE_LINE.match(line, at) or found
    if found is None:
        return None
    value = found[0].rstrip(")]}.,")
    if ":" in sign and not begins_line and value.isalpha() and len(value) < LONG_WORD:
        return None  # 'it is a secret: ask for it'
    code = _CODE.fullmatch(value)
    is_code = code is not None and (code["last"] is None or names_secret(code["last"]))
    number = value.isdigit() and len(value) < 6
    if is_code or number or not _is_value(value, key):
        return None
    if separator["gap"] is not None and value.startswith("-"):
        return None
    quote = closed if closed and ":" in sign else ""  # a number in JSON becomes a text
    return Span(at, at + len(value), quote)


# --- addresses ----------------------------------------------------------------------------------

_USER_INFO = re.compile(
    r"""(?<![\w+.\-])(?P<scheme>[A-Za-z][\w+.\-]*)://(?P<info>[^\s/?\#"'<>`\\]+)@(?=[^\s@])"""
)
# A database's password may hold '/' and '?', as SQLAlchemy reads it.
_DATABASE = re.compile(
    r"""(?<![\w+.\-])(?P<scheme>(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|redis|rediss|amqps?|"""
    r"""mongodb)(?:\+\w+)?)://(?P<info>[^\s:/@"'<>]*:[^\s@"'<>]*)@""",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"""[?&](?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|"""
    r"""signature|sig)=(?P<value>[^\s&\#"'<>\\]+)""",
    re.IGNORECASE,
)


def _is_login(scheme: str, info: str) -> bool:
    """`git@` of ssh is the same for all; whatever else stands before an @ lets somebody in."""
    password = info.rpartition(":")[2]
    if MARK in info or not any(map(str.isalnum, password)):  # 'https://…@host' of a manual
        return False
    return ":" in info or not scheme.lower().endswith(("ssh", "sftp", "rsync"))


def user_infos(text: str) -> Iterator[Span]:
    """The logins of addresses, before their @: 'user:password' or a token."""
    if "://" not in text or "@" not in text:
        return
    for rule in (_USER_INFO, _DATABASE):
        for found in rule.finditer(text):
            if _is_login(found["scheme"], found["info"]):
                yield Span(*found.span("info"))


# --- shapes -------------------------------------------------------------------------------------
# What is looked ahead at is bounded: else a long line of `sk-sk-…` takes quadratic time.

_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "sk-", "AIza"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w\-]{16,}"
            r"|hf_[A-Za-z0-9]{20,}|sk-(?=[\w\-]{0,200}\d)[\w\-]{20,}|AIza[\w\-]{30,})"
        ),
    ),
    (("AKIA", "ASIA"), re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])")),
    (("xox",), re.compile(r"(?<![A-Za-z0-9])xox[a-z]-[\w\-]{10,}")),
    (("eyJ",), re.compile(r"(?<![A-Za-z0-9])eyJ[\w\-]{8,8192}+\.[\w\-]{8,}+\.[\w\-]*")),
    (
        ("earer ", "EARER "),
        re.compile(r"(?i:\bbearer )(?=[^\s\"']*\d)(?P<value>[\w\-.~+/]{16,}=*)"),
    ),
    (
        ("PRIVATE KEY-----",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<value>.*?)"
            r"(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
    ),
)


def _shaped(text: str) -> Iterator[Span]:
    for needed, rule in _SHAPES:
        if any(word in text for word in needed):
            for found in rule.finditer(text):
                span = Span(*found.span("value" if "value" in rule.groupindex else 0))
                if text[span.start : span.end].strip() not in ("", MARK):
                    yield span


def find_secrets(text: str, *, keyed: bool = True, bare: bool = True) -> Iterator[Span]:
    """Every secret that can be seen as one; in no order, they may overlap.

    Args:
        keyed: also what stands behind a key that names a secret.
        bare: of these, also values without quotes; not in source code, where they are names.
    """
    yield from user_infos(text)
    if "=" in text and "://" in text:
        for found in _SIGNED.finditer(text):
            if any(map(str.isalnum, found["value"])) and found["value"] != MARK:
                yield Span(*found.span("value"))
    yield from _shaped(text)
    if keyed:
        yield from _keyed(text, bare)
