"""Carrying out a journalled change of aliases, and mending one that was interrupted.

    promote    rollback := old champion │ champion := version │ candidate removed
    rollback   champion := rollback │ candidate := old champion │ rollback removed

Deployments read `champion`: it moves in one write, and is the old or the new version at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ...contracts.errors import ConcurrentChangeError, GuardianFlowError, TrackingError
from ...contracts.ports import AliasStore
from ...contracts.releases import CANDIDATE, CHAMPION, ROLLBACK, JournalEntry
from .claims import HeldClaim
from .journal import BEGUN, DONE, UNDONE, history, write_entry

KEPT_ALIASES = (CANDIDATE, CHAMPION, ROLLBACK)
_ORDER = {
    "promote": (ROLLBACK, CHAMPION, CANDIDATE),
    # In an emergency the good version must be back first.
    "rollback": (CHAMPION, CANDIDATE, ROLLBACK),
}


def now() -> str:
    """As the journal writes it; texts of this form sort by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def current_aliases(store: AliasStore, name: str) -> dict[str, str]:
    """Alias → version, of those that releases move."""
    return {a: v for a, v in store.aliases(name).items() if a in KEPT_ALIASES}


def carry_out(store: AliasStore, name: str, entry: JournalEntry, held: HeldClaim) -> JournalEntry:
    """Journal the change as begun, move the aliases, journal it as done.

    Raises:
        TrackingError: the registry refused or went away; says what is done and what is not.
        ConcurrentChangeError: the claim lapsed, or somebody else moved the same alias.
    """
    done: list[str] = []
    left = [
        f"journal entry {entry.number}",
        *(_said(*step) for step in _steps(entry)),
        "the end of the entry",
    ]

    def confirmed() -> None:
        done.append(left.pop(0))

    try:
        held.check()
        write_entry(store, name, entry)
        confirmed()
        finished = replace(_move(store, name, entry, held, confirmed), state=DONE)
        held.check()
        write_entry(store, name, finished)
        return finished
    except GuardianFlowError as exc:
        kind = ConcurrentChangeError if isinstance(exc, ConcurrentChangeError) else TrackingError
        raise kind(_interrupted(name, entry, done, left, str(exc))) from exc
    except KeyboardInterrupt as exc:
        shown = name.replace(".", "/")
        raise KeyboardInterrupt(f"guardianflow history {shown}") from exc


def settle_interrupted(
    store: AliasStore, name: str, held: HeldClaim, who: str
) -> JournalEntry | None:
    """Complete the change that is still 'begun', or take it back where its version is gone.

    An alias that somebody has since set by other means stays as it is.

    Returns:
        The entry as it is now journalled; None where none was begun.
    """
    settled = None
    for entry in history(store, name):
        if entry.state == BEGUN:
            settled = _settle(store, name, entry, held, who)
    return settled


def _move(
    store: AliasStore,
    name: str,
    entry: JournalEntry,
    held: HeldClaim,
    confirmed: Callable[[], None],
) -> JournalEntry:
    """Move each alias; gives the entry with what it really came to."""
    after, notes = dict(entry.after), []
    for alias, version in _steps(entry):
        held.check()
        current = store.aliases(name).get(alias)
        if current not in (entry.before.get(alias), version):
            if alias != CANDIDATE:
                raise ConcurrentChangeError(f"@{alias} was {_set_to(current)} by other means")
            # A training that has just registered its model: that candidate stays.
            notes.append(f"@{alias} was {_set_to(current)} meanwhile and stays so")
            after.pop(alias, None)
            after |= {alias: current} if current else {}
        elif current != version:
            _write(store, name, alias, version)
        confirmed()
    return replace(entry, after=after, note="; ".join(notes))


def _settle(
    store: AliasStore, name: str, entry: JournalEntry, held: HeldClaim, who: str
) -> JournalEntry:
    versions = {each.version for each in store.versions(name)}
    champion, wanted = store.aliases(name).get(CHAMPION), entry.after.get(CHAMPION, "")
    complete = wanted in versions and champion in _meant(entry, CHAMPION, versions)
    if complete:
        verb, why = "completed", ""
    elif wanted not in versions:
        verb, why = "taken back", f", because v{wanted} is gone"
    else:
        verb, why = "taken back", f", because @{CHAMPION} was {_set_to(champion)} meanwhile"
    notes = [f"interrupted; {verb} by {who} at {now()}{why}"]
    target = entry.after if complete else entry.before
    for alias, _ in _steps(entry):
        current, version = store.aliases(name).get(alias), target.get(alias)
        if current not in _meant(entry, alias, versions):
            notes.append(f"@{alias} was {_set_to(current)} meanwhile and stays so")
            continue
        if version is not None and version not in versions:
            notes.append(f"@{alias} is not set, because v{version} is gone")
            version = None
        if current != version:
            held.check()
            _write(store, name, alias, version)
    settled = replace(entry, state=DONE if complete else UNDONE, note="; ".join(notes))
    if complete:
        settled = replace(settled, after=current_aliases(store, name))
    held.check()
    write_entry(store, name, settled)
    return settled


def _meant(entry: JournalEntry, alias: str, versions: Collection[str]) -> set[str | None]:
    """The versions that the alias may have where nobody but this change touched it."""
    both = {entry.before.get(alias), entry.after.get(alias)}
    # A registry removes the aliases of a version that is deleted.
    gone = any(version is not None and version not in versions for version in both)
    return both | {None} if gone else both


def _steps(entry: JournalEntry) -> list[tuple[str, str | None]]:
    """The moves, in order: alias and its new version; None removes it."""
    return [
        (alias, entry.after.get(alias))
        for alias in _ORDER[entry.action]
        if entry.before.get(alias) != entry.after.get(alias)
    ]


def _write(store: AliasStore, name: str, alias: str, version: str | None) -> None:
    if version is None:
        store.delete_alias(name, alias)
    else:
        store.set_alias(name, alias, version)


def _set_to(version: str | None) -> str:
    return f"set to v{version}" if version else "removed"


def _said(alias: str, version: str | None) -> str:
    return f"@{alias} = v{version}" if version else f"@{alias} removed"


def _interrupted(
    name: str, entry: JournalEntry, done: Sequence[str], left: Sequence[str], reason: str
) -> str:
    shown = name.replace(".", "/")
    if not done:
        return (
            f"{entry.action} of '{shown}' could not be journalled, and no alias was moved: "
            f"{reason}. If the entry did arrive, the model's next command completes it"
        )
    return (
        f"{entry.action} of '{shown}' was interrupted. Done: {', '.join(done)}. Not confirmed: "
        f"{', '.join(left)}. The model's next command completes it, for instance "
        f"`guardianflow history {shown}`. The reason: {reason}"
    )
