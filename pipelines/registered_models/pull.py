"""From the registry to a directory of edge bundles: find, fetch, verify, install.

    describe(NAME@champion) → which version → fetch it → bundle → versions/, current

The version is looked up once: an alias that moves meanwhile does not mix two versions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow import __version__
from guardianflow.contracts.errors import (
    BundleError,
    GuardianFlowError,
    SourceError,
    UnsignedReleaseError,
)
from guardianflow.contracts.releases import CHAMPION
from guardianflow.contracts.results import DetectorPackage, DetectorSpec, RegisteredModel
from guardianflow.release.bundle.build import Bundle, bundle_name, make_bundle
from guardianflow.release.bundle.check import RELEASE_FILES, RUN_SCRIPT
from guardianflow.release.bundle.install import (
    OUT_OF_SPACE,
    BundleDirectory,
    Installed,
    Progress,
)
from guardianflow.release.signing.releases import SignedRelease, kept_release, unsigned
from guardianflow.support.child_processes import join

from ..stage.stage import library_versions
from ..wiring import Ports

if TYPE_CHECKING:
    from guardianflow.release.signing.minisign import PublicKey

PYTHON_NEEDED = ">=3.11"
TOLD_EVERY_S = 5.0
SCHEME = "models:/"
SHOWN_NAMES = 8
# Of the runs that a model comes from: what says which code and data made it.
LINEAGE_TAGS = (
    "mlflow.source.git.commit",
    "experiment_code_path",
    "experiment_code_fingerprint",
    "guardianflow.fingerprint",
    "data.version",
    "data.path",
    "data.dvc_hash",
    "exp.version",
)
Say = Callable[[str], None]


def pull_model(
    reference: str,
    target: Path,
    ports: Ports,
    *,
    key: PublicKey | None = None,
    say: Say = lambda _text: None,
    progress: Progress | None = None,
) -> tuple[RegisteredModel, Installed]:
    """Make a registered detector the current bundle of a directory, or change nothing.

    Args:
        reference: 'NAME@alias', 'NAME/3', or 'NAME', which means its champion; NAME with slashes
            or dots; with or without 'models:/' before it.
        target: directory of bundles; made where it is missing.
        key: only what it has signed is taken.
        say: told what is being done.
        progress: bytes of the bundle written, of how many.

    Returns:
        The version pulled, and what was done with it.

    Raises:
        SourceError: no such model, version or alias; it is no detector of ours; a file does not
            match its sha256.
        ConfigurationError: the directory is not ours.
        UnsignedReleaseError: the key did not sign this version.
        BundleError: no room, another pull at work, a failing medium.
        TrackingError: the store can't be reached.
    """
    model = described(full_reference(reference), ports)
    digest = model.tags.get("sha256", "")
    kept = kept_release(model.name, model.version, model.tags)
    if key is not None:
        if kept is None:
            raise unsigned(model.name, model.version, key)
        say(f"signed: {kept.release.check(kept.signature, key)}")
    with BundleDirectory.opened(target) as directory:
        name = bundle_name(model.name, model.version, digest)
        signed = kept.files if kept else {}
        if digest and (found := directory.already_current(name, signed)) is not None:
            return model, found
        with _scratch(target) as scratch:
            say(f"fetching {model.display_name} version {model.version}")
            with _telling_size(Path(scratch), say):
                package, runtime = fetched(model, ports, Path(scratch))
            if package.verified_by.note:
                say(f"{model.display_name} version {model.version} is {package.verified_by.note}")
            say(f"writing {package.size_bytes / 1e6:.1f} MB of model files to {target}")
            bundle = _signed_bundle(model, package, runtime, kept, key, say) if kept else None
            pulled = {
                "reference": reference,
                "aliases": list(model.aliases),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "guardianflow": __version__,
            }
            bundle = bundle or make_bundle(
                package,
                model=model.name,
                version=model.version,
                facts=facts_of(model, package, ports, {"pulled": pulled}),
                runtime=runtime,
            )
            return model, directory.install(bundle, progress)


def _signed_bundle(
    model: RegisteredModel,
    package: DetectorPackage,
    runtime: Path,
    kept: SignedRelease,
    key: PublicKey | None,
    say: Say,
) -> Bundle | None:
    """The bundle that was signed; None where it can't be made here, and no key asks for it.

    Raises:
        UnsignedReleaseError: a file of it is not the one that was signed; names it.
    """
    bundle = make_bundle(
        package,
        model=model.name,
        version=model.version,
        facts={},
        runtime=runtime,
        description=kept.release.description,
        signed=kept.files,
    )
    own = {name: each for name, each in bundle.sums.items() if name not in RELEASE_FILES}
    if not (names := kept.release.differing(own)):
        return bundle
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    problem = (
        f"{model.display_name} version {model.version} is not what was signed: "
        f"{', '.join(names[:SHOWN_NAMES])}{more}"
    )
    if key is not None:
        raise UnsignedReleaseError(
            f"{problem}. Nothing was taken. Where only {RUN_SCRIPT} and runtime/ differ, pull with "
            f"GuardianFlow {kept.release.guardianflow}, which signed it (here is {__version__}), "
            "or sign it anew with this one; else find out who changed it"
        )
    say(f"{problem}: its signature is left out")
    return None


def full_reference(reference: str) -> str:
    """As the registry takes it; a name alone means its champion, never just the latest version.

    Raises:
        SourceError: it is empty, or names something that is no registered model.
    """
    name = reference.strip().removeprefix(SCHEME).strip("/")
    if not name or ":/" in name:
        raise SourceError(
            f"'{reference}' must name a registered model: NAME@champion, NAME/3 or NAME. "
            "`guardianflow list models` shows all"
        )
    numbered = name.rpartition("/")[0] and name.rpartition("/")[2].isdecimal()
    chosen = "@" in name or numbered or name.endswith("/latest")
    return f"{SCHEME}{name}" if chosen else f"{SCHEME}{name}@{CHAMPION}"


def described(reference: str, ports: Ports) -> RegisteredModel:
    try:
        return ports.registry.describe(reference)
    except SourceError as exc:
        name, _, alias = reference.removeprefix(SCHEME).partition("@")
        dotted = name.replace("/", ".")
        if alias == CHAMPION and any(m.name == dotted for m in ports.registry.list_models(name)):
            raise SourceError(
                f"{exc}. No version has been promoted yet: guardianflow promote {name}; or name "
                f"another one, e.g. {name}@candidate"
            ) from exc
        raise


@contextmanager
def _telling_size(folder: Path, say: Say) -> Iterator[None]:
    """Tell now and then how much has arrived; mlflow tells nobody."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(TOLD_EVERY_S):
            with suppress(OSError):  # a file may go while its folder is read
                size = sum(path.lstat().st_size for path in folder.rglob("*"))
                say(f"fetched {size / 1e6:.1f} MB")

    teller = threading.Thread(target=tell, name="fetch-progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        join(teller)


def _scratch(target: Path) -> tempfile.TemporaryDirectory[str]:
    """A place to fetch into, not on the box's medium, which need not hold a model twice.

    What a killed pull into the same directory left is removed: the caller holds its lock.
    """
    mark = hashlib.sha256(str(target.expanduser().absolute()).encode()).hexdigest()[:12]
    prefix = f"guardianflow-pull-{mark}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=prefix)


def fetched(model: RegisteredModel, ports: Ports, scratch: Path) -> tuple[DetectorPackage, Path]:
    """The verified package, and our modules that run it: those inside every logged model."""
    from guardianflow.backends.catalogue import backend_info
    from guardianflow.run_tracking.runtime_copy import copy_runtime

    try:
        package = ports.registry.fetch(model.uri, scratch / "package")
        return package, copy_runtime(backend_info(package.spec.backend).module, scratch)
    except (GuardianFlowError, OSError) as exc:
        if _is_full(exc):
            raise BundleError(
                f"{scratch.parent} has no room to fetch {model.display_name} into. Make room "
                "there, or name another directory in TMPDIR. Nothing was changed"
            ) from exc
        if isinstance(exc, OSError):
            raise BundleError(
                f"{model.display_name} could not be fetched into {scratch}: {exc}. Nothing was "
                "changed"
            ) from exc
        raise


def _is_full(exc: BaseException | None) -> bool:
    """True where a disk was full; mlflow keeps only the words of that."""
    words = {os.strerror(number) for number in OUT_OF_SPACE}
    while exc is not None:
        if isinstance(exc, OSError) and exc.errno in OUT_OF_SPACE:
            return True
        if any(each in str(exc) for each in words):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def facts_of(
    model: RegisteredModel, package: DetectorPackage, ports: Ports, more: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Facts that model.yaml tells beyond the package's own description."""
    return {
        "python": PYTHON_NEEDED,
        "requirements": requirements(package.spec),
        "release": {k: v for k, v in sorted(model.tags.items()) if k.startswith("release.")},
        **more,
        "lineage": _lineage(model, package.spec, ports),
    }


def _lineage(model: RegisteredModel, spec: DetectorSpec, ports: Ports) -> dict[str, str]:
    """Runs, data and code behind the model. A run that was deleted is named, its tags absent."""
    found: dict[str, str] = {}
    runs = {
        "run": model.run_id or "",
        "source_run": spec.lineage.get("source_run_id") or model.tags.get("source_run_id", ""),
    }
    for role, run_id in runs.items():
        if not run_id:
            continue
        found[f"{role}_id"] = run_id
        run = ports.run_if_there(run_id)
        tags = run.tags if run else {}
        found |= {f"{role}.{tag}": tags[tag] for tag in LINEAGE_TAGS if tags.get(tag)}
    return found


def requirements(spec: DetectorSpec) -> list[str]:
    """Requirements of the box, as pip takes them.

    The backend's library has the version that made the files, which is the one they were judged
    with; else the one installed here; else none is named, as none is known to work. OpenCV is left
    out: the bundle does without.
    """
    from guardianflow.backends.catalogue import OPENCV_DISTRIBUTIONS, backend_info

    made_with = dict(
        each.split("==", 1)
        for each in spec.lineage.get("export_versions", "").split()
        if "==" in each
    )
    pinned = []
    for name in backend_info(spec.backend).requirements:
        # All builds of OpenCV share their numbers.
        builds = OPENCV_DISTRIBUTIONS if name in OPENCV_DISTRIBUTIONS else (name,)
        version = (
            spec.lineage.get(f"{name}_version")
            or made_with.get(name)
            or next(filter(None, map(library_versions(*builds).get, builds)), "")
        )
        pinned.append(f"{name}=={version.partition('+')[0]}" if version else name)
    return pinned
