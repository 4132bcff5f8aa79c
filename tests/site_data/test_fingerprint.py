from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from guardianflow.contracts.results import sha256_of
from guardianflow.site_data import fingerprint as module
from guardianflow.site_data.fingerprint import ImageMemory, fingerprint

WriteImage = Callable[..., Path]


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
    assert sorted(json.loads(memory.read_text())["images"]) == [str(p) for p in images[1:]]


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


def hashes(root: Path, count: int = 3) -> tuple[dict[str, list[Path]], dict[Path, str]]:
    images = [root / "images" / f"{i}.jpg" for i in range(count)]
    return {"train": images[:2], "val": images[2:]}, {p: p.stem * 4 for p in images}


def test_the_fingerprint_knows_names_contents_splits_and_classes_but_not_the_place(
    tmp_path: Path,
) -> None:
    splits, found = hashes(tmp_path / "here")
    labels = {splits["train"][0]: "l"}
    base = fingerprint(splits, ["a", "b"], found, labels)
    moved_splits, moved = hashes(tmp_path / "there")
    assert fingerprint(moved_splits, ["a", "b"], moved, {moved_splits["train"][0]: "l"}) == base
    backwards = {"train": splits["train"][::-1], "val": splits["val"]}
    assert fingerprint(backwards, ["a", "b"], found, labels) == base

    first = splits["train"][0]
    renamed = {"train": [first.with_name("x.jpg"), splits["train"][1]], "val": splits["val"]}
    others = {
        fingerprint(splits, ["b", "a"], found, labels),
        fingerprint(splits, ["a", "b"], found, {}),
        fingerprint(splits, ["a", "b"], found, {first: "other"}),
        fingerprint(splits, ["a", "b"], {**found, first: "other"}, labels),
        fingerprint({"train": splits["train"] + splits["val"]}, ["a", "b"], found, labels),
        fingerprint(renamed, ["a", "b"], {**found, renamed["train"][0]: found[first]}, labels),
    }
    assert base not in others and len(others) == 6


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
    "images", [[], 5, None, {"IMAGE": 5}, {"IMAGE": [1, 2]}, {"IMAGE": [1, [], "x", {}, 1]}]
)
def test_a_memory_that_is_not_as_we_write_it_is_made_anew(tmp_path: Path, images: object) -> None:
    image, memory = tmp_path / "a.png", tmp_path / "memory.json"
    Image.new("RGB", (4, 4)).save(image)
    facts, _ = ImageMemory(memory).look_at([image])
    kept = json.loads(memory.read_text(encoding="utf-8"))
    text = json.dumps({**kept, "images": images}).replace("IMAGE", str(image))
    memory.write_text(text, encoding="utf-8")
    assert ImageMemory(memory).look_at([image])[0] == facts
    assert json.loads(memory.read_text(encoding="utf-8")) == kept
    memory.unlink()
    memory.mkdir()
    assert ImageMemory(memory).look_at([image])[0] == facts
