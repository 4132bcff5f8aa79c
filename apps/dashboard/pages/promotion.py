"""A promotion that a page asks for: the door of `guardianflow promote`, with a token of its own.

Off unless a token is set. It never forces: what a verdict does not allow is refused as it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.releases import JournalEntry
from pipelines.registered_models.registry import ModelRegistry

from ..access import same
from ..sources import Sources

LONGEST_WHO = 100


class PromotionForbiddenError(ConfigurationError):
    """Promotion is switched off, or the token is not the one for it."""


@dataclass(frozen=True)
class PromotionDoor:
    """Promotes for who has the token.

    Args:
        token: '' switches it off.
        tell: told of what is mended on the way.
    """

    sources: Sources
    token: str
    tell: Callable[[str], object] = lambda _text: None

    @property
    def is_open(self) -> bool:
        return bool(self.token)

    def promote(self, fields: Mapping[str, str], address: str, decided_at: str) -> JournalEntry:
        """Make a version champion.

        Args:
            fields: model, version, who, reason, token.
            address: of the machine that sent them; it stands beside the name in the journal.
            decided_at: when the form came.

        Raises:
            PromotionForbiddenError: switched off, or another token.
            ConfigurationError: a field is missing; all at once.
            GuardianFlowError: as ModelRegistry.promote.
        """
        if not self.is_open:
            raise PromotionForbiddenError(
                "promotion from this page is switched off: set "
                "GUARDIANFLOW_DASHBOARD_PROMOTION_TOKEN where the dashboard runs, or use "
                "`guardianflow promote`"
            )
        if not same(fields.get("token", ""), self.token):
            raise PromotionForbiddenError("the promotion token is another one")
        given = {name: fields.get(name, "").strip() for name in ("model", "version", "who")}
        problems = [f"{name} must be given" for name, value in given.items() if not value]
        if len(given["who"]) > LONGEST_WHO:
            problems.append(f"who must have at most {LONGEST_WHO} characters")
        if problems:
            raise ConfigurationError(problems)
        entry = ModelRegistry(tell=self.tell, ports=self.sources.ports).promote(
            given["model"],
            given["version"],
            reason=fields.get("reason", "").strip(),
            who=f"{given['who']} (dashboard, {address})",
            decided_at=decided_at,
        )
        self.sources.models.forget()
        return entry
