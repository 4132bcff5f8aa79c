"""Run as a program: pulls that are really killed before each single step on the file system.

    python killed_pulls.py FOLDER SCENARIO

Each pull is a child process of its own that ends itself by SIGKILL at its n-th step, for every n
until one comes through. A step is whatever changes a file system, as Python's own audit events
tell, and each fsync. Prints a JSON list: what was found after each.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from made_bundles import made_bundle

from guardianflow.release.bundle.build import Bundle
from guardianflow.release.bundle.check import check_bundle, linked_name
from guardianflow.release.bundle.install import BundleDirectory

CHANGES = {"os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.link", "os.chmod"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def pull(target: Path, bundle: Bundle) -> str:
    with BundleDirectory.opened(target) as directory:
        return directory.install(bundle).done


def pull_killed_at(step: int, target: Path, bundle: Bundle) -> bool:
    """Whether it was killed; False when it had fewer steps."""
    child = os.fork()
    if child == 0:
        left = step

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def seen(event: str, arguments: tuple[object, ...]) -> None:
            if event in CHANGES or (event == "open" and int(arguments[2] or 0) & WRITING):  # type: ignore[call-overload]
                count()

        sync = os.fsync

        def counted_sync(number: int) -> None:
            count()
            sync(number)

        os.fsync = counted_sync  # type: ignore[assignment]
        sys.addaudithook(seen)
        pull(target, bundle)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False


def state(target: Path) -> dict[str, object]:
    """What the links name, whether it is intact, and what else lies there."""
    found: dict[str, object] = {}
    for link in ("current", "previous"):
        name = linked_name(target, link)
        found[link] = name
        found[f"{link}_intact"] = name and check_bundle(target / "versions" / name).intact
    versions = target / "versions"
    found["versions"] = names(versions)
    found["others"] = [name for name in names(target) if name.startswith(".")]
    return found


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def prepare(scenario: str, target: Path, folder: Path) -> Bundle:
    """The directory as it is before the pull, and the bundle to pull."""
    one, two, three = (made_bundle(folder, version) for version in (1, 2, 3))
    if scenario == "first":
        return one
    pull(target, one)
    pull(target, two)
    if scenario == "back":
        return one
    if scenario == "repair":
        (target / "current" / "model.onnx").write_bytes(b"damaged")
        return two
    return three


def main() -> None:
    folder, scenario = Path(sys.argv[1]), sys.argv[2]
    template = folder / "template"
    bundle = prepare(scenario, template, folder)
    other = made_bundle(folder, 9)
    found = []
    step, killed = 0, True
    while killed:
        step += 1
        target = folder / f"trial-{step}"
        if template.exists():
            shutil.copytree(template, target, symlinks=True)
        killed = pull_killed_at(step, target, bundle)
        after = state(target)
        # The next pull is of the same model, and every third time of another one.
        following = other if step % 3 == 0 else bundle
        done = pull(target, following)
        found.append(
            {
                "step": step,
                "killed": killed,
                "after": after,
                "next": following.name,
                "next_done": done,
                "repaired": state(target),
            }
        )
        shutil.rmtree(target)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
