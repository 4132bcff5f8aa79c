"""As many cheaper activations as a limit of mAP50-95 allows: the search that a quant stage runs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments_adapters.yolo.distil import distil as train_on
from guardianflow.backends.catalogue import backend_info, open_recipe_exporter
from guardianflow.contracts.errors import TrainerError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.quantisation import Distillation, Distiller, Recipe
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import LetterboxedImages
from guardianflow.evaluation.timing.latency import fast_call_ms, measure_interleaved
from pipelines.quant.activation_order import ActivationOrder, Step, measure_order
from pipelines.quant.search_order import RecipeSearch
from pipelines.quant.trial import Trial

from .variants import Variant, Variants


@dataclass(frozen=True)
class Cheaper:
    """What the search chose, of one backend.

    Args:
        plain: with the most activations changed, nothing trained.
        trained: likewise, trained on; None where that changes no more of them.
        found: the order of the groups, and every try with its drop or why it failed.
    """

    plain: Variant
    trained: Variant | None
    found: dict[str, Any]

    @property
    def best(self) -> Variant:
        return self.trained or self.plain


@dataclass
class CheaperActivations:
    """Looks for them, or takes what an earlier run found.

    Args:
        backend: 'openvino' or 'onnx'.
        minutes: of training on, at a time; 0 for none.
        limit: mAP50-95 that may be lost.
        budget: minutes after which no other try begins; kept ones take none.
    """

    variants: Variants
    backend: str
    minutes: float
    limit: float
    budget: float

    def chosen(self) -> Cheaper:
        kept = self.variants.folder / f"cheaper-{self.backend}-{self.minutes:g}.json"
        if not kept.exists():
            kept.write_text(json.dumps(self._search(), indent=1), encoding="utf-8")
        told = json.loads(kept.read_text(encoding="utf-8"))
        plain, trained = (
            self.variants.variant(name, _missing) if name else None for name in told.pop("chosen")
        )
        assert plain is not None
        return Cheaper(plain, trained, told)

    def _search(self) -> dict[str, Any]:
        kinds = backend_info(self.backend).activations
        end = time.monotonic() + self.budget * 60
        base = self.variants.reference().mAP50_95
        with open_recipe_exporter(
            self.backend,
            self.variants.subject.source,
            self.variants.calibration,
            self.variants.folder / "kept",
        ) as exporter:
            distiller = distiller_of(self.variants.subject.dataset, self.variants.subject.side)

            def attempt(recipe: Recipe | None) -> Trial:
                if recipe is None:
                    return Trial(None, reason="INT8 alone is looked for")
                try:
                    tried = self.variants.variant(
                        self._name(recipe),
                        lambda place: exporter.make(recipe, place, distiller),
                        recipe.label,
                    )
                except TrainerError as exc:
                    print(f"{self.backend} {recipe.label}: {exc}", flush=True)
                    return Trial(recipe, reason=str(exc))
                drop = base - tried.mAP50_95
                drops = {"mAP50_95": Estimate.exactly(drop)}
                return Trial(recipe, accepted=drop <= self.limit, drops=drops)

            search = RecipeSearch(
                [],
                attempt,
                lambda: time.monotonic() < end,
                methods=(),
                presets=(),
                objective="size",  # each try is timed with the others, in the end
                distillation=Distillation(self.minutes) if self.minutes else None,
                order_activations=lambda: measure_order(
                    exporter, kinds, self._fast_calls, {}, print, lambda *_: None
                ),
            )
            trials = [each for each in search.run().trials if each.recipe is not None]
        tries = [[e.recipe.label, e.reason or round(e.drop, 4)] for e in trials if e.recipe]
        accepted = [each.recipe for each in trials if each.recipe and each.accepted]
        chosen = self._chosen_of(accepted, search.activation_order)
        return {**search.activation_order.to_table(), "tries": tries, "chosen": chosen}

    def _chosen_of(self, accepted: list[Recipe], order: ActivationOrder) -> list[str]:
        """Names of the plain and the trained one that should save the most; '' for none."""

        def saved(recipe: Recipe) -> float:
            kinds = recipe.activations.kinds if recipe.activations else ()
            return sum(order.measured[Step(*each)].gain or 0.0 for each in kinds)

        def most(*, trained: bool) -> Recipe | None:
            of_kind = [r for r in accepted if _is_trained(r) == trained]
            return max(of_kind, key=saved, default=None)

        plain, trained = most(trained=False), most(trained=True)
        if plain is None:
            raise SystemExit(f"{self.backend}: INT8 loses more than {self.limit} with SiLU already")
        more = trained is not None and saved(trained) > saved(plain)
        return [self._name(plain), self._name(trained) if more and trained else ""]

    def _name(self, recipe: Recipe) -> str:
        return f"{self.backend}-{recipe.digest[:12]}"

    def _fast_calls(self, packages: Mapping[str, DetectorPackage]) -> dict[str, float]:
        with contextlib.ExitStack() as stack:
            opened = {n: stack.enter_context(Detector.open(p)) for n, p in packages.items()}
            timed = measure_interleaved(
                opened,
                self.variants.subject.frames(),
                batch_size=1,
                warmup_runs=5,
                benchmark_runs=200,
            )
        return {name: fast_call_ms(each) for name, each in timed.items()}


def _is_trained(recipe: Recipe) -> bool:
    return recipe.activations is not None and recipe.activations.distillation is not None


def _missing(place: Path) -> DetectorPackage:
    raise SystemExit(f"{place} must be there but is missing; remove {place.parent} and begin anew")


def distiller_of(dataset: LocalDataset, side: int) -> Distiller:
    """Trains on with the train images."""
    paths = dataset.splits["train"]

    def distil(network: Any, original: Any, wanted: Distillation) -> tuple[int, dict[str, str]]:
        def told(number: int, metrics: Mapping[str, float]) -> None:
            print(number, {name: round(value, 4) for name, value in metrics.items()}, flush=True)

        images = LetterboxedImages(paths, side)
        names = [path.name for path in paths]
        facts = train_on(network, original, images, names, wanted, on_round_end=told)
        return int(facts["distillation_images"]), facts

    return Distiller(distil, dataset.fingerprint)
