from __future__ import annotations

from pathlib import Path

from guardianflow.site_data.fingerprint import fingerprint


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
