"""Experiment code that lives in a Git repository: `git+https://host/repo.git@ref#subdir=path`.

Cloned into the cache under its commit, so that a fixed commit needs no network the second time.
A login in the address reaches git by its environment alone: neither the clone's `.git/config`, nor
a list of processes, nor a credential store of the user's shows it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from guardianflow.contracts.errors import ExperimentCodeError, MissingDependencyError
from guardianflow.contracts.given import given_url
from guardianflow.support.secrets.redaction import MARK, learn_text, redact_text

from .command import run_git

PREFIX = "git+"
_SCHEMES = ("https", "ssh", "git", "file", "http")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CLONE_SECONDS = 600
# Answers git's question for a login; a helper's text is run by git's own shell, and holds no value.
_LOGIN_HELPER = (
    '!f() { test "$1" = get || exit 0; '
    'echo "username=$GUARDIANFLOW_GIT_USER"; echo "password=$GUARDIANFLOW_GIT_PASSWORD"; }; f'
)
_EXPECTED = "git+https://HOST/REPOSITORY.git@REF#subdir=PATH"


@dataclass(frozen=True)
class GitReference:
    """The parts of a reference.

    Args:
        url: what git is given; without credentials.
        ref: branch, tag or commit; '' for the repository's default branch.
        subdir: directory or file inside the repository; '' for its root.
        login: 'user:password' or a token, as the address had it; '' for none.
        redirects: whether the server may name another address.
    """

    url: str
    ref: str
    subdir: str
    login: str = field(default="", repr=False)
    redirects: bool = True

    @property
    def shown(self) -> str:
        """The reference without credentials, fit for messages and tags."""
        ref = f"@{self.ref}" if self.ref else ""
        subdir = f"#subdir={self.subdir}" if self.subdir else ""
        return f"{PREFIX}{self.url}{ref}{subdir}"


def parse(reference: str) -> GitReference:
    """Split a `git+…` reference.

    Raises:
        ExperimentCodeError: another scheme, no host or repository, an unusable ref or fragment.
    """
    learn_text(reference)
    parts = given_url(reference.removeprefix(PREFIX))
    login, _, host = parts.netloc.rpartition("@")
    # ssh is told a name by its address; a password is for http alone
    name = login.partition(":")[0]
    place = f"{name}@{host}" if name and parts.scheme == "ssh" else host
    path, _, ref = parts.path.partition("@")
    fragment_name, _, subdir = parts.fragment.partition("=")
    subdir = unquote(subdir)
    url = urlunsplit((parts.scheme, place, path, "", ""))
    found = GitReference(url, ref, subdir, login if parts.scheme in ("http", "https") else "")
    problem = ""
    if parts.scheme not in _SCHEMES:
        problem = f"the scheme must be one of {', '.join(_SCHEMES)} but is '{parts.scheme}'"
    elif not path.strip("/") or (parts.scheme != "file" and not parts.netloc):
        problem = "it names no repository"
    elif ref.startswith("-") or parts.netloc.startswith("-"):
        problem = "a host or ref can't begin with '-'"
    elif parts.fragment and fragment_name not in ("subdir", "subdirectory"):
        problem = f"only '#subdir=PATH' may follow '#', but '#{parts.fragment}' does"
    elif Path(subdir).is_absolute() or ".." in Path(subdir).parts:
        problem = f"subdir must lie inside the repository but is '{subdir}'"
    elif MARK in login:
        problem = "its login is not kept with a run, so it must be given anew"
    if problem:
        raise ExperimentCodeError(f"experiment code '{found.shown}': {problem}. Write {_EXPECTED}")
    return found


def fetch(reference: GitReference, cache_dir: Path) -> Path:
    """Directory or file of the reference, from the cache or freshly cloned into it.

    Args:
        cache_dir: clones stand under it as `git/{repository}/{commit}`.

    Raises:
        ExperimentCodeError: the repository can't be reached or has no such ref or subdir.
        MissingDependencyError: git is not installed.
    """
    if shutil.which("git") is None:
        raise MissingDependencyError(
            "git", f"experiment code '{reference.shown}'", "apt install git"
        )
    clones = _clones_of(cache_dir, reference.url)
    if reference.login:
        _remove_old_clones(reference, cache_dir)
    commit = reference.ref if _COMMIT.fullmatch(reference.ref) else _advertised(reference)
    clone = clones / commit
    if not commit or not _is_whole(reference, clone, commit):
        clone = _clone(reference, clones)
    path = clone / reference.subdir
    if not path.resolve().is_relative_to(clone.resolve()) or not path.exists():
        folders = sorted(p.name for p in clone.iterdir() if p.is_dir() and p.name != ".git")
        raise ExperimentCodeError(
            f"experiment code '{reference.shown}': the repository has no '{reference.subdir}' at "
            f"commit {clone.name[:12]}; its folders are {', '.join(folders[:20]) or 'none'}"
        )
    return path


def _is_whole(reference: GitReference, clone: Path, commit: str) -> bool:
    """Whether the clone still is its commit; what is not is moved away, to be cloned anew.

    A cleaner of caches takes files one by one; an edited file is other code under the same name.
    """
    if not os.path.lexists(clone):
        return False
    place = clone if clone.is_dir() else clone.parent
    checks = (
        ["rev-parse", "--show-prefix", "HEAD"],
        ["status", "--porcelain", "-uno", "--ignore-submodules=all"],
    )
    said = [_run(reference, check, place) for check in checks]
    # An empty prefix: the repository begins here, it is not one that lies around the cache.
    begins_here = said[0].stdout.split("\n")[:2] == ["", commit]
    unchanged = not said[1].stdout.strip()
    if all(each.returncode == 0 for each in said) and begins_here and unchanged:
        return True
    with tempfile.TemporaryDirectory(dir=clone.parent, prefix="damaged-") as away:
        clone.rename(Path(away) / "clone")
    return False


def _clones_of(cache_dir: Path, url: str) -> Path:
    return cache_dir / "git" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _remove_old_clones(reference: GitReference, cache_dir: Path) -> None:
    """Remove what earlier releases kept: clones whose `.git/config` holds the login."""
    scheme, _, rest = reference.url.partition("://")
    shutil.rmtree(_clones_of(cache_dir, f"{scheme}://{reference.login}@{rest}"), ignore_errors=True)


def _advertised(reference: GitReference) -> str:
    """Commit that the server says the ref stands for; '' where it does not list it."""
    ref = reference.ref or "HEAD"
    wanted = ["HEAD"] if ref == "HEAD" else [f"refs/tags/{ref}", f"refs/heads/{ref}", ref]
    output = _git(reference, ["ls-remote", "--", reference.url, *wanted, f"refs/tags/{ref}^{{}}"])
    listed: dict[str, str] = {}
    for line in output.splitlines():
        commit, tab, name = line.partition("\t")
        if tab:
            listed[name] = commit
    # An annotated tag is an object of its own: '^{}' is the commit it points at.
    order = (f"refs/tags/{ref}^{{}}", *wanted)
    return next((listed[name] for name in order if name in listed), "")


def _clone(reference: GitReference, clones: Path) -> Path:
    """Clone beside the final place, check the ref out, move it there under its commit."""
    clones.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=clones, prefix="clone-") as name:
        working = Path(name) / "repository"
        _git(reference, ["clone", "--quiet", "--no-checkout", "--", reference.url, str(working)])
        commit = _resolve(reference, working)
        _git(reference, ["checkout", "--quiet", "--detach", commit], working)
        final = clones / commit
        try:
            working.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was faster with the same commit
                raise
        return final


def _resolve(reference: GitReference, working: Path) -> str:
    ref = reference.ref or "HEAD"
    for candidate in (f"refs/tags/{ref}", f"refs/remotes/origin/{ref}", ref):
        asked = ["rev-parse", "--quiet", "--verify", f"{candidate}^{{commit}}"]
        found = _run(reference, asked, working)
        if found.returncode == 0:
            return found.stdout.strip()
    branches = _git(reference, ["branch", "--remotes", "--format=%(refname:lstrip=3)"], working)
    known = [b for b in branches.split() if b != "HEAD"]
    raise ExperimentCodeError(
        f"experiment code '{reference.shown}': the repository has no branch, tag or commit "
        f"'{ref}'; its branches are {', '.join(known[:20]) or 'none'}"
    )


def _git(reference: GitReference, arguments: list[str], working: Path | None = None) -> str:
    """Run git with list arguments; its own words, without credentials, in the error."""
    try:
        done = _run(reference, arguments, working)
    except subprocess.TimeoutExpired as exc:
        raise ExperimentCodeError(
            f"experiment code '{reference.shown}': git gave no answer in {_CLONE_SECONDS} s; "
            "check the network, or clone it yourself and give the directory"
        ) from exc
    if done.returncode:
        words = redact_text(done.stderr).strip().splitlines()
        raise ExperimentCodeError(
            f"experiment code '{reference.shown}' can't be fetched: git {arguments[0]} says "
            f"'{' '.join(words[-3:]) or 'nothing'}'. Check the address and your access, or clone "
            "it yourself and give the directory"
        )
    return done.stdout


def _run(
    reference: GitReference, arguments: list[str], working: Path | None
) -> subprocess.CompletedProcess[str]:
    """Run git in a clone, or where no repository is: one around us would add its own settings."""
    ssh = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    user, _, password = reference.login.partition(":")
    login = {
        "GUARDIANFLOW_GIT_USER": unquote(user),
        "GUARDIANFLOW_GIT_PASSWORD": unquote(password),
    }
    # The empty one takes out the user's own helpers, which would store what they are told.
    helpers = [
        ("credential.helper", ""),
        (f"credential.{_origin(reference.url)}.helper", _LOGIN_HELPER),
    ]
    with tempfile.TemporaryDirectory(prefix="guardianflow-git-") as empty:
        nowhere = {} if working else {"GIT_CEILING_DIRECTORIES": str(Path(empty).parent)}
        return run_git(
            arguments,
            working or Path(empty),
            wait_s=_CLONE_SECONDS,
            transports=":".join(_SCHEMES),
            variables={"GIT_SSH_COMMAND": ssh, **nowhere, **(login if reference.login else {})},
            settings=[
                *(helpers if reference.login else ()),
                *(() if reference.redirects else [("http.followRedirects", "false")]),
            ],
        )


def _origin(url: str) -> str:
    """The server that the login is for: 'https://host:8443'."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
