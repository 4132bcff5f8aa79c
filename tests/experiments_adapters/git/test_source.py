from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from author_code import GOOD, Write
from git_server import commit_all, serving

from experiments_adapters.author_classes import TRAINER
from experiments_adapters.code_path import ExperimentCode, load_where_there
from experiments_adapters.git import command as git_command
from experiments_adapters.git import source as git_source
from guardianflow.contracts.errors import ExperimentCodeError


def git(directory: Path, *arguments: str) -> str:
    identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository_url(write_experiment: Write) -> str:
    directory = write_experiment({"실험 a/train.py": GOOD + "VALUE = 1\n"}, "repository")
    git(directory, "init", "-q")
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "one")
    git(directory, "tag", "-a", "v1", "-m", "one")
    write_experiment({"실험 a/train.py": GOOD + "VALUE = 2\n"}, "repository")
    git(directory, "commit", "-q", "-am", "two")
    git(directory, "branch", "feature/x")
    return f"git+file://{directory}"


@pytest.mark.parametrize(("ref", "value"), [("", 2), ("@v1", 1), ("@feature/x", 2)])
def test_code_is_fetched_from_a_repository(
    repository_url: str, tmp_path: Path, ref: str, value: int, load: Callable[..., ExperimentCode]
) -> None:
    reference = f"{repository_url}{ref}#subdir=실험 a"
    code = load(reference)
    assert value == sys.modules[code.loaded_class.__module__].VALUE  # type: ignore[attr-defined]
    assert code.path.is_relative_to(tmp_path / "cache" / "git")
    assert code.reference == reference


def test_a_commit_in_the_cache_needs_no_repository(
    repository_url: str, tmp_path: Path, load: Callable[..., ExperimentCode]
) -> None:
    directory = Path(repository_url.removeprefix("git+file://"))
    commit = git(directory, "rev-parse", "HEAD~1")
    short = load(f"{repository_url}@{commit[:10]}#subdir=실험 a")
    directory.rename(tmp_path / "gone")
    again = load(f"{repository_url}@{commit}#subdirectory=실험%20a")
    assert again.path == short.path
    assert commit in str(again.path)
    with pytest.raises(ExperimentCodeError, match="can't be fetched: git ls-remote says"):
        load(f"{repository_url}@main#subdir=실험 a")


@pytest.mark.parametrize(
    "damage",
    [
        lambda clone: (clone / "실험 a" / "train.py").unlink(),
        lambda clone: (clone / "실험 a" / "train.py").write_text("class Trainer: other = 1"),
        lambda clone: (clone / ".git" / "HEAD").unlink(),
        lambda clone: shutil.rmtree(clone / ".git"),
        lambda clone: (shutil.rmtree(clone), clone.write_text("no directory")),
    ],
)
def test_a_clone_that_is_no_longer_its_commit_is_made_anew(
    repository_url: str, load: Callable[..., ExperimentCode], damage: Callable[[Path], object]
) -> None:
    reference = f"{repository_url}@v1#subdir=실험 a"
    first = load(reference)
    clone = first.path.parents[1]
    (clone / "실험 a" / "__pycache__").mkdir(exist_ok=True)  # what an import leaves is no damage
    (clone / "실험 a" / "__pycache__" / "x.pyc").write_bytes(b"")
    again = load(reference)
    assert (again.path.parent / "__pycache__" / "x.pyc").exists()
    damage(clone)
    assert load(reference).path == first.path
    assert "VALUE = 1" in first.path.read_text(encoding="utf-8")
    assert list(clone.parent.iterdir()) == [clone]


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (
            "@nope#subdir=실험 a",
            "no branch, tag or commit 'nope'; its branches are feature/x, main",
        ),
        ("#subdir=other", "has no 'other' at commit"),
        ("#subdir=../../etc", "subdir must lie inside the repository"),
        ("#branch=main", "only '#subdir=PATH' may follow"),
        ("@--upload-pack=x", "can't begin with '-'"),
    ],
)
def test_what_a_repository_lacks_is_named(
    repository_url: str, rest: str, words: str, refusal: Callable[..., str]
) -> None:
    assert words in refusal(repository_url + rest)


@pytest.mark.parametrize("reference", ["git+ext::sh -c touch", "git+https://", "git+/local/path"])
def test_other_transports_are_refused(reference: str, refusal: Callable[..., str]) -> None:
    assert "Write git+https://HOST" in refusal(reference)


def test_credentials_are_not_shown(refusal: Callable[..., str]) -> None:
    message = refusal("git+https://me:secret@127.0.0.1:9/x.git@main")
    assert "secret" not in message
    assert "127.0.0.1:9/x.git" in message


def test_a_login_reaches_the_server_and_no_file(
    write_experiment: Write,
    tmp_path: Path,
    load: Callable[..., ExperimentCode],
    refusal: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit_all(write_experiment({"train.py": GOOD}, "served/private"))
    # a user whose Git stores each login that it is told
    stored = tmp_path / "stored-logins"
    config = tmp_path / "gitconfig"
    config.write_text(f"[credential]\n\thelper = store --file {stored}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    ran: list[str] = []
    started = subprocess.run

    def run(words: list[str], **options: object) -> object:
        ran.extend(words)
        return started(words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(git_command.subprocess, "run", run)
    with serving(tmp_path / "served", "kim", "p@ss/w0rd-9") as server:
        bare = f"http://{server.rpartition('@')[2]}"
        cache = tmp_path / "cache"
        old = git_source._clones_of(cache, f"{server}/private")  # as earlier releases left it
        old.mkdir(parents=True)
        (old / "config").write_text(server)
        code = load(f"git+{server}/private")
        assert code.reference == f"git+{bare}/private"
        assert not old.exists()
        message = refusal(f"git+{bare}/private")
        assert "can't be fetched" in message
        wrong = refusal(f"git+{server.replace('w0rd-9', 'wr0ng-9')}/private")
        assert "can't be fetched" in wrong and "wr0ng-9" not in wrong
        kept = refusal(f"git+{bare.replace('://', '://REDACTED@')}/private")
        assert "must be given anew" in kept
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in ("p@ss/w0rd-9", "p%40ss", "w0rd-9"):
        assert not any(secret.encode() in text for text in texts)
        assert not any(secret in word for word in ran)
    assert not stored.exists()


def test_the_name_in_an_ssh_address_stays() -> None:
    parsed = git_source.parse("git+ssh://git@host/team/x.git@v1")
    assert (parsed.url, parsed.login) == ("ssh://git@host/team/x.git", "")
    assert parsed.shown == "git+ssh://git@host/team/x.git@v1"
    assert git_source.parse("git+ssh://git:pw@host/x").url == "ssh://git@host/x"


def test_a_repository_that_is_not_allowed_is_never_asked(
    repository_url: str, tmp_path: Path
) -> None:
    with pytest.raises(ExperimentCodeError, match="must come from one of"):
        load_where_there(
            repository_url, TRAINER, cache_dir=tmp_path / "cache", sources=["https://git.example"]
        )
    assert not (tmp_path / "cache").exists()


@contextmanager
def moving(root: Path) -> Iterator[str]:
    """Serves the files below `root`, and redirects what is asked below /moved to /other."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(root))

        def do_GET(self) -> None:
            if not self.path.startswith("/moved/"):
                super().do_GET()
                return
            self.send_response(301)
            self.send_header("Location", self.path.replace("/moved/", "/other/", 1))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_redirect_leads_to_no_repository_that_is_not_allowed(
    write_experiment: Write, tmp_path: Path
) -> None:
    directory = write_experiment({"train.py": GOOD}, "served/other/code")
    commit_all(directory)
    git(directory, "update-server-info")
    cache = tmp_path / "cache"
    with moving(tmp_path / "served") as server:
        reference = f"git+{server}/moved/code/.git"
        with pytest.raises(ExperimentCodeError, match="can't be fetched"):
            load_where_there(reference, TRAINER, cache_dir=cache, sources=[f"{server}/moved"])
        # Without a list it is followed, as git does where a repository has moved.
        assert load_where_there(reference, TRAINER, cache_dir=cache) is not None
