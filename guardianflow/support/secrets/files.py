"""Files that hold no secrets: written so, made so, or copied so before they are uploaded.

A file is a text where its beginning holds no NUL byte (UTF-16 says itself by its first bytes);
of a text each secret is replaced. Another file can't be changed: whether it holds a learnt secret
as it is can be told, and no more; what is compressed in it can't be seen.
"""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..files import scratch_folder
from .redaction import Redactor, find_learnt, longest_learnt, redact_text

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
BEGINNING = 8192
BLOCK = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CODE_SUFFIXES = (".py", ".ipynb")
Tell = Callable[[str], None]


def write_private(path: Path, text: str) -> None:
    """Write a text without its secrets to a file that its owner alone can read."""
    path.unlink(missing_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(redact_text(text))


def make_private_folder(path: Path) -> None:
    """Make a directory that its owner alone can enter, whatever the umask is."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)


def redact_in_place(folder: Path, tell: Tell) -> None:
    """Take the secrets out of every text below a directory of ours that is kept.

    Args:
        tell: told which file can't be rewritten and holds a secret.
    """
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        kind = _encoding(path)
        if kind is None:
            if holds_learnt(path):
                tell(f"{path} holds a secret and is no text that it can be taken out of")
            continue
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".redacted-", delete=False) as to:
            changed = _copy_redacted(path, Path(to.name), kind)
        if changed:
            Path(to.name).chmod(path.stat().st_mode & 0o777)
            Path(to.name).replace(path)
        else:
            Path(to.name).unlink()


@contextmanager
def without_secrets(source: Path, tell: Tell, keep: Callable[[Path], bool]) -> Iterator[Path]:
    """A file or directory as it may leave: itself, or a copy where a text in it holds a secret.

    Args:
        tell: told which file holds a secret and goes as it is.
        keep: whether a file must go as it is, because its hash is kept elsewhere.
    """
    with scratch_folder("guardianflow-clean-") as scratch:
        clean = scratch / source.name
        if source.is_file():
            yield clean if _clean_copy(source, clean, tell, keep) else source
            return
        changed, files = False, [path for path in source.rglob("*") if path.is_file()]
        for path in files:
            target = clean / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            changed = _clean_copy(path, target, tell, keep) or changed
        if not changed:
            yield source
            return
        for path in files:
            target = clean / path.relative_to(source)
            if not target.exists():
                target.symlink_to(path.resolve())
        yield clean


def _clean_copy(source: Path, target: Path, tell: Tell, keep: Callable[[Path], bool]) -> bool:
    """Write a copy without secrets; where there are none, or none may be taken out, write none."""
    kind = _encoding(source)
    if kind is None or keep(source):
        if holds_learnt(source):
            tell(f"{source} holds a secret, which can't be taken out of it: it is kept as it is")
        return False
    changed = _copy_redacted(source, target, kind)
    if not changed:
        target.unlink()
    return changed


def holds_learnt(path: Path) -> bool:
    """Whether a file holds a learnt secret as it is; read in blocks that overlap."""
    overlap = longest_learnt()
    if not overlap:
        return False
    tail = b""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            if find_learnt(tail + block):
                return True
            tail = (tail + block)[-overlap:]
    return False


def _encoding(path: Path) -> str | None:
    """The encoding of a text; None for what is no text."""
    with path.open("rb") as stream:
        beginning = stream.read(BEGINNING)
    if beginning.startswith(_UTF16):
        return "utf-16"
    return None if b"\0" in beginning else "utf-8"


def _copy_redacted(source: Path, target: Path, encoding: str) -> bool:
    """Copy a text of any length without its secrets; whether there were some.

    Bytes that are no UTF-8, of an older Korean file say, stay as they are.
    """
    code = source.suffix in _CODE_SUFFIXES
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    redactor, changed = Redactor(bare=not code), False
    try:
        with (
            source.open(encoding=encoding, errors=errors, newline="") as given,
            target.open("w", encoding=encoding, errors=errors, newline="") as taken,
        ):
            # A length would tell nothing: a secret may be as long as what replaces it.
            unread = ""
            while block := given.read(BLOCK):
                out = redactor.feed(block)
                unread += block
                changed = changed or out != unread[: len(out)]
                unread = "" if changed else unread[len(out) :]
                taken.write(out)
            rest = redactor.finish()
            taken.write(rest)
            return changed or rest != unread
    except UnicodeError:  # not what its first bytes say: then it goes as it is
        return False
