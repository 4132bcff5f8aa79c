"""Release: may one of these models replace the one at the site?

python -m pipelines.release --scenario S --run PARENT_RUN_ID | --source-run-id ID [ID …]

Every candidate is judged beside the champion of its registered name: same images, same device,
timed by turns. What comes of it goes files → metrics → tags of the versions → champion's alias, so
that a verdict never stands without its evidence.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.releases import (
    COMPARED_TAG,
    EVIDENCE_TAG,
    OUTCOME_TAG,
    REPORT_TAG,
    UNDECIDED,
    JournalEntry,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import LocalDataset
from scenario import ReleaseParams

from ..infer.stage import infer_split
from ..measuring.accuracy import read_split
from ..measuring.timing import TimingConditions, save_json
from ..registered_models.registry import this_person, verifier
from ..stage.backend_check import require_backend
from ..stage.inputs import check_classes, dataset_tags, load_dataset
from ..stage.stage import StageContext, StageOutcome, StagePlan, library_versions
from .candidates import RELEASE_FILE, Pair, fetch_contestants
from .checks import require_release
from .decision import decide_release, draw, report_of, run_metrics, save_measured
from .measurement import Compared, ReleaseMeasurement

if TYPE_CHECKING:
    from guardianflow.contracts.results import LabelledImage
    from guardianflow.release.report.content import ReportPicture

LIBRARIES = ("openvino", "onnxruntime", "torch", "ultralytics", "scipy")
REPORT_FOLDER = "report"
REPORT_FILE = "report/release.html"


@dataclass(frozen=True)
class _Evidence:
    """What a decision rests on, until it is written down."""

    run_id: str
    decision: ReleaseDecision
    compared: list[Compared]
    watch: TimingConditions
    pictures: tuple[ReportPicture, ...]


class ReleaseStage:
    """Judges candidates beside their champions, writes the verdicts, promotes if told to."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._release: ReleaseParams
        self._pairs: list[Pair]
        self._dataset: LocalDataset
        self._images: list[LabelledImage]
        self._split = ""

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._release = require_release(scenario.release)
        self._dataset = load_dataset(context)
        self._split = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        if not context.request.check_only:
            self._complete_interrupted()
        self._pairs = fetch_contestants(context, context.scratch / "models")
        for pair in self._pairs:
            for contender in (pair.candidate, pair.champion):
                if contender is not None:
                    check_classes(contender.package, self._dataset)
                    spec = contender.package.spec
                    require_backend(spec.backend, spec.precision, context.settings.probes_dir)
        identity = {
            "stage": "release",
            "release": self._release.model_dump(mode="json"),
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "device": scenario.environment.device,
            "models": [
                [p.candidate.package.digest, p.champion.package.digest if p.champion else ""]
                for p in self._pairs
            ],
            "data": self._dataset.fingerprint,
            "split": self._split,
            "version": scenario.version,
            "libraries": library_versions(*LIBRARIES),
        }
        return StagePlan(
            identity=identity,
            tags={
                **scenario.to_all_tags("release"),
                **dataset_tags(self._dataset),
                "data.split": self._split,
                "release.candidates": ", ".join(str(p.candidate) for p in self._pairs),
            },
            params={key: str(value) for key, value in scenario.to_all_params("release").items()},
            record={"candidates": [dict(each) for each in context.request.candidates]},
        )

    def work(self, run_id: str) -> StageOutcome:
        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        measurement = ReleaseMeasurement(context, self._pairs, self._images, self._release)
        compared, watch = measurement.run()
        decision = decide_release(compared, self._images, self._release, self._split)
        save_measured(measurement.models, watch, outputs)
        pictures = draw(compared, measurement.models, self._images, outputs / "plots")
        evidence = _Evidence(run_id, decision, compared, watch, pictures)
        self._save(evidence, outputs)
        store.log_files(run_id, outputs)
        self._report(evidence, {})
        store.annotate(
            run_id,
            tags={
                OUTCOME_TAG: decision.outcome,
                "release.winner": decision.winner,
                "release.reason": decision.reason,
                "det.evaluator": compared[0].candidate.judged.metrics.evaluator,
                **watch.tags(compared[0].candidate.session),
            },
        )
        metrics = run_metrics(decision, compared, watch)
        store.log_metrics(run_id, metrics)
        self._tag_versions(evidence)
        context.events.message(f"{decision.outcome}: {decision.reason}")
        decision = self._promote(evidence, outputs)
        return StageOutcome(metrics, decision=decision.to_dict())

    def _complete_interrupted(self) -> None:
        """A champion is compared with only when no promotion hangs between two writes."""
        from guardianflow.release.promotion.promotion import recover

        names = {str(each["name"]) for each in self._context.request.candidates if each["version"]}
        for name in sorted(names):
            entry = recover(self._context.ports.aliases, name, who=this_person())
            if entry is not None:
                self._context.events.message(f"{name}: {entry.note}")

    def _save(self, evidence: _Evidence, outputs: Path) -> None:
        table: dict[str, Any] = evidence.decision.to_dict()
        table["champions"] = {
            each.pair.variant: str(each.pair.champion) for each in evidence.compared
            if each.pair.champion is not None
        }  # fmt: skip
        table["data_fingerprint"] = self._dataset.fingerprint
        conditions = evidence.watch.conditions
        table["conditions"] = conditions.to_dict() if conditions else None
        save_json(outputs / RELEASE_FILE, table)

    def _report(self, evidence: _Evidence, journal: Mapping[str, tuple[JournalEntry, ...]]) -> None:
        """On the release's own run, and on the pipeline it belongs to."""
        from guardianflow.release.report.page import write_release_report

        context = self._context
        content = report_of(
            context,
            evidence.run_id,
            evidence.decision,
            evidence.compared,
            images=self._images,
            dataset=self._dataset,
            watch=evidence.watch,
            pictures=evidence.pictures,
            journal=journal,
        )
        with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
            write_release_report(content, Path(folder))
            for run_id in (evidence.run_id, context.request.parent_run_id):
                if run_id:
                    context.ports.store.log_files(run_id, Path(folder), REPORT_FOLDER)

    def _tag_versions(self, evidence: _Evidence) -> None:
        """The verdict on each registered version. The outcome comes last: it is what promotes."""
        for verdict in evidence.decision.variants:
            if verdict.version:
                tags = {
                    EVIDENCE_TAG: evidence.run_id,
                    COMPARED_TAG: verdict.champion_version,
                    REPORT_TAG: f"runs:/{evidence.run_id}/{REPORT_FILE}",
                    OUTCOME_TAG: verdict.outcome,
                }
                registry = self._context.ports.registry
                # An older 'pass' must not stand beside the new evidence, whatever happens between.
                withdrawn = {OUTCOME_TAG: UNDECIDED}
                registry.tag_version(verdict.model_name, verdict.version, withdrawn)
                registry.tag_version(verdict.model_name, verdict.version, tags)

    def _promote(self, evidence: _Evidence, outputs: Path) -> ReleaseDecision:
        """Make the winner champion where the scenario says so, and say it in the files."""
        decision, context = evidence.decision, self._context
        winner = next((v for v in decision.variants if v.variant == decision.winner), None)
        if self._release.auto_promote == "never" or winner is None or not winner.version:
            return decision
        if winner.version == winner.champion_version:
            context.events.message(f"{winner.model_name} v{winner.version} is the champion already")
            return decision
        entry = self._make_champion(winner, evidence)
        context.events.message(
            f"promoted {winner.model_name} v{winner.version} to champion (change {entry.number})"
        )
        promoted = replace(decision, promoted=(winner.model_name,))
        done = replace(evidence, decision=promoted)
        self._save(done, outputs)
        context.ports.store.log_files(
            evidence.run_id, outputs / RELEASE_FILE, str(Path(RELEASE_FILE).parent)
        )
        from guardianflow.release.promotion.promotion import history

        changes = history(context.ports.aliases, winner.model_name)
        self._report(done, {winner.model_name: tuple(changes)})
        return promoted

    def _make_champion(self, winner: VariantDecision, evidence: _Evidence) -> JournalEntry:
        from guardianflow.release.promotion.evidence import own_evidence
        from guardianflow.release.promotion.promotion import promote

        try:
            return promote(
                self._context.ports.aliases,
                winner.model_name,
                version=winner.version,
                who=this_person(),
                reason=f"auto_promote: on_pass of scenario {self._context.scenario.name}",
                verify=verifier(self._context.ports.registry, self._context.events.message),
                evidence=lambda _: own_evidence(evidence.run_id, evidence.decision),
            )
        except GuardianFlowError as exc:
            self._context.events.message(
                f"the release passed, but {winner.model_name} v{winner.version} was not promoted. "
                f"Its verdict stands: guardianflow promote {winner.model_name} --version "
                f"{winner.version} does it by hand. {exc}"
            )
            raise
