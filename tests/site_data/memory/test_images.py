from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guardianflow.contracts.results import sha256_of
from guardianflow.site_data.fingerprint import fingerprint
from guardianflow.site_data.memory import file_state
from guardianflow.site_data.memory import images as module
from guardianflow.site_data.memory.images import ImageMemory
from guardianflow.support.sealed_files import write_sealed

WriteImage = Callable[..., Path]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written just now counts as written long ago."""
    monkeypatch.setattr(file_state, "RACY_NS", -(10**9))


def contents(memory: Path) -> dict[str, Any]:
    return dict(json.loads(memory.read_text().partition("\n")[2]))


def test_an_image_is_read_once_and_again_when_it_changes(
    tmp_path: Path, write_image: WriteImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path / "a.png")
    memory = tmp_path / "cache" / "memory.json"
    facts, wrong = ImageMemory(memory).look_at([image])
    assert wrong == {}
    assert facts[image] == module.ImageFacts(sha256_of(image), 40, 20)

    read: list[Path] = []
    examine = module._examine
    monkeypatch.setattr(module, "_examine", lambda path: read.append(path) or examine(path))
    assert ImageMemory(memory).look_at([image])[0] == facts
    assert read == []

    write_image(image, size=(8, 6), shade=200)
    assert ImageMemory(memory).look_at([image])[0][image].width == 8
    assert read == [image]

    os.utime(image, ns=(1, 1))  # same size, another time: it may be another picture
    ImageMemory(memory).look_at([image])
    assert read == [image, image]


def test_what_left_the_set_is_forgotten(tmp_path: Path, write_image: WriteImage) -> None:
    images = [write_image(tmp_path / f"{i}.png", shade=i) for i in range(3)]
    memory = tmp_path / "memory.json"
    ImageMemory(memory).look_at(images[:2])
    ImageMemory(memory).look_at(images[1:])
    assert sorted(contents(memory)["images"]) == [str(p) for p in images[1:]]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 0}', '{"format": 1}'])
def test_a_spoilt_memory_costs_time_only(
    tmp_path: Path, write_image: WriteImage, content: str
) -> None:
    image = write_image(tmp_path / "a.png")
    memory = tmp_path / "memory.json"
    memory.write_text(content)
    assert ImageMemory(memory).look_at([image])[0][image].height == 20


def test_damaged_images_are_named_and_never_remembered(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    Image.effect_noise((200, 100), 90).save(whole)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-400])
    padded = tmp_path / "padded.jpg"
    padded.write_bytes(whole.read_bytes() + bytes(300))
    other = tmp_path / "bitmap.jpg"  # a PNG under another suffix
    Image.new("L", (5, 5)).save(other, format="PNG")
    text, empty, gone = tmp_path / "text.png", tmp_path / "empty.jpg", tmp_path / "gone.jpg"
    text.write_text("hello")
    empty.write_bytes(b"")
    memory = tmp_path / "memory.json"
    for _ in range(2):
        facts, wrong = ImageMemory(memory).look_at([whole, cut, padded, other, text, empty, gone])
        assert set(facts) == {whole, padded, other}
        assert "cut short" in wrong[cut]
        assert "can't be read as an image" in wrong[text]
        assert "can't be read as an image" in wrong[empty]
        assert "No such file" in wrong[gone]


def test_copies_of_a_set_have_one_fingerprint(tmp_path: Path, write_image: WriteImage) -> None:
    for i in range(2):
        write_image(tmp_path / "a" / f"{i}.png", shade=i)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    prints = []
    for folder in ("a", "b"):
        images = sorted((tmp_path / folder).iterdir())
        facts, _ = ImageMemory(tmp_path / f"{folder}.json").look_at(images)
        prints.append(
            fingerprint({"train": images}, [], {p: f.sha256 for p, f in facts.items()}, {})
        )
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    "images", [[], 5, None, {"IMAGE": 5}, {"IMAGE": [1, 2]}, {"IMAGE": [[1, [], "x", {}, 1], 1]}]
)
def test_a_memory_that_is_not_as_we_write_it_is_made_anew(tmp_path: Path, images: object) -> None:
    image, memory = tmp_path / "a.png", tmp_path / "memory.json"
    Image.new("RGB", (4, 4)).save(image)
    facts, _ = ImageMemory(memory).look_at([image])
    kept = contents(memory)
    text = json.dumps({**kept, "images": images}).replace("IMAGE", str(image))
    write_sealed(memory, json.loads(text))
    assert ImageMemory(memory).look_at([image])[0] == facts
    assert contents(memory) == kept
    memory.unlink()
    memory.mkdir()
    assert ImageMemory(memory).look_at([image])[0] == facts


def test_one_wrong_digit_in_a_memory_is_noticed(tmp_path: Path) -> None:
    image, memory = tmp_path / "a.png", tmp_path / "memory.json"
    Image.new("RGB", (4, 4)).save(image)
    facts, _ = ImageMemory(memory).look_at([image])
    sha = facts[image].sha256
    other = sha.replace(sha[0], "0" if sha[0] != "0" else "1")
    memory.write_text(memory.read_text().replace(sha, other))
    assert ImageMemory(memory).look_at([image])[0] == facts


def test_what_was_written_while_it_is_looked_at_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within one tick of the clock look the same; so do those with their time set."""
    monkeypatch.setattr(file_state, "RACY_NS", 2 * 10**9)
    image, memory = tmp_path / "a.bmp", tmp_path / "memory.json"
    Image.new("RGB", (4, 4), (1, 1, 1)).save(image)
    os.utime(image, ns=(1, 1))
    first, _ = ImageMemory(memory).look_at([image])
    assert contents(memory)["images"] == {}  # changed just now, whatever its time says
    Image.new("RGB", (4, 4), (2, 2, 2)).save(image)
    os.utime(image, ns=(1, 1))
    second, _ = ImageMemory(memory).look_at([image])
    assert second[image].sha256 == sha256_of(image) != first[image].sha256


@pytest.mark.parametrize("way", ["in place", "another file"])
def test_a_restored_backup_of_the_same_size_and_time_is_read(tmp_path: Path, way: str) -> None:
    image, memory = tmp_path / "a.bmp", tmp_path / "memory.json"
    Image.new("RGB", (4, 4), (1, 1, 1)).save(image)
    os.utime(image, ns=(1, 1))
    ImageMemory(memory).look_at([image])
    assert contents(memory)["images"]
    backup = tmp_path / "backup.bmp"
    Image.new("RGB", (4, 4), (2, 2, 2)).save(backup)
    if way == "in place":
        image.write_bytes(backup.read_bytes())
    else:
        backup.replace(image)
    os.utime(image, ns=(1, 1))
    assert ImageMemory(memory).look_at([image])[0][image].sha256 == sha256_of(image)


def test_two_writers_leave_a_whole_memory(tmp_path: Path, write_image: WriteImage) -> None:
    images = [write_image(tmp_path / f"{i}.png", shade=i) for i in range(20)]
    memory = tmp_path / "memory.json"
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda i: ImageMemory(memory).look_at(images[i:])[0], range(8)))
    assert all(facts[images[-1]] == several[0][images[-1]] for facts in several)
    assert contents(memory)["images"].keys() <= set(map(str, images))
    assert ImageMemory(memory).look_at(images)[0] == several[0]
