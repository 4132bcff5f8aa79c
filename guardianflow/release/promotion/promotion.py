"""The way to the site and back: candidate → champion → rollback, journalled on the model.

    promote    candidate (or a named version) → champion, the old champion → rollback
    rollback   rollback → champion, the demoted champion → candidate
    recover    a change that was interrupted is completed or taken back

Pure policy over the AliasStore port. claims.py lets one at a time through, alias_changes.py writes,
journal.py keeps every change: who, when, from, to, why, on what evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ...contracts.detector_package import DetectorPackage
from ...contracts.errors import ConcurrentChangeError, PromotionRefusedError, SourceError
from ...contracts.given import whole_number
from ...contracts.ports import AliasStore
from ...contracts.releases import (
    CANDIDATE,
    CHAMPION,
    COMPARED_TAG,
    EVIDENCE_TAG,
    FAIL,
    OUTCOME_TAG,
    PASS,
    ROLLBACK,
    UNDECIDED,
    JournalEntry,
)
from ...contracts.results import RegisteredModel
from .alias_changes import carry_out, current_aliases, now, settle_interrupted
from .claims import claimed
from .evidence import ReadEvidence, evidence_refusal
from .journal import BEGUN, history

REASON_LIMIT = 1000
"""Characters; an entry must fit in one tag of 5,000."""

_JUDGE_ANEW = "Judge it with `guardianflow release` and a scenario that has gates"

Verify = Callable[[str, str], DetectorPackage]
"""(name, version) → its files, fetched and verified; raises SourceError where they don't match."""


def promote(
    store: AliasStore,
    name: str,
    *,
    version: str | None = None,
    who: str,
    reason: str = "",
    force: bool = False,
    decided_at: str = "",
    verify: Verify,
    evidence: ReadEvidence,
) -> JournalEntry:
    """Make the candidate, or `version`, the champion; the old champion becomes the rollback.

    Args:
        name: slash or dot form.
        version: '3' or 'v3'; None takes the candidate.
        who: user@host.
        force: promote without a passed verdict; asks for a reason.
        decided_at: when the caller decided, as `now` writes it: a change journalled since then is
            refused to be built upon. '' means at this moment; a command gives its start, as the
            libraries take seconds to load.
        verify: gives the version's files as they lie in the registry; raises SourceError when they
            are not what was registered.
        evidence: reads the release run that the verdict names; see release/evidence.py.

    Returns:
        The journal's entry; `forced` only where the verdict would not have allowed it.

    Raises:
        SourceError: unknown model or version, no candidate, champion already, files that changed,
            `force` without a reason, a reason that can't be kept.
        PromotionRefusedError: never judged, failed, undecided, judged against another champion, or
            the run that the verdict names does not confirm it.
        ConcurrentChangeError: others change, or have just changed, the model's aliases.
        TrackingError: the registry refused or went away; says how far the change came.
    """
    _check_reason(reason, force)
    recover(store, name, who=who)
    _check_unchanged_since(store, name, decided_at, "promote")
    plan = _plan_promotion(store, name, version)
    if plan.refusal and not force:
        raise PromotionRefusedError(plan.refusal)
    package = verify(name, plan.version)  # it may take a while, so not under the claim
    refusal = plan.refusal or _unproven(evidence, name, plan, package)
    if refusal and not force:
        raise PromotionRefusedError(refusal)
    again = partial(_plan_promotion, store, name, version)
    return _change(store, name, plan, again, who, reason, forced=bool(refusal))


def rollback(
    store: AliasStore,
    name: str,
    *,
    who: str,
    reason: str = "",
    decided_at: str = "",
    verify: Verify | None = None,
) -> JournalEntry:
    """Make the rollback the champion again; the demoted champion becomes the candidate.

    Args:
        decided_at: as for `promote`.
        verify: as for `promote`; None trusts the files.

    Raises:
        SourceError: unknown model, no rollback, files that changed, a reason that can't be kept.
        ConcurrentChangeError, TrackingError: as `promote`.
    """
    _check_reason(reason, force=False)
    recover(store, name, who=who)
    _check_unchanged_since(store, name, decided_at, "rollback")
    plan = _plan_rollback(store, name)
    if verify is not None:
        verify(name, plan.version)
    return _change(store, name, plan, partial(_plan_rollback, store, name), who, reason)


def recover(store: AliasStore, name: str, *, who: str = "guardianflow") -> JournalEntry | None:
    """Complete a change that was interrupted, or take it back where its version is gone.

    Returns:
        The entry, now 'done' or 'undone', its `note` saying so; None where none was begun.

    Raises:
        ConcurrentChangeError: the one who began it, or another, is at it at this moment.
        SourceError, TrackingError: as journal.history.
    """
    if all(entry.state != BEGUN for entry in history(store, name)):
        return None
    with claimed(store, name, who=who, doing="recover") as held:
        return settle_interrupted(store, name, held, who)


# --- inside -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """A change of aliases. `refusal`: why the verdict does not allow it; '' where it does."""

    action: str
    version: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    refusal: str = ""
    evidence_run_id: str = ""


def _change(
    store: AliasStore,
    name: str,
    plan: _Plan,
    plan_again: Callable[[], _Plan],
    who: str,
    reason: str,
    *,
    forced: bool = False,
) -> JournalEntry:
    """Carry the plan out alone, if it still is what was decided."""
    with claimed(store, name, who=who, doing=plan.action) as held:
        settle_interrupted(store, name, held, who)
        if current_aliases(store, name) != plan.before or plan_again() != plan:
            raise _changed_meanwhile(store, name, plan.action)
        entry = JournalEntry(
            number=max((each.number for each in history(store, name)), default=0) + 1,
            action=plan.action,
            state=BEGUN,
            who=who,
            when=now(),
            before=plan.before,
            after=plan.after,
            reason=reason.strip(),
            forced=forced,
            evidence_run_id="" if forced else plan.evidence_run_id,
        )
        return carry_out(store, name, entry, held)


def _plan_promotion(store: AliasStore, name: str, version: str | None) -> _Plan:
    versions = {each.version: each for each in store.versions(name)}
    before = current_aliases(store, name)
    champion, shown = before.get(CHAMPION), _shown(name)
    chosen = _number(version) if version is not None else before.get(CANDIDATE)
    there = f"it has {_versions(versions, before)}"
    if chosen is None:
        raise SourceError(
            f"model '{shown}' has no @{CANDIDATE} to promote; {there}. Name one with --version"
        )
    if chosen not in versions:
        raise SourceError(f"model '{shown}' has no version {chosen}; {there}")
    if chosen == champion:
        raise SourceError(f"v{chosen} of '{shown}' is @{CHAMPION} already; {there}")
    after = {**before, CHAMPION: chosen}
    if champion is not None:
        after[ROLLBACK] = champion
    if after.get(CANDIDATE) == chosen:
        del after[CANDIDATE]
    found = versions[chosen]
    why = _refusal(found, champion or "")
    return _Plan(
        "promote",
        chosen,
        before,
        after,
        refusal=f"v{chosen} of '{shown}' may not be promoted: {why}" if why else "",
        evidence_run_id="" if why else found.tags.get(EVIDENCE_TAG, ""),
    )


def _plan_rollback(store: AliasStore, name: str) -> _Plan:
    versions = {each.version: each for each in store.versions(name)}
    before = current_aliases(store, name)
    champion, chosen, shown = before.get(CHAMPION), before.get(ROLLBACK), _shown(name)
    there = f"it has {_versions(versions, before)}"
    if chosen is None:
        raise SourceError(f"model '{shown}' has no @{ROLLBACK} to go back to; {there}")
    if chosen == champion:
        raise SourceError(f"@{ROLLBACK} of '{shown}' is v{chosen}, which is @{CHAMPION} already")
    after = {alias: number for alias, number in before.items() if alias != ROLLBACK}
    after[CHAMPION] = chosen
    if champion is not None:
        after[CANDIDATE] = champion
    elif after.get(CANDIDATE) == chosen:
        del after[CANDIDATE]
    return _Plan("rollback", chosen, before, after)


def _unproven(evidence: ReadEvidence, name: str, plan: _Plan, package: DetectorPackage) -> str:
    """The reason why the verdict's run does not confirm it; '' where it does."""
    try:
        found = evidence(plan.evidence_run_id)
    except SourceError as exc:
        why = f"the release that its verdict names can't be read: {exc}"
    else:
        why = evidence_refusal(found, name, plan.version, plan.before.get(CHAMPION, ""), package)
    if not why:
        return ""
    return f"v{plan.version} of '{_shown(name)}' may not be promoted: {why}. {_JUDGE_ANEW}"


def _refusal(version: RegisteredModel, champion: str) -> str:
    """The reason why the verdict does not allow it, and what to do; '' where it does."""
    outcome = version.tags.get(OUTCOME_TAG)
    run_id = version.tags.get(EVIDENCE_TAG, "")
    evidence = f" (run {run_id})" if run_id else ""
    compared = version.tags.get(COMPARED_TAG, "")
    if outcome is None:
        return f"no release has judged it. {_JUDGE_ANEW}, or force it with a reason"
    if outcome == FAIL:
        return f"it failed its release{evidence}. The report there names the gates"
    if outcome == UNDECIDED:
        return (
            f"its release came to no decision{evidence}. The report there says how many more "
            "test images would decide"
        )
    if outcome != PASS:
        return f"its tag {OUTCOME_TAG} is '{outcome}', no verdict of ours. {_JUDGE_ANEW}"
    if compared != champion:
        then = f"against v{compared}" if compared else f"when there was no @{CHAMPION}"
        present = f"v{champion} is @{CHAMPION} now" if champion else f"there is no @{CHAMPION} now"
        return (
            f"it was judged {then}{evidence}, but {present}. {_JUDGE_ANEW}, against the present one"
        )
    return ""


def _check_unchanged_since(store: AliasStore, name: str, decided_at: str, action: str) -> None:
    if decided_at and any(entry.when > decided_at for entry in history(store, name)):
        raise _changed_meanwhile(store, name, action)


def _changed_meanwhile(store: AliasStore, name: str, action: str) -> ConcurrentChangeError:
    present = ", ".join(f"@{a} = v{v}" for a, v in sorted(current_aliases(store, name).items()))
    entries = history(store, name)
    last = entries[-1] if entries else None
    by = f" The last change is {last.action} by {last.who} at {last.when}." if last else ""
    return ConcurrentChangeError(
        f"{action} of '{_shown(name)}' was decided on a state that changed meanwhile; now it is "
        f"{present or 'without aliases'}.{by} Nothing was changed by this command; look at "
        f"`guardianflow history {_shown(name)}` and decide again"
    )


def _check_reason(reason: str, force: bool) -> None:
    if force and not reason.strip():
        raise SourceError("a forced promotion must have a reason but got none. Add --reason TEXT")
    if len(reason) > REASON_LIMIT:
        raise SourceError(
            f"a reason must be at most {REASON_LIMIT} characters but got {len(reason)}: put the "
            "rest where the evidence is"
        )
    if any(sign < " " and sign not in "\n\r\t" for sign in reason):
        raise SourceError(f"a reason must be readable text but got control characters: {reason!r}")
    try:
        reason.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise SourceError(
            "a reason must be readable text but got bytes that are no UTF-8. Set the terminal to "
            "UTF-8"
        ) from exc


def _number(version: str) -> str:
    number = whole_number(version.strip().removeprefix("v").removeprefix("V"))
    if not number:
        raise SourceError(f"a version must be a number such as 3 but got '{version}'")
    return str(number)


def _versions(versions: Mapping[str, RegisteredModel], aliases: Mapping[str, str]) -> str:
    """'v1 (@rollback), v2 (@champion), v3' for a message."""
    shown = []
    for number in versions:
        held = [f"@{alias}" for alias, version in sorted(aliases.items()) if version == number]
        shown.append(f"v{number} ({', '.join(held)})" if held else f"v{number}")
    more = len(shown) - 20
    return ", ".join([*(["…"] if more > 0 else []), *shown[-20:]]) or "no version"


def _shown(name: str) -> str:
    return name.replace(".", "/")
