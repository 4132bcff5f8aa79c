"""A release report as the templates take it: plain values, every text in one language.

HTML and Markdown are made from the same view, so neither can say what the other does not.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

from ...contracts.errors import EvaluationError
from ...contracts.measurements import Conditions
from ...contracts.recordings.groups import EvidenceUnit
from ...contracts.releases import CHAMPION, PASS, JournalEntry, VariantDecision
from ..models import ComparedModels
from .alarms import alarm_headings, alarm_intro, alarms_view
from .content import ALARM_ROLES, PHOTO_ROLES, PICTURE_ROLES, Lineage, ReleaseReport, ReportPicture
from .figures import ABSENT
from .gates import GateRow
from .next_steps import next_steps
from .slices import slice_view
from .tables import (
    ACCURACY_KEYS,
    GLANCE_KEYS,
    SPEED_KEYS,
    accuracy_rows,
    class_rows,
    glance,
    speed_rows,
)
from .wording import Wording

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
"""Beginning of a file → what it is, as a data: address names it."""
Fact = tuple[str, str]
"""A name and its value."""


class VariantView:
    """One variant: its line in the overview, its gates, its rows of the tables."""

    def __init__(
        self,
        report: ReleaseReport,
        decided: VariantDecision,
        compared: ComparedModels,
        wording: Wording,
    ) -> None:
        self.name = decided.variant
        self.badge = wording.badge(decided.outcome)
        self.is_winner = decided.variant == report.decision.winner
        self.registered = _registered(decided, wording)
        self.champion = _against(decided, wording)
        self.has_champion = compared.champion is not None
        self.glance = glance(compared.candidate, wording)
        self.gates = [GateRow(gate, wording) for gate in decided.gates]
        kept_open = [each for each in self.gates if each.badge.outcome != PASS]
        shown = "; ".join(f"{each.badge.symbol} {each.name}" for each in kept_open)
        self.open_gates = shown or wording.text("none")
        self.accuracy = accuracy_rows(compared, wording)
        self.speed = speed_rows(compared, wording)
        self.alarms_view = alarms_view(compared, wording)
        self.alarms = self.alarms_view.rows if self.alarms_view else ()
        self.classes = class_rows(compared, report.class_names, report.instances, wording)
        self.slices = slice_view(compared, wording)
        models = {"candidate": compared.candidate, "champion": compared.champion}
        self.digests = [
            (f"{wording.text(role)}, {wording.text('digest')}", model.digest)
            for role, model in models.items()
            if model is not None and model.digest
        ]


class ReportView:
    """All that the templates show, in the wording's language.

    Raises:
        EvaluationError: variants that don't match the decision's, an unknown gate, a picture
            that is missing, no PNG or of an unknown role.
    """

    def __init__(self, report: ReleaseReport, wording: Wording) -> None:
        _check(report)
        decision, conditions, text = report.decision, report.conditions, wording.text
        self.language = wording.language
        self.title = text("title", site=report.site, task=report.task)
        self.site = f"{report.site} · {report.task}"
        self.confidence = f"{100 * decision.confidence:.10g}"
        self.threshold = f"{report.conf_threshold:.10g}"
        self.badge = wording.badge(decision.outcome)
        self.headline = text(f"headline.{decision.outcome}")
        self.reason = wording.decision_reason(decision)
        self.heads = [
            (text("scenario"), f"{report.scenario} {report.scenario_version}"),
            (text("made_at"), moment(report.made_at)),
        ]
        self.facts = _facts(report, wording)
        self.steps = next_steps(report, wording)
        self.was_timed = conditions is not None
        absent = conditions is not None and bool(conditions.busy)
        self.warnings_title = text("absent_times" if absent else "warnings")
        self.warnings_hint = text("absent_times.hint" if absent else "warnings.hint")
        self.warnings = [
            wording.warning(each) for each in (conditions.doubts if conditions else ())
        ]
        self.glance_headings = [wording.heading(key) for key in GLANCE_KEYS]
        self.accuracy_headings = [wording.heading(key) for key in ACCURACY_KEYS]
        self.speed_headings = [wording.heading(key) for key in SPEED_KEYS]
        both = zip(decision.variants, report.variants, strict=True)
        self.variants = [VariantView(report, *each, wording) for each in both]
        self.has_champion = any(each.has_champion for each in self.variants)
        self.has_slices = any(each.slices for each in self.variants)
        ordered = sorted(report.pictures, key=lambda each: PICTURE_ROLES.index(each.role))
        self.alarm_intro = alarm_intro(report, wording)
        self.alarm_headings = alarm_headings(wording)
        within = ALARM_ROLES if self.alarm_intro else ()
        # Photos are large and much alike: those of the one that may be released, else the first's.
        of_one = ("", decision.winner or decision.variants[0].variant)
        shown = [each for each in ordered if each.variant in of_one or each.role not in PHOTO_ROLES]
        self.photos_elsewhere = len(shown) < len(ordered)
        self.alarm_pictures = [_picture(each, wording) for each in shown if each.role in within]
        self.pictures = [_picture(each, wording) for each in shown if each.role not in within]
        self.conditions = _known(_conditions(conditions, report.device, wording), wording)
        self.data_warnings = [wording.data_warning(each) for each in report.data_warnings]
        self.leaks = _leaks(report, wording)
        self.network_changes = [
            wording.network_change(each.variant, change)
            for each in report.variants
            if (change := each.candidate.model.network_change) is not None
        ]
        self.lineage = _lineage(report.lineage, wording)
        self.history = [
            (model, [_change(each, wording) for each in reversed(entries)])
            for model, entries in report.journal.items()
        ]


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
    winner = decision.winning
    counted = {"images": f"{decision.images:,}", "split": decision.split}
    judged_on = text("judged_on.value", **counted)
    if decision.unit not in ("", EvidenceUnit.IMAGE):
        groups = {"groups": f"{decision.groups:,}", "unit": text(f"unit.{decision.unit}")}
        judged_on = text("judged_on.groups", **counted, **groups)
    elif decision.unit_asked:
        judged_on = text("judged_on.asked_image", **counted)
    facts = {
        "winner": decision.winner or text("no_winner"),
        "model": _registered(winner, wording) if winner else "",
        "against": _against(winner, wording) if winner else "",
        "judged_on": judged_on,
        "confidence": f"{100 * decision.confidence:.10g} %",
        "promoted": ", ".join(decision.promoted) or text("not_promoted"),
    }
    return _known(facts, wording)


def _known(facts: Mapping[str, str], wording: Wording) -> list[Fact]:
    """Those that have a value, by the texts of their keys."""
    return [(wording.text(key), value) for key, value in facts.items() if value]


def _registered(variant: VariantDecision, wording: Wording) -> str:
    """'…/ppe__openvino_int8 v3', or that it is not registered."""
    if not variant.version:
        return wording.text("not_registered")
    return f"{variant.model_name} v{variant.version}"


def _against(variant: VariantDecision, wording: Wording) -> str:
    if not variant.champion_version:
        return wording.text("no_champion")
    return wording.text("champion_version", version=variant.champion_version)


def _picture(picture: ReportPicture, wording: Wording) -> Fact:
    """A picture to embed: its caption, and a data: address."""
    image = picture.image
    try:
        content = image if isinstance(image, bytes) else image.read_bytes()
    except OSError as exc:
        raise EvaluationError(f"the picture '{picture.role}' can't be read: {exc}") from exc
    kind = next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None)
    if kind is None:
        raise EvaluationError(
            f"the picture '{picture.role}' must be PNG or JPEG but begins with {content[:8]!r}"
        )
    caption = wording.text(f"picture.{picture.role}")
    caption = f"{picture.variant} – {caption}" if picture.variant else caption
    return caption, f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _conditions(found: Conditions | None, device: str, wording: Wording) -> Mapping[str, str]:
    if found is None:
        return {"device": device}
    return {
        "device": device,
        "cpu": found.cpu,
        "gpus": ", ".join(found.gpus),
        "cores": wording.text(
            "cores.value", physical=found.physical_cores, logical=found.logical_cores
        ),
        "isa_cap": found.isa_cap,
        "load": f"{load(found.load_before)} → {load(found.load_after)}",
        "other_cores": load(found.other_cores),
        "stolen_cores": load(found.stolen_cores),
        "libraries": ", ".join(f"{name} {v}" for name, v in found.libraries.items()),
    }


def _leaks(report: ReleaseReport, wording: Wording) -> list[str]:
    """What of the judged images is in train: once where it is the same for all, else by variant."""
    told = {each.variant: wording.leak(each.leak) for each in report.variants if each.leak}
    known = {variant: text for variant, text in told.items() if text}
    if len(set(known.values())) == 1 and len(known) == len(report.variants):
        return [next(iter(known.values()))]
    return [wording.text("leak.variant", variant=v, told=text) for v, text in known.items()]


def _lineage(line: Lineage, wording: Wording) -> list[Fact]:
    facts = {
        "data": " ".join(each for each in (line.data_name, line.data_version) if each),
        "data_path": line.data_path,
        "fingerprint": line.data_fingerprint,
        "code_version": line.code_version,
        "evaluator": line.evaluator,
        "release_run": line.release_run_id,
        "parent_run": line.parent_run_id,
    }
    source = wording.text("source_run")
    runs = [(f"{source} {what}", run_id) for what, run_id in line.source_runs.items() if run_id]
    store = {"tracking_uri": line.tracking_uri}
    return [*_known(facts, wording), *runs, *_known(store, wording)]


def _change(entry: JournalEntry, wording: Wording) -> tuple[str, ...]:
    before, after = (
        f"v{aliases[CHAMPION]}" if CHAMPION in aliases else ABSENT
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


def load(value: float | None) -> str:
    """Two decimals; '' for what is not known."""
    return "" if value is None else f"{value:.2f}"
