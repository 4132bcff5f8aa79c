"""A release report as the templates take it: plain values, every text in one language.

HTML and Markdown are made from the same view, so neither can say what the other does not.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from ...contracts.errors import EvaluationError
from ...contracts.measurements import Conditions
from ...contracts.releases import PASS, JournalEntry, VariantDecision
from .content import PICTURE_ROLES, ReleaseReport, ReportPicture
from .gates import GateRow, gate_rows
from .next_steps import Step, next_steps
from .tables import Cell, ClassTable, ModelRow, accuracy_rows, class_table, glance, speed_rows
from .wording import SYMBOLS, Wording

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Fact = tuple[str, str]
"""A name and its value."""


@dataclass(frozen=True)
class Badge:
    """An outcome as symbol and word; `outcome` chooses the colour, which is never alone."""

    outcome: str
    symbol: str
    word: str


@dataclass(frozen=True)
class VariantView:
    """One variant: its line in the overview, its gates, its rows of the tables."""

    name: str
    badge: Badge
    is_winner: bool
    registered: str
    champion: str
    open_gates: str
    glance: tuple[Cell, ...]
    gates: tuple[GateRow, ...]
    accuracy: tuple[ModelRow, ...]
    speed: tuple[ModelRow, ...]
    classes: ClassTable
    digests: tuple[Fact, ...]


@dataclass(frozen=True)
class PictureView:
    """A picture to embed: PNG as base64."""

    caption: str
    base64: str


@dataclass(frozen=True)
class HistoryView:
    """Changes of one model's champion, newest first; each row as the table has its columns."""

    model: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReportView:
    """All that the templates show."""

    language: str
    title: str
    site: str
    badge: Badge
    headline: str
    reason: str
    heads: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    variants: tuple[VariantView, ...]
    pictures: tuple[PictureView, ...]
    conditions: tuple[Fact, ...]
    lineage: tuple[Fact, ...]
    history: tuple[HistoryView, ...]
    has_champion: bool
    was_timed: bool


def make_view(report: ReleaseReport, wording: Wording) -> ReportView:
    """The report in the wording's language.

    Raises:
        EvaluationError: variants that don't match the decision's, an unknown gate, a picture
            that is missing, no PNG or of an unknown role.
    """
    _check(report)
    decision, text = report.decision, wording.text
    conditions = report.conditions
    return ReportView(
        language=wording.language,
        title=text("title", site=report.site, task=report.task),
        site=f"{report.site} · {report.task}",
        badge=badge(decision.outcome, wording),
        headline=text(f"headline.{decision.outcome}"),
        reason=wording.decision_reason(decision),
        heads=(
            (text("scenario"), f"{report.scenario} {report.scenario_version}"),
            (text("made_at"), moment(report.made_at)),
        ),
        facts=tuple(_facts(report, wording)),
        steps=tuple(next_steps(report, wording)),
        warnings=tuple(map(wording.warning, conditions.doubts if conditions else ())),
        variants=tuple(_variant(report, index, wording) for index in range(len(decision.variants))),
        pictures=tuple(_picture(each, wording) for each in _ordered(report.pictures)),
        conditions=tuple(_conditions(conditions, report.device, wording)),
        lineage=tuple(_lineage(report, wording)),
        history=tuple(
            HistoryView(model, tuple(_change(each, wording) for each in reversed(entries)))
            for model, entries in report.journal.items()
        ),
        has_champion=any(each.champion is not None for each in report.variants),
        was_timed=conditions is not None,
    )


def badge(outcome: str, wording: Wording) -> Badge:
    return Badge(outcome, SYMBOLS[outcome], wording.text(outcome))


def _check(report: ReleaseReport) -> None:
    decided = [each.variant for each in report.decision.variants]
    compared = [each.variant for each in report.variants]
    if not decided or compared != decided or len(set(decided)) != len(decided):
        raise EvaluationError(
            f"a report's variants must be the decision's, {decided or 'one at least'}, each "
            f"once and in its order, but got {compared}"
        )
    if report.decision.outcome == PASS and report.decision.winner not in decided:
        raise EvaluationError(
            f"a passed decision's winner must be one of {decided} but got "
            f"'{report.decision.winner}'"
        )
    roles = {each.role for each in report.pictures} - set(PICTURE_ROLES)
    if roles:
        raise EvaluationError(
            f"a picture's role must be one of {', '.join(PICTURE_ROLES)} but got "
            f"{', '.join(sorted(roles))}"
        )


def _facts(report: ReleaseReport, wording: Wording) -> list[Fact]:
    decision, text = report.decision, wording.text
    facts = [(text("winner"), decision.winner or text("no_winner"))]
    winner = decision.winning
    if winner is not None:
        facts.append((text("model"), registered(winner) or text("not_registered")))
        facts.append((text("against"), _against(winner, wording)))
    return [
        *facts,
        (
            text("judged_on"),
            text("judged_on.value", images=f"{decision.images:,}", split=decision.split),
        ),
        (text("confidence"), percent(decision.confidence)),
        (text("promoted"), ", ".join(decision.promoted) or text("not_promoted")),
    ]


def _variant(report: ReleaseReport, index: int, wording: Wording) -> VariantView:
    decided, compared = report.decision.variants[index], report.variants[index]
    models = {"candidate": compared.candidate, "champion": compared.champion}
    return VariantView(
        name=decided.variant,
        badge=badge(decided.outcome, wording),
        is_winner=decided.variant == report.decision.winner,
        registered=registered(decided) or wording.text("not_registered"),
        champion=_against(decided, wording),
        open_gates="; ".join(
            f"{SYMBOLS[gate.outcome]} {wording.gate_name(gate.gate)}"
            for gate in decided.gates
            if gate.outcome != PASS
        )
        or wording.text("none"),
        glance=glance(compared.candidate),
        gates=tuple(gate_rows(decided.gates, wording)),
        accuracy=tuple(accuracy_rows(compared, wording)),
        speed=tuple(speed_rows(compared, wording)),
        classes=class_table(compared, report.class_names, report.instances, wording),
        digests=tuple(
            (f"{wording.text(role)}, {wording.text('digest')}", model.digest)
            for role, model in models.items()
            if model is not None and model.digest
        ),
    )


def registered(variant: VariantDecision) -> str:
    """'…/ppe__openvino_int8 v3'; '' where it is not registered."""
    return f"{variant.model_name} v{variant.version}" if variant.version else ""


def _against(variant: VariantDecision, wording: Wording) -> str:
    if not variant.champion_version:
        return wording.text("no_champion")
    return wording.text("champion_version", version=variant.champion_version)


def _ordered(pictures: tuple[ReportPicture, ...]) -> list[ReportPicture]:
    return sorted(pictures, key=lambda each: PICTURE_ROLES.index(each.role))


def _picture(picture: ReportPicture, wording: Wording) -> PictureView:
    image = picture.image
    try:
        content = image if isinstance(image, bytes) else image.read_bytes()
    except OSError as exc:
        raise EvaluationError(f"the picture '{picture.role}' can't be read: {exc}") from exc
    if not content.startswith(PNG_SIGNATURE):
        raise EvaluationError(
            f"the picture '{picture.role}' must be a PNG but begins with {content[:8]!r}"
        )
    caption = wording.text(f"picture.{picture.role}")
    caption = f"{picture.variant} – {caption}" if picture.variant else caption
    return PictureView(caption, base64.b64encode(content).decode("ascii"))


def _conditions(found: Conditions | None, device: str, wording: Wording) -> list[Fact]:
    text = wording.text
    if found is None:
        return [(text("device"), device)] if device else []
    cores = text("cores.value", physical=found.physical_cores, logical=found.logical_cores)
    facts = [
        (text("device"), device),
        (text("cpu"), found.cpu),
        (text("gpus"), ", ".join(found.gpus)),
        (text("cores"), cores),
        (text("isa_cap"), found.isa_cap),
        (text("load"), f"{load(found.load_before)} → {load(found.load_after)}"),
        (text("other_cores"), load(found.other_cores)),
        (text("stolen_cores"), load(found.stolen_cores)),
        (text("libraries"), ", ".join(f"{name} {v}" for name, v in found.libraries.items())),
    ]
    return [fact for fact in facts if fact[1]]


def _lineage(report: ReleaseReport, wording: Wording) -> list[Fact]:
    text, line = wording.text, report.lineage
    facts = [
        (text("data"), " ".join(each for each in (line.data_name, line.data_version) if each)),
        (text("data_path"), line.data_path),
        (text("fingerprint"), line.data_fingerprint),
        (text("code_version"), line.code_version),
        (text("evaluator"), line.evaluator),
        (text("release_run"), line.release_run_id),
        (text("parent_run"), line.parent_run_id),
        *((f"{text('source_run')} {what}", run_id) for what, run_id in line.source_runs.items()),
        (text("tracking_uri"), line.tracking_uri),
    ]
    return [fact for fact in facts if fact[1]]


def _change(entry: JournalEntry, wording: Wording) -> tuple[str, ...]:
    before, after = (
        f"v{aliases['champion']}" if "champion" in aliases else "–"
        for aliases in (entry.before, entry.after)
    )
    action = wording.text(f"action.{entry.action}")
    if entry.forced:
        action = f"{action} ({wording.text('forced')})"
    return (
        moment(entry.when),
        entry.who,
        action,
        f"{before} → {after}",
        wording.text(f"state.{entry.state}"),
        entry.reason,
    )


def moment(iso: str) -> str:
    """'2026-11-21 17:24 UTC' for an ISO 8601 time; as it is where it is none."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = when.strftime("%Z") if when.tzinfo else ""
    return f"{when:%Y-%m-%d %H:%M} {zone}".strip()


def percent(share: float) -> str:
    """'95 %'."""
    return f"{100 * share:.10g} %"


def load(value: float | None) -> str:
    """Two decimals; '' for what is not known."""
    return "" if value is None else f"{value:.2f}"
