"""Release: may one of these models replace the one at the site?

python -m pipelines.release --scenario S --run PARENT_RUN_ID | --source-run-id ID [ID …]

Every candidate is judged beside the champion of its registered name: same images, same device,
timed by turns. What comes of it goes files → metrics → tags of the versions → champion's alias, so
that a verdict never stands without its evidence.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.recordings.evidence import EvidenceBasis
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
from guardianflow.release.explanation import as_dict, explain_decision
from guardianflow.release.models import ComparedModels, JudgedSplit
from scenario import ReleaseParams

from ..measuring.accuracy import read_split
from ..measuring.alarms.files import save_alarms
from ..measuring.alarms.inputs import TEST, AlarmInputs, identity_of, resolve_alarms
from ..measuring.alarms.judging import tags_of
from ..measuring.evidence import basis_table, basis_tags, evidence_basis, evidence_identity
from ..measuring.leaks import look_for_leaks
from ..measuring.slices import slice_notes, traits_of
from ..measuring.timing import save_json
from ..registered_models.evidence import RELEASE_FILE
from ..registered_models.registry import this_person, verifier
from ..reuse.identity import versions_for
from ..stage.backend_check import require_backend
from ..stage.code_identity import code_digest
from ..stage.inputs.data_sets import (
    data_input,
    dataset_tags,
    infer_split,
    load_dataset,
)
from ..stage.inputs.sources import (
    check_classes,
)
from ..stage.stage import (
    StageContext,
    StageIdentity,
    StageOutcome,
    StagePlan,
    UndecidedError,
)
from .candidates import fetch_contestants
from .decision import decide_release, require_release, run_metrics, unknown_rivals
from .leaks import pictured, with_leaks
from .measurement import ReleaseMeasurement, judged_split
from .report import Evidence, draw, report_of, save_measured

if TYPE_CHECKING:
    from guardianflow.contracts.results import LabelledImage

LIBRARIES = ("ultralytics", "scipy")
REPORT_FOLDER = "report"
REPORT_FILE = "report/release.html"


class ReleaseStage:
    """Judges candidates beside their champions, writes the verdicts, promotes if told to."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._release: ReleaseParams
        self._asked: list[ComparedModels]
        self._dataset: LocalDataset
        self._images: list[LabelledImage]
        self._split: JudgedSplit
        self._alarms: AlarmInputs | None = None
        self._basis: EvidenceBasis

    def identify(self) -> StageIdentity:
        raise UndecidedError("a release is judged anew each time")

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._release = require_release(scenario.release)
        self._dataset = load_dataset(context)
        name = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, name)
        paths = [each.path for each in self._images]
        basis = evidence_basis(context, self._dataset, paths)
        self._split = judged_split(name, self._images, self._dataset.class_names, basis)
        self._basis = basis
        self._alarms = resolve_alarms(context, self._dataset.class_names, TEST)
        if not context.request.check_only:
            self._complete_interrupted()
        self._asked = fetch_contestants(context, context.scratch / "models")
        backends = set()
        for each in self._asked:
            for measured in filter(None, (each.candidate, each.champion)):
                package = measured.model.files
                check_classes(package, self._dataset)
                spec = package.spec
                require_backend(spec.backend, spec.precision, context.settings.probes_dir)
                backends.add(spec.backend)
        identity = {
            "stage": "release",
            "release": self._release.model_dump(mode="json"),
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "device": scenario.environment.device,
            "models": [
                [each.candidate.digest, each.champion.digest if each.champion else ""]
                for each in self._asked
            ],
            "data": self._dataset.fingerprint,
            "split": name,
            **identity_of(self._alarms),
            "evidence": evidence_identity(scenario, self._dataset, paths),
            "version": scenario.version,
            "libraries": versions_for(sorted(backends), *LIBRARIES),
            "own_code": code_digest("release", backends, context.settings.own_code_file),
        }
        return StagePlan(
            identity=identity,
            data=data_input(context, self._dataset, name),
            tags={
                **scenario.to_all_tags("release"),
                **dataset_tags(self._dataset),
                **basis_tags(basis),
                "data.split": name,
                "release.candidates": ", ".join(str(each.candidate.model) for each in self._asked),
            },
            params={key: str(value) for key, value in scenario.to_all_params("release").items()},
            data_warnings=self._dataset.warnings,
            record={"candidates": [dict(each) for each in context.request.candidates]},
        )

    def work(self, run_id: str) -> StageOutcome:
        from guardianflow.evaluation.accuracy.detection import EVALUATOR

        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        traits = traits_of(context, self._dataset, self._images, self._basis)
        measurement = ReleaseMeasurement(
            context, self._asked, self._images, self._release, self._basis, traits, self._alarms
        )
        seen = look_for_leaks(context, self._dataset, [self._split.name])
        compared, watch = measurement.run()
        judged = measurement.judged
        compared = with_leaks(context, compared, judged, seen, self._split, self._release)
        decision = decide_release(compared, self._split, self._release)
        models, judged = measurement.models, measurement.judged
        save_measured(compared, models, judged, watch, outputs)
        alarms = measurement.alarms
        save_alarms({each.label: alarms[each.model.key] for each in models if alarms}, outputs)
        seen.save(outputs)
        drawn = draw(compared, models, judged, outputs / "plots", alarms)
        pictures = (*pictured(outputs), *drawn)
        evidence = Evidence(run_id, decision, compared, watch, pictures)
        self._save(evidence, outputs)
        store.log_files(run_id, outputs)
        self._report(evidence, {})
        reason, session = explain_decision(decision), compared[0].candidate.session
        store.annotate(
            run_id,
            tags={
                OUTCOME_TAG: decision.outcome,
                "release.winner": decision.winner,
                "release.reason": reason,
                "det.evaluator": EVALUATOR,
                **seen.tags(),
                **(watch.tags(session) if session else {}),
                **tags_of(next(iter(alarms.values()), None)),
            },
        )
        metrics = run_metrics(decision, compared, watch)
        store.log_metrics(run_id, metrics)
        self._tag_versions(evidence)
        context.events.message(f"{decision.outcome}: {reason}")
        decision = self._promote(evidence, outputs)
        worst = [
            note
            for each in models
            if each.slices is not None
            for note in slice_notes(each.slices, each.label)
        ]
        return StageOutcome(metrics, decision=decision, notes=(*worst, *watch.notes))

    def _complete_interrupted(self) -> None:
        """A champion is compared with only when no promotion hangs between two writes."""
        from guardianflow.release.promotion.promotion import recover

        names = {str(each["name"]) for each in self._context.request.candidates if each["version"]}
        for name in sorted(names):
            entry = recover(self._context.ports.aliases, name, who=this_person(self._context.ports))
            if entry is not None:
                self._context.events.message(f"{name}: {entry.note}")

    def _save(self, evidence: Evidence, outputs: Path) -> None:
        table = as_dict(evidence.decision)
        table["champions"] = {
            each.variant: str(each.champion.model)
            for each in evidence.compared
            if each.champion is not None
        }
        table["evidence"] = basis_table(self._basis)
        table["data_fingerprint"] = self._dataset.fingerprint
        conditions = evidence.watch.conditions
        table["conditions"] = conditions.to_dict() if conditions else None
        save_json(outputs / RELEASE_FILE, table)

    def _report(self, evidence: Evidence, journal: Mapping[str, tuple[JournalEntry, ...]]) -> None:
        """On the release's own run, and on the pipeline it belongs to."""
        from guardianflow.release.report.page import write_release_report

        context = self._context
        content = report_of(context, evidence, self._split, self._dataset, journal)
        with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
            write_release_report(content, Path(folder))
            for run_id in (evidence.run_id, context.request.parent_run_id):
                if run_id:
                    context.ports.store.log_files(run_id, Path(folder), REPORT_FOLDER)

    def _tag_versions(self, evidence: Evidence) -> None:
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

    def _promote(self, evidence: Evidence, outputs: Path) -> ReleaseDecision:
        """Make the winner champion where the scenario says so, and say it in the files."""
        decision, context = evidence.decision, self._context
        winner = decision.winning
        if self._release.auto_promote == "never" or winner is None or not winner.version:
            return decision
        if winner.version == winner.champion_version:
            context.events.message(f"{winner.model_name} v{winner.version} is the champion already")
            return decision
        if unknown := unknown_rivals(decision, evidence.watch.conditions):
            context.events.message(
                f"nothing is promoted: {', '.join(unknown)} passed too, but "
                f"{decision.objective} was not measured, because the machine was busy; release "
                f"again on a quiet machine, or promote one by hand"
            )
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
        from guardianflow.release.promotion.journal import history

        changes = history(context.ports.aliases, winner.model_name)
        self._report(done, {winner.model_name: tuple(changes)})
        return promoted

    def _make_champion(self, winner: VariantDecision, evidence: Evidence) -> JournalEntry:
        from guardianflow.release.promotion.evidence import own_evidence
        from guardianflow.release.promotion.promotion import promote

        try:
            return promote(
                self._context.ports.aliases,
                winner.model_name,
                version=winner.version,
                who=this_person(self._context.ports),
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
