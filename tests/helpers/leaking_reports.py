"""A release's report on a split that leaks, with slices: both as a real release makes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leaking_data import drawn, encoded, scene
from sliced_models import sliced_site

from guardianflow.contracts.recordings.leaks import LeakNote
from guardianflow.contracts.releases import ReleaseLimits
from guardianflow.evaluation.pictures.pairs import Pair, pairs_sheet
from guardianflow.evaluation.pictures.slices import slices_forest
from guardianflow.release.gates import leaks
from guardianflow.release.report.content import LEAKS, SLICES, ReleaseReport, ReportPicture

UNTOUCHED = {"mAP50": (0.612, 0.551, 0.668), "recall": (0.58, 0.51, 0.65)}


def with_slices(report: ReleaseReport) -> ReleaseReport:
    """The same release, whose first variant is judged slice by slice beside the champion."""
    champion, candidate, changes = sliced_site()
    first, *rest = report.variants
    assert first.champion is not None
    sliced = replace(
        first,
        candidate=replace(first.candidate, slices=candidate),
        champion=replace(first.champion, slices=champion),
        slice_changes=changes,
    )
    return replace(report, variants=(sliced, *rest))


def with_leaks(report: ReleaseReport) -> ReleaseReport:
    """The same release on images more than half of which have a twin in train."""
    note = LeakNote("test", 480, twins=231, touched=259, untouched=UNTOUCHED)
    compared = tuple(replace(each, leak=note) for each in report.variants)
    verdicts = tuple(leaks.verdicts(ReleaseLimits(), note))
    decided = [replace(each, gates=(*each.gates, *verdicts)) for each in report.decision.variants]
    decision = replace(report.decision, variants=tuple(decided))
    return replace(report, decision=decision, variants=compared)


def with_pictures(report: ReleaseReport, folder: Path) -> ReleaseReport:
    """The pictures of both, drawn."""
    table = report.variants[0].candidate.slices
    assert table is not None
    pairs = []
    for number in range(4):
        one, other = (folder / f"{name}_{number}.jpg" for name in ("시험", "학습"))
        one.write_bytes(encoded(drawn(scene(number)), 60))
        other.write_bytes(encoded(drawn(scene(number))))
        pairs.append(Pair("the same picture: 0.97", (one, other), (one.name, other.name)))
    sheet = pairs_sheet(pairs, "test × train", folder / "leaks.png")
    forest = slices_forest(table, folder / "slices.png")
    first = report.decision.variants[0].variant
    pictures = (ReportPicture(LEAKS, sheet), ReportPicture(SLICES, forest, first))
    return replace(report, pictures=(*report.pictures, *pictures))
