"""What of the judged splits is in train: looked for, tagged, kept as a table and a sheet of pairs.

    seen = look_for_leaks(context, dataset, ["test"])   before a training, a measurement, a release
    seen.tags(), seen.save(outputs)                     for the run
    note = seen.note("test", learnt)                    for who reads the figures

It ends no work: where it can't be done, that is told and stands in the tags.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.leaks import (
    DEFAULT_MOST,
    TOUCHED,
    TWINS,
    DataLeaks,
    Leak,
    LeakKind,
    LeakNote,
    LeakUnknown,
)
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from guardianflow.release.report.wording import Wording

from ..stage.stage import StageContext
from .accuracy import CONFIDENCE, Evaluated, accuracy_intervals, judge, told_by

TAG = "data.leak"
UNKNOWN_TAG = f"{TAG}.unknown"
"""Why nothing could be looked at; absent where it was."""
TABLE, SHEET = "results/leaks.csv", "plots/leaks.png"
FIGURES = ("mAP50", "mAP50_95", "recall")
"""That are told of the images that leak nothing, too."""
SHOWN_PAIRS = 12


@dataclass(frozen=True)
class SeenLeaks:
    """What was found of a data set.

    Args:
        found: None where it could not be looked at.
        why: it could not.
    """

    dataset: LocalDataset
    found: DataLeaks | None
    why: str = ""

    def tags(self) -> dict[str, str]:
        """`data.leak.test.share`, `.twins`, `.same_recording`, `.same_camera` … for the run."""
        if self.found is None:
            return {UNKNOWN_TAG: self.why}
        tags: dict[str, str] = {}
        for each in self.found.splits:
            if each.among == "train":
                prefix = f"{TAG}.{each.split}"
                tags |= {f"{prefix}.share": f"{each.share:.4g}"}
                tags |= {f"{prefix}.twins": str(len(each.twins))}
                tags |= {f"{prefix}.{kind}": str(count) for kind, count in each.counts.items()}
        return tags

    def note(
        self, split: str, package: DetectorPackage | None = None, most: float | None = None
    ) -> LeakNote:
        """What a reader of a split's figures must know.

        Args:
            package: the model judged; None: one that is trained on this very data.
            most: share that may leak; None: the usual one.
        """
        images = len(self.dataset.splits[split])
        note = LeakNote(split, images, most=DEFAULT_MOST if most is None else most)
        if self.found is None:
            return replace(note, unknown=LeakUnknown.NOT_LOOKED, told=self.why)
        seen = self.found.of(split)
        if seen is None:
            return replace(note, unknown=LeakUnknown.NO_TRAIN)
        note = replace(note, twins=len(seen.twins), touched=len(seen.touched))
        learnt = package.spec.lineage.get("data_fingerprint") if package else None
        if package is not None and learnt != self.dataset.fingerprint:
            return replace(note, unknown=LeakUnknown.OTHER_DATA)
        return note

    def touched(self, split: str) -> frozenset[Path]:
        seen = self.found.of(split) if self.found else None
        return seen.touched if seen else frozenset()

    def save(self, outputs: Path) -> None:
        """`results/leaks.csv`, and `plots/leaks.png` where there is a pair to show."""
        from guardianflow.site_data.twins.table import write_leaks

        if self.found is not None:
            write_leaks(outputs / TABLE, self.found.leaks, top_of(self.dataset))
            draw_pairs(self.found, outputs / SHEET)


def look_for_leaks(
    context: StageContext, dataset: LocalDataset, splits: Sequence[str] | None = None
) -> SeenLeaks:
    """Look for what of these splits is in train; progress is told, and the little that it finds.

    Args:
        splits: judged ones; None: all.
    """
    try:
        from guardianflow.site_data.twins.leaks import find_leaks

        found = find_leaks(
            dataset,
            context.settings.datasets_dir,
            judged=splits,
            progress=told_by(context, "reading images to look for leaks"),
            searching=told_by(context, "looking for leaks"),
        )
    except Exception as exc:  # observation: a data set, a library or a disk must not end the work
        why = f"{type(exc).__name__}: {exc}"[:500]
        context.events.message(f"whether test images are in train could not be looked at: {why}")
        return SeenLeaks(dataset, None, why)
    return SeenLeaks(dataset, found)


def notes_of_leaks(note: LeakNote) -> tuple[str, ...]:
    """A sentence for who reads the figures; none where nothing leaks and nothing is odd."""
    odd = note.touched or note.unknown is LeakUnknown.NOT_LOOKED
    return (Wording("en").leak(note),) if odd else ()


def tell_leaks(context: StageContext, seen: SeenLeaks) -> None:
    """A line for each judged split of which more is in train than may be."""
    words = Wording("en")
    for each in seen.found.splits if seen.found else ():
        if each.among == "train" and (note := seen.note(each.split)).leaks:
            context.events.message(words.leak(note))


def untouched_figures(
    context: StageContext,
    judged: Evaluated,
    touched: frozenset[Path],
    basis: EvidenceBasis,
    label: str,
    confidence: float = CONFIDENCE,
) -> Mapping[str, tuple[float, float, float]]:
    """mAP and recall on the images that leak nothing, with intervals.

    Args:
        basis: what intervals over all judged images count.

    Returns:
        Empty where nothing leaks, or where the others are too few for an interval.
    """
    kept = [place for place, image in enumerate(judged.images) if image.path not in touched]
    if len(kept) == len(judged.images) or not kept:
        return {}
    images = [judged.images[place] for place in kept]
    predictions = [judged.predictions[place] for place in kept]
    if not any(len(image.class_ids) for image in images):
        return {}
    rest = judge(context, predictions, images, judged.class_names)
    told = f"{label} on what is not in train"
    found = accuracy_intervals(context, rest, basis.among(kept), told, confidence)
    return {
        key: (found[key].value, found[key].low, found[key].high) for key in FIGURES if key in found
    }


def untouched_metrics(note: LeakNote, prefix: str) -> dict[str, float]:
    """`{prefix}untouched.mAP50` with its bounds, and how many images they rest on."""
    if not note.touched:
        return {}
    flat = {f"{prefix}untouched.images": float(note.rest)}
    for key, (value, low, high) in note.untouched.items():
        names = (f"{prefix}untouched.{key}{end}" for end in ("", "_low", "_high"))
        flat |= dict(zip(names, (value, low, high), strict=True))
    return flat


def draw_pairs(found: DataLeaks, path: Path) -> Path | None:
    """The likest pairs, those first that spoil most; None where there is none to show."""
    from guardianflow.evaluation.pictures.pairs import Pair, pairs_sheet

    shown = chosen_pairs(found.leaks)
    if not shown:
        return None
    pairs = [
        Pair(
            f"{leak.kind.replace('_', ' ')} · {leak.split} ← {leak.among}",
            (leak.image, leak.other),
            (leak.image.name, leak.other.name),
        )
        for leak in shown
    ]
    twins = sum(leak.kind in TOUCHED for leak in found.leaks)
    heading = f"{len(pairs)} of {len({leak.image for leak in found.leaks})} judged images"
    return pairs_sheet(pairs, f"{heading} that are in train" if twins else heading, path)


def chosen_pairs(leaks: Sequence[Leak], count: int = SHOWN_PAIRS) -> list[Leak]:
    """Some of each kind that pictures show, spread over the images; the gravest kinds first."""
    shown = (*TWINS, LeakKind.NEIGHBOUR, LeakKind.SAME_RECORDING, LeakKind.SAME_SCENE)
    by_kind = {kind: [leak for leak in leaks if leak.kind is kind] for kind in shown}
    chosen: list[Leak] = []
    seen: set[Path] = set()
    for kind in shown:
        left = [leak for leak in by_kind[kind] if leak.image not in seen]
        room = max(0, count - len(chosen))
        if kind is LeakKind.SAME_FILE:
            room = min(room, 2)
        if kind is LeakKind.TWIN and by_kind[LeakKind.SAME_SCENE]:
            room = min(room, count - 2 - len(chosen))
        step = max(1, len(left) // room) if room else 1
        picked = left[::step][:room]
        chosen += picked
        seen |= {leak.image for leak in picked}
    return chosen


def top_of(dataset: LocalDataset) -> Path | None:
    """The folder that holds all images, from which the table tells them."""
    parents = {str(path.parent) for images in dataset.splits.values() for path in images}
    return Path(os.path.commonpath(parents)) if parents else None
