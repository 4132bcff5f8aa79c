"""Multi-object tracking in the infer stage: detector + tracker over each sequence, then judged.

prepare()  resolve_sequences → tracking_identity, tracking_tags
work()     measure_tracking → results/mot/SEQ.txt, results/mot.json, plots/mot.png, mot.*
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import (
    EvaluationError,
    MissingDependencyError,
    Problem,
    ScenarioError,
)
from guardianflow.contracts.ports import ObjectDetector
from guardianflow.contracts.sequences import TrackingSequence

from ..stage.stage import StageContext
from .timing import save_json

if TYPE_CHECKING:
    from guardianflow.evaluation.mot.tracker import TrackedObjects

LIBRARIES = ("trackeval", "lap", "ultralytics")
"""For the stage's identity: what they compute changes with their version."""


@dataclass(frozen=True)
class OwnTracker:
    """A tracker that is not ours.

    Args:
        label: for people and for the run's tag.
        follow: sequence, and whom to tell (frames done, frames in all) → tracks of each frame.
    """

    label: str
    follow: Callable[[TrackingSequence, Callable[[int, int], None]], Sequence[TrackedObjects]]


def resolve_sequences(
    context: StageContext, class_names: Sequence[str]
) -> tuple[TrackingSequence, ...]:
    """The scenario's sequences, read and checked; none where tracking is not asked for.

    A relative path is looked for beside the scenario, then in the working directory.

    Args:
        class_names: of the detector; one must be among the classes that ground truth counts.

    Raises:
        DatasetError: everything wrong with any sequence.
        ScenarioError: the detector knows no class that is to be tracked.
        MissingDependencyError: TrackEval, Ultralytics or lap is not installed.
    """
    from guardianflow.evaluation.mot.tracker import match_classes
    from guardianflow.site_data.mot.sequences import resolve_sequences as resolve

    benchmark = context.scenario.benchmark
    if not benchmark.use_tracking:
        return ()
    for library in LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise MissingDependencyError(
                library, "benchmark.use_tracking", f"pip install {library}"
            )
    sequences = resolve(
        benchmark.sequences,
        cache_dir=context.settings.datasets_dir,
        search_dirs=[context.base_dir, Path.cwd()],
    )
    try:
        match_classes(class_names, sequences)
    except EvaluationError as exc:  # seen before any run exists: the caller can mend it
        raise ScenarioError(Problem(str(exc), "benchmark.sequences")) from exc
    return sequences


def tracking_identity(sequences: Sequence[TrackingSequence]) -> dict[str, str]:
    """Sequence name → fingerprint: what tracking's result depends on beside the scenario."""
    return {each.name: each.fingerprint for each in sequences}


def tracking_tags(
    context: StageContext, sequences: Sequence[TrackingSequence], tracker: str = ""
) -> dict[str, str]:
    """Tags: the tracker, the evaluator, the sequences; none where tracking is not asked for.

    Args:
        tracker: where it is not the scenario's.
    """
    if not sequences:
        return {}
    from guardianflow.evaluation.mot.scores import evaluator_name

    return {
        "mot.tracker": tracker or context.scenario.benchmark.tracker,
        "mot.evaluator": evaluator_name(),
        "mot.sequences": ",".join(each.name for each in sequences),
    }


def measure_tracking(
    context: StageContext,
    detector: ObjectDetector,
    sequences: Sequence[TrackingSequence],
    outputs: Path,
    own_tracker: OwnTracker | None = None,
) -> dict[str, float]:
    """Track every sequence, judge the tracks and leave files and a picture.

    Args:
        detector: open, for single pictures.
        sequences: of resolve_sequences; empty measures nothing.
        outputs: the run's artifacts; results/ and plots/ below it.
        own_tracker: makes the tracks instead of the scenario's tracker.

    Returns:
        `mot.*`; empty where there are no sequences.

    Raises:
        EvaluationError: a picture that can't be decoded or has another size.
    """
    if not sequences:
        return {}
    from guardianflow.evaluation.mot.scores import evaluate_tracks
    from guardianflow.evaluation.mot.tracker import match_classes, rows_of_tracks, track_sequence
    from guardianflow.evaluation.pictures.mot import tracking_bars
    from guardianflow.site_data.mot.track_results import write_tracks

    tracker = own_tracker.label if own_tracker else context.scenario.benchmark.tracker
    match = match_classes(detector.class_names, sequences)
    if match.unknown:
        context.events.message(
            f"tracking is not judged for {', '.join(match.unknown)}: the ground truth counts it "
            f"but the model does not know it"
        )
    total = sum(each.length for each in sequences)
    done, tracks = 0, {}
    for sequence in sequences:

        def progress(frame: int, _: int, *, before: int = done, name: str = sequence.name) -> None:
            context.events.progress(before + frame, total, f"tracking {name}")

        pairs = match.pairs[sequence.name]
        if own_tracker is not None:
            made = own_tracker.follow(sequence, progress)
            rows = rows_of_tracks(made, sequence, pairs, len(detector.class_names))
        else:
            rows = track_sequence(
                detector, sequence, tracker=tracker, classes=pairs, progress=progress
            )
        tracks[sequence.name] = rows
        done += sequence.length
        write_tracks(outputs / "results" / "mot" / f"{sequence.name}.txt", tracks[sequence.name])
    result = evaluate_tracks(sequences, tracks, match.judged)
    table = {
        "tracker": tracker,
        **result.to_dict(),
        "unknown_classes": list(match.unknown),
        "fingerprints": tracking_identity(sequences),
    }
    save_json(outputs / "results" / "mot.json", table)
    tracking_bars(result, outputs / "plots" / "mot.png", title=f"Tracking with {tracker}")
    return result.as_metrics()
