"""Quant: one variant made of a trained model, judged beside it on the same images and device.

python -m pipelines.quant --scenario S --source-run-id ID [--backend openvino] [--code-path P]

With an author's Quantizer at P, that makes the files: see own_quantizer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import (
    DetectorPackage,
    ExportRequest,
    LocalDataset,
)
from guardianflow.release.explanation import counted_units

from ..measuring.accuracy import (
    Evaluated,
    accuracy_differences,
    evaluate_split,
    read_split,
    save_judged,
)
from ..measuring.alarms.files import save_alarms
from ..measuring.alarms.inputs import VAL, AlarmInputs, identity_of, resolve_alarms
from ..measuring.alarms.judging import (
    JudgedAlarms,
    beside_original,
    judge_alarms,
    tags_of,
    untold,
)
from ..measuring.alarms.pictures import draw_alarms
from ..measuring.conditions import TimingConditions
from ..measuring.evidence import basis_tags, evidence_basis, evidence_identity
from ..measuring.model_page import show_with_model
from ..measuring.slices import slice_identity
from ..measuring.timing import (
    Timings,
    save_timings,
    time_by_turns,
)
from ..reuse.identity import (
    SourceIdentity,
    device_asked,
    measured_by,
    own_code_fingerprint,
    source_identity,
    timed_on,
    versions_for,
)
from ..stage.author_code import code_tags
from ..stage.backend_check import require_backend, verdict_tags
from ..stage.code_identity import code_digest
from ..stage.inputs.data_sets import (
    data_input,
    dataset_tags,
    load_dataset,
    load_labelled,
    quant_split,
)
from ..stage.inputs.sources import (
    check_classes,
    check_split,
    fetch_source,
    log_weights,
    require_original,
    source_run_tags,
    source_trust_tags,
    source_weight_tags,
)
from ..stage.kinds import QUANT
from ..stage.plan import read_variant
from ..stage.stage import (
    VARIANT_TAG,
    StageContext,
    StageIdentity,
    StageOutcome,
    StagePlan,
)
from .calibration import Calibration, sample_calibration
from .checks import (
    calibration_tags,
    refuse_broken,
    tell_devices,
    warn_unknown_structure,
)
from .distilling import with_other_activations
from .measured import MeasuredVariant
from .own_quantizer import load_quantizer, make_by_quantizer
from .qat import VariantInput, make_by_qat, require_trainable, trains_on_labels
from .search import VariantSearch
from .slices import slice_both

if TYPE_CHECKING:
    from experiments_adapters.code_path import ExperimentCode
    from guardianflow.contracts.measurements import TimingDoubt
    from guardianflow.contracts.results import LabelledImage
    from guardianflow.detector import Detector

LIBRARIES = ("nncf", "onnx", "onnxslim", "ultralytics", "scipy")
"""Beside the backends' own."""


class QuantStage:
    """Exports one variant, measures it against the original, registers it as a candidate."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._variant = read_variant(context.request.variant)
        self._name = self._variant.variant
        self._dataset: LocalDataset
        self._source: DetectorPackage
        self._images: list[LabelledImage]
        self._calibration: Calibration
        self._split = ""
        self._basis: EvidenceBasis
        self._search_busy: tuple[TimingDoubt, ...] = ()
        self._alarms: AlarmInputs | None = None
        self._code: ExperimentCode | None = None

    def identify(self) -> StageIdentity:
        context = self._context
        code = own_code_fingerprint(context, QUANT)
        source = source_identity(context)
        self._dataset = load_dataset(context)
        self._split = quant_split(context, self._dataset)
        self._alarms = resolve_alarms(context, self._dataset.class_names, VAL)
        alike = {"guardianflow.stage": QUANT, "comparison.value": self._name}
        return StageIdentity(self._identity(source, code), alike, self._dataset.warnings)

    def _identity(self, source: SourceIdentity, code: str) -> dict[str, Any]:
        """Args: code: fingerprint of the author's; '' for ours."""
        context, scenario = self._context, self._context.scenario
        name = scenario.get_registered_model_name(self._name)
        return {
            "stage": QUANT,
            "variant": self._variant.model_dump(mode="json"),
            "seed": scenario.environment.seed,
            "registered_model": name if context.request.register else "",
            "version": scenario.version,
            "code": code,
            **identity_of(self._alarms),
            "slices": slice_identity(self._dataset, self._dataset.splits[self._split]),
            **self._judged_by(source.digest),
        }

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._source = fetch_source(context, context.scratch / "source")
        require_original(context, self._source)
        self._code = load_quantizer(context, self._variant)
        learns = self._code is None and trains_on_labels(self._variant)
        if learns:
            require_trainable(self._variant)
        verdict = require_backend(
            self._variant.backend,
            self._variant.precision,
            context.settings.probes_dir,
            scenario.environment.device,
        )
        self._dataset = load_labelled(context) if learns else load_dataset(context)
        check_classes(self._source, self._dataset)
        check_split(context, self._source, self._dataset)
        self._split = quant_split(context, self._dataset)
        self._alarms = resolve_alarms(context, self._dataset.class_names, VAL)
        self._images = read_split(self._dataset, self._split)
        self._basis = evidence_basis(context, self._dataset, [each.path for each in self._images])
        self._calibration = sample_calibration(context, self._dataset, self._variant)
        single = scenario.model_copy(update={"quantization": self._variant})
        code = self._code.fingerprint if self._code else ""
        return StagePlan(
            identity=self._identity(SourceIdentity.of(self._source), code),
            data=data_input(context, self._dataset, self._split),
            tags={
                **scenario.to_all_tags("quant"),
                **dataset_tags(self._dataset),
                **source_run_tags(context),
                **source_trust_tags(context, self._source),
                **source_weight_tags(context, self._source),
                **verdict_tags(verdict),
                **self._calibration.tags,
                **code_tags(self._code),
                **basis_tags(self._basis),
                "data.split": self._split,
                "comparison.variable": "quantization",
                "comparison.value": self._name,
                "comparison.baseline": self._source.spec.variant,
            },
            params={key: str(value) for key, value in single.to_all_params("quant").items()},
            data_warnings=self._dataset.warnings,
            record={"calibration_images": len(self._calibration.images)},
        )

    def work(self, run_id: str) -> StageOutcome:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        device = context.scenario.environment.device
        # The original runs in its own library, whatever runtime the variant's device names.
        own_device = device_for(device, self._source.spec.backend)
        with Detector.open(self._source, device=own_device) as original:
            before = evaluate_split(context, original, self._images, "judging the original")
            alarms = self._watch(original, "original")
        package = self._make(run_id, before, outputs)
        with (
            Detector.open(self._source, device=own_device) as original,
            Detector.open(package, device=device) as quantized,
        ):
            after = evaluate_split(context, quantized, self._images, f"judging {self._name}")
            refuse_broken(before, after, self._name)
            alarms |= self._watch(quantized, "quantized")
            context.events.message("timing both, interleaved")
            with TimingConditions(context) as watch:
                watch.leave_out("what tries were chosen by", self._search_busy)
                timings = self._time(watch, original, quantized)
                watch.timings = {name: each.latency for name, (each,) in timings.latency.items()}
            sessions = {"original": original.info, "quantized": quantized.info}
            devices = tell_devices(context, sessions["original"], sessions["quantized"])
            device_taken = sessions["quantized"].device
        label = "how sure the difference is"
        differences = accuracy_differences(context, before, after, self._basis, label)
        size = self._source.spec.input_size
        slices = slice_both(context, self._dataset, before, after, self._basis, size)
        measured = MeasuredVariant(
            name=self._name,
            split=self._split,
            source=self._source,
            package=package,
            before=before,
            after=after,
            timings=timings,
            differences=differences,
            basis=self._basis,
        )
        metrics = measured.metrics() | slices.metrics | watch.metrics()
        metrics |= self._basis.as_metrics() | beside_original(alarms)
        save_judged(before, "original", outputs)
        save_judged(after, "quantized", outputs)
        save_alarms(alarms, outputs)
        save_timings(outputs / "results" / "latency.json", timings, watch, sessions)
        slices.write(outputs, f"{self._name}: recall by slice ({self._split})")
        measured.save_table(outputs, metrics, self._calibration)
        measured.draw(outputs / "plots")
        if not differences:
            units = counted_units(self._basis.groups, self._basis.unit)
            context.events.message(f"{units} are too few to say how sure the difference is")
        for name, each in alarms.items():
            draw_alarms(each, outputs / "plots", name)
        store.log_files(run_id, outputs)
        log_weights(store, run_id, package.directory)
        # A search may end with float16.
        other = package.spec.variant != self._name
        made = f"{self._name}-as-{package.spec.precision}" if other else ""
        store.annotate(
            run_id,
            tags={
                **calibration_tags(package),
                "det.evaluator": after.metrics.evaluator,
                **slices.tags,
                **watch.tags(sessions["quantized"]),
                **devices,
                **tags_of(alarms.get("quantized")),
                **({VARIANT_TAG: made} if made else {}),
            },
        )
        store.log_metrics(run_id, metrics)
        absent = untold(alarms["quantized"].figures) if alarms else ()
        notes = (*slices.notes, *watch.notes, *absent)
        if not context.request.register:
            return StageOutcome(
                metrics, variant=made, device=device_taken, notes=notes, worst_slice=slices.worst
            )
        name = context.scenario.get_registered_model_name(package.spec.variant)
        tags = self._model_tags(package)
        model = context.ports.registry.register(run_id, package, name, tags=tags)
        data = data_input(context, self._dataset, self._split)
        show_with_model(context, run_id, f"runs:/{run_id}", package, data)
        return StageOutcome(
            metrics, (model,), made, device=device_taken, notes=notes, worst_slice=slices.worst
        )

    def _watch(self, detector: Detector, name: str) -> dict[str, JudgedAlarms]:
        label = f"watching the recordings: {name}"
        judged = judge_alarms(self._context, self._alarms, detector, label)
        return {} if judged is None else {name: judged}

    def _make(self, run_id: str, before: Evaluated, outputs: Path) -> DetectorPackage:
        """The variant's package: by its one recipe, or the best that a search finds."""
        from guardianflow.evaluation.images.preprocessing import LetterboxedImages

        context, paths = self._context, self._calibration.images
        images = LetterboxedImages(paths, self._source.spec.input_size) if paths else None
        given = VariantInput(self._source, self._dataset, self._variant, images)
        if self._code is not None:
            package = make_by_quantizer(
                context, self._code, self._variant, self._source, self._dataset, images
            )
        elif self._variant.search is not None and images is not None:
            # Limits and budget are no part of what a try depends on.
            tried = {
                "backend": self._variant.backend,
                "calibration": self._calibration.digest,
                **self._judged_by(self._source.digest),
            }
            search = VariantSearch(context, run_id, given, before, self._basis, tried)
            package = search.run(outputs)
            self._search_busy = search.busy
        elif self._variant.method == "qat" and images is not None:
            package = make_by_qat(context, run_id, given)
        else:
            if self._variant.activation is not None:
                given = replace(given, source=with_other_activations(context, run_id, given))
            context.events.message(f"exporting {self._name}")
            package = self._export(given)
        warn_unknown_structure(context, package)
        lineage = {
            **package.spec.lineage,
            **source_run_tags(context),
            "source_run_id": source_run_tags(context).get("source.run_id", ""),
            "source_digest": self._source.digest,
            "run_id": run_id,
            "data_fingerprint": self._dataset.fingerprint,
            "calibration_images_digest": self._calibration.digest,
        }
        return package.with_lineage(lineage)

    def _export(self, given: VariantInput) -> DetectorPackage:
        from guardianflow.backends.catalogue import get_backend

        return get_backend(self._variant.backend).export(
            given.source,
            ExportRequest(
                precision=self._variant.precision,
                method=self._variant.method,
                calibration_method=self._variant.calibration_method,
            ),
            self._context.scratch / "package",
            given.calibration,
        )

    def _judged_by(self, source: str) -> dict[str, Any]:
        """What any variant's result depends on beside how it is made."""
        context, scenario = self._context, self._context.scenario
        backends = [SOURCE, self._variant.backend]
        return {
            "source": source,
            "data": self._dataset.fingerprint,
            "split": self._split,
            "evidence": evidence_identity(
                scenario, self._dataset, self._dataset.splits[self._split]
            ),
            "benchmark": measured_by(scenario, alone=False),
            "device": device_asked(scenario.environment.device),
            "machine": timed_on(),
            "libraries": versions_for(backends, *LIBRARIES),
            "own_code": code_digest(QUANT, backends, context.settings.own_code_file),
        }

    def _time(self, watch: TimingConditions, original: Detector, quantized: Detector) -> Timings:
        """Both by turns; nothing where the machine was busy."""
        from guardianflow.evaluation.timing.latency import comparable, speedup

        detectors = {"original": original, "quantized": quantized}
        results = watch.timed(
            "latency of both and the speed-up",
            lambda: time_by_turns(self._context, detectors, self._images, watch.rounds),
        )
        if results is None:
            return Timings({})
        gain = None
        if comparable(original.info, quantized.info):
            gain = speedup(results["original"], results["quantized"])
        return Timings({name: (each,) for name, each in results.items()}, speedup=gain)

    def _model_tags(self, package: DetectorPackage) -> dict[str, str]:
        scenario, made = self._context.scenario, package.spec
        own = {"quant_exporter": self._code.label} if self._code else {}
        if "activations" in made.lineage:
            own["quant_activations"] = made.lineage["activations"]
        return {
            **own,
            "architecture": scenario.model.architecture,
            "input_size": str(self._source.spec.input_size),
            "task": scenario.task.type,
            "exp_version": scenario.version,
            "source_run_id": source_run_tags(self._context).get("source.run_id", ""),
            "quant_backend": self._variant.backend,
            # A search may end with a method that was not asked for, or with float16.
            "quant_method": made.lineage.get("quantization_method", self._variant.method),
            "precision": made.precision,
            "data_fingerprint": self._dataset.fingerprint,
        }
