"""Texts and times for one visitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from guardianflow.metrics_store.questions.answers import Place
from guardianflow.release.report.figures import ABSENT

from .en import ENGLISH
from .ko import KOREAN

LANGUAGES: Mapping[str, Mapping[str, str]] = {"ko": KOREAN, "en": ENGLISH}
ZONES: Mapping[str, tzinfo] = {"KST": timezone(timedelta(hours=9), "KST"), "UTC": UTC}
"""Korea has no summer time."""


@dataclass(frozen=True)
class Wording:
    """Texts in one language, times in one zone.

    Args:
        language: 'ko' or 'en'.
        zone: 'KST' or 'UTC'.
    """

    language: str = "ko"
    zone: str = "KST"

    def text(self, key: str, **values: object) -> str:
        """The text of `key` with its places filled in."""
        return LANGUAGES[self.language][key].format(**values)

    def known(self, key: str, otherwise: str) -> str:
        """The text of `key`; `otherwise` where there is none."""
        return LANGUAGES[self.language].get(key, otherwise)

    def moment(self, time: datetime | None) -> str:
        """'2026-11-28 19:15'; the page says once which zone it is."""
        if time is None:
            return ABSENT
        return f"{time.astimezone(ZONES[self.zone]):%Y-%m-%d %H:%M}"

    def written(self, time: str) -> str:
        """A time as journals write it, ISO 8601; as it is where it is none."""
        try:
            return self.moment(datetime.fromisoformat(time))
        except ValueError:
            return time

    def day(self, time: datetime | None) -> str:
        return self.moment(time)[:10]

    def span(self, seconds: float) -> str:
        """'2 h 5 min'; less than a minute is '< 1 min'."""
        minutes = int(seconds // 60)
        if minutes < 1:
            return self.text("span.less")
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        if days:
            return self.text("span.days", days=days, hours=hours)
        return (
            self.text("span.hours", hours=hours, minutes=minutes)
            if hours
            else self.text("span.minutes", minutes=minutes)
        )

    def place(self, place: Place) -> str:
        """'busan-plant1 · welding'."""
        return " · ".join(filter(None, (place.site, place.zone))) or self.text("no_place")


def language_of(header: str) -> str:
    """The language that a browser asks for first: 'ko' or 'en'; Korean where it asks for neither.

    Args:
        header: Accept-Language: 'ko-KR,ko;q=0.9,en;q=0.8'.
    """
    asked: list[tuple[float, str]] = []
    for part in header.split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            asked.append((float(quality or 1), name.partition("-")[0].lower()))
        except ValueError:
            continue
    best = sorted((each for each in asked if each[1] in LANGUAGES), key=lambda each: -each[0])
    return best[0][1] if best else "ko"
