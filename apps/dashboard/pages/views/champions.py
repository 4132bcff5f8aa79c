"""Champions of places, since when, and the changes before: read, never mended, from MLflow."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from guardianflow.contracts.releases import CHAMPION, JournalEntry
from guardianflow.contracts.results import RegisteredModel
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.release.promotion.journal import DONE, history

from ...api.places import model_of
from ...sources import Sources, read_or_told

KEPT_S = 30.0
"""How long a journal is believed where the champion is the same."""


@dataclass(frozen=True)
class Champion:
    """The version at a place.

    Args:
        since: when it was made champion; None where no journal says.
        who: that did it; '' likewise.
    """

    model: RegisteredModel
    since: datetime | None
    who: str


class Champions:
    """Reads champions and journals; a journal anew where the champion is another."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lock = threading.Lock()
        self._journals: dict[str, tuple[float, str, list[JournalEntry]]] = {}

    def by_model(self) -> dict[str, Champion]:
        """Name with slashes → its champion. Raises TrackingError."""
        return {
            each.display_name: self._champion(each)
            for each in self._sources.models()
            if CHAMPION in each.aliases
        }

    def of_place(self, place: Place) -> Champion | None:
        wanted = model_of(place)
        found = (each for each in self._sources.models() if each.display_name == wanted)
        champion = next((each for each in found if CHAMPION in each.aliases), None)
        return self._champion(champion) if champion else None

    def changes(self, name: str) -> Sequence[JournalEntry]:
        """Of a model's aliases, the newest first. Raises TrackingError."""
        return list(reversed(history(self._sources.ports.aliases, name)))

    def _champion(self, model: RegisteredModel) -> Champion:
        now = time.monotonic()
        with self._lock:
            kept = self._journals.get(model.name)
        if kept is None or kept[1] != model.version or now - kept[0] > KEPT_S:
            # A journal that can't be read hides no champion.
            entries, _ = read_or_told(lambda: history(self._sources.ports.aliases, model.name))
            kept = now, model.version, entries or []
            with self._lock:
                self._journals[model.name] = kept
        made = next((e for e in reversed(kept[2]) if is_change(e, model.version)), None)
        when = datetime.fromisoformat(made.when) if made else None
        return Champion(model, when, made.who if made else "")


def is_change(entry: JournalEntry, version: str) -> bool:
    """Whether the entry made this version champion."""
    return entry.state == DONE and entry.after.get(CHAMPION) == version


def models_of(place: Place, models: Sequence[RegisteredModel]) -> list[RegisteredModel]:
    """Versions of the place's model and of its variants, the newest first."""
    base = model_of(place)
    found = [e for e in models if e.display_name == base or e.display_name.startswith(f"{base}__")]
    return sorted(found, key=lambda each: (-each.created_ms, each.name))
