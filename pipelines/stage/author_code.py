"""The author's class that a stage works with: Trainer, Benchmark or Quantizer, or none.

    plan_code    before anything starts: what will be used, nothing run
    load_code    in the stage: the class itself, imported and checked
    check_later  in the first stage of several: the classes of the others, before hours of work

Where the code has not the stage's class but another one, the built-in way is taken and told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import ExperimentCodeError

from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from .kinds import INFER, QUANT, TRAIN
from .stage import AUTHOR_TAG, StageContext

if TYPE_CHECKING:
    from experiments_adapters.author_classes import AuthorClass
    from experiments_adapters.code_path import ExperimentCode

WORK = {
    TRAIN: "the built-in YOLO experiment trains",
    QUANT: "GuardianFlow's own exporters make the variants",
    INFER: "GuardianFlow finds the boxes and times that",
}
"""Stage → what is told where it takes the built-in way."""


@dataclass(frozen=True)
class PlannedCode:
    """The code of a stage, as far as it is known before it is run.

    Args:
        reference: for the stage; the built-in experiment where the class is not there.
        shown: 'Benchmark of /home/…/benchmark.py'; '' for the built-in way.
        note: says that the built-in way is taken though code was given; '' where it isn't so.
    """

    reference: str = BUILTIN_EXPERIMENT
    shown: str = ""
    note: str = ""


def class_of(stage: str) -> AuthorClass:
    """The class that a stage works with."""
    from experiments_adapters.author_classes import BENCHMARK, QUANTIZER, TRAINER

    return {TRAIN: TRAINER, QUANT: QUANTIZER, INFER: BENCHMARK}[stage]


def plan_code(stage: str, reference: str, base_dir: Path, *, shared: bool = False) -> PlannedCode:
    """What a stage will work with.

    Args:
        reference: experiment_code_path.
        shared: other stages of the same command have it too.

    Raises:
        ExperimentCodeError: the path is not there, or holds no class for any stage.
    """
    from experiments_adapters.class_checks import class_named_in
    from experiments_adapters.code_path import find_file, is_repository, locate, shown_reference

    if reference == BUILTIN_EXPERIMENT:
        return PlannedCode()
    wanted = class_of(stage)
    if is_repository(reference):  # looked into when it is fetched
        shown = f"{wanted.name} of {shown_reference(reference)}, if {wanted.file} is there"
        return PlannedCode(reference, shown)
    places = [base_dir, PROJECT_ROOT]
    if locate(reference, places) == PROJECT_ROOT / BUILTIN_EXPERIMENT:
        return PlannedCode()
    path = find_file(reference, wanted, base_dirs=places, shared=shared)
    if path is None:
        return PlannedCode(
            shown=f"the built-in way ({wanted.file} is not there)", note=_note(stage, reference)
        )
    shown = f"{class_named_in(path, wanted) or wanted.name} of {path}"
    return PlannedCode(reference, shown + ", where it makes that" * (stage == QUANT))


def load_code(context: StageContext, stage: str) -> ExperimentCode | None:
    """The stage's class, imported and checked; None for the built-in way of infer and quant.

    Raises:
        ExperimentCodeError: as load_experiment.
    """
    from experiments_adapters.code_path import load_where_there, shown_reference

    request = context.request
    if stage != TRAIN and request.code_path == BUILTIN_EXPERIMENT:
        return None
    code = load_where_there(
        request.code_path,
        class_of(stage),
        base_dirs=[context.base_dir, PROJECT_ROOT],
        cache_dir=context.settings.code_dir,
        shared=request.shared_code,
        sources=context.settings.code_sources,
    )
    if code is None and not request.check_only:
        context.events.message(_note(stage, shown_reference(request.code_path)))
    return code


def check_later(context: StageContext) -> None:
    """Load what the command's other stages will need, and leave it again.

    Raises:
        ExperimentCodeError: as load_experiment; a Quantizer that makes none of the variants.
    """
    for stage, reference in context.request.later_code.items():
        request = replace(context.request, code_path=reference, shared_code=True)
        code = load_code(replace(context, request=request), stage)
        if code is not None and stage == QUANT:
            makes_any(code, context.request.variants)


def makes_any(code: ExperimentCode, variants: Sequence[str]) -> tuple[str, ...]:
    """The variants that a Quantizer makes.

    Args:
        variants: that a command is to make.

    Raises:
        ExperimentCodeError: none of them is among those.
    """
    from experiments_adapters.class_checks import variants_made

    makes = variants_made(code.loaded_class)
    if variants and not set(makes) & set(variants):
        raise ExperimentCodeError(
            f"{code.path}: {code.loaded_class.__name__} makes {', '.join(makes)}, but "
            f"{', '.join(variants)} is to be made. Ask for what it makes (--backend, --precision), "
            f"add to its `makes`, or leave the code out"
        )
    return makes


def code_tags(code: ExperimentCode | None) -> Mapping[str, str]:
    """The run's tags about it."""
    if code is None:
        return {}
    return {
        "experiment_code_path": code.reference,
        "experiment_code_fingerprint": code.fingerprint,
        AUTHOR_TAG: code.label,
    }


def _note(stage: str, reference: str) -> str:
    wanted = class_of(stage)
    return f"{reference} has no {wanted.file} with a {wanted.name}: {WORK[stage]}"
