"""One at a time may change a model's aliases: mutual exclusion with single reads and writes.

A registry of models has no compare-and-set. Each contender therefore writes a claim of its own as
a tag of the model, then reads all claims, and goes on only when its own is there and no other
living one is. Of two contenders whose claims overlap, the one whose claim was written second reads
after both were written, and so sees the first: never do both go on. A claim is taken for dead when
its process is, or when it is older than LEASE_S. docs/adr/0007-one-promotion-at-a-time.md has the
whole argument and its limits.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from ...contracts.errors import ConcurrentChangeError, GuardianFlowError, TrackingError
from ...contracts.ports import AliasStore
from ...support.process_identity import ProcessIdentity

LOGGER = logging.getLogger(__name__)

CLAIM_PREFIX = "guardianflow.claim."
LEASE_S = 600.0
"""A claim older than this may be taken over."""
HOLD_S = 300.0
"""A holder stops before a write once its claim is older; the rest is for that write and for clocks
that differ."""
WAIT_S = 5.0
"""A contender tries for so long before it says who is at it."""
PAUSE_S = (0.02, 0.25)

pause: Callable[[float], None] = time.sleep
"""Waits between two tries; tests put a scheduler here."""

# Claims this very process has under way: one that it left behind is dead though the process lives.
_under_way: set[str] = set()


@dataclass(frozen=True)
class Claim:
    """A wish to change a model's aliases.

    Args:
        token: of this one try.
        who: user@host.
        doing: 'promote', 'rollback' or 'recover'.
        since: seconds since 1970, when the contender began to try.
        process: where it runs.
    """

    token: str
    who: str
    doing: str
    since: float
    process: ProcessIdentity

    @property
    def tag(self) -> str:
        return CLAIM_PREFIX + self.token

    def describe(self) -> str:
        when = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        return (
            f"{self.who} ({self.doing}, process {self.process.pid} on {self.process.host}, "
            f"since {when})"
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_tag(cls, tag: str, text: str) -> Claim:
        """Raises TrackingError: the tag was not written by us, or is damaged."""
        try:
            values = json.loads(text)
            process = ProcessIdentity(**values.pop("process"))
            claim = cls(process=process, **values)
            if claim.tag != tag or not isinstance(claim.since, float):
                raise ValueError("it names another claim, or no time")
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TrackingError(
                f"tag '{tag}' must be a claim on the model's aliases but can't be read ({exc}). "
                "Delete the tag in MLflow when no promotion is under way"
            ) from exc
        return claim

    def is_live(self) -> bool:
        if time.time() - self.since > LEASE_S:
            return False
        if self.process == ProcessIdentity.of_this_process() and self.process.started:
            return self.token in _under_way
        return not self.process.is_dead()


class HeldClaim:
    """A claim that won; asks before each write whether it still may."""

    def __init__(self, store: AliasStore, name: str, claim: Claim) -> None:
        self._store, self._name, self.claim = store, name, claim
        self._started = time.monotonic() - max(0.0, time.time() - claim.since)

    def check(self) -> None:
        """Raises ConcurrentChangeError: too old to go on, or another process has taken over."""
        # The wall clock too: the monotonic one stands still while a machine sleeps.
        age_s = max(time.monotonic() - self._started, time.time() - self.claim.since)
        if age_s > HOLD_S:
            raise ConcurrentChangeError(
                f"the change of '{self._name}' stopped after {age_s:.0f} s, so as not to meet "
                f"another process, which may take over after {LEASE_S:.0f} s"
            )
        if self.claim.tag not in self._store.model_tags(self._name):
            raise ConcurrentChangeError(
                f"another process has taken over the claim on '{self._name}'"
            )


@contextmanager
def claimed(store: AliasStore, name: str, *, who: str, doing: str) -> Iterator[HeldClaim]:
    """Hold the model's aliases until the block ends.

    Raises:
        ConcurrentChangeError: others are at it; says who and since when.
        TrackingError: the store refuses or went away.
    """
    claim = _acquire(store, name, who, doing)
    try:
        yield HeldClaim(store, name, claim)
    finally:
        _under_way.discard(claim.token)
        try:
            store.delete_model_tag(name, claim.tag)
        except GuardianFlowError as exc:
            # What was done is done, and said by the block itself; the claim dies by itself.
            LOGGER.warning("the claim on '%s' could not be removed and lapses: %s", name, exc)


def _acquire(store: AliasStore, name: str, who: str, doing: str) -> Claim:
    first = Claim("", who, doing, time.time(), ProcessIdentity.of_this_process())
    deadline = time.monotonic() + WAIT_S
    while True:
        # A new token for each try: one that a reader has seen withdrawn never comes back.
        claim = replace(first, token=uuid.uuid4().hex)
        _under_way.add(claim.token)
        try:
            store.set_model_tag(name, claim.tag, claim.to_json())
            rivals = _settle(store, name, claim, deadline)
        except BaseException:
            _under_way.discard(claim.token)
            with suppress(GuardianFlowError):  # what is raised is what the caller hears
                store.delete_model_tag(name, claim.tag)
            raise
        if rivals is None:
            return claim
        _under_way.discard(claim.token)
        store.delete_model_tag(name, claim.tag)
        if time.monotonic() > deadline:
            raise _busy(name, doing, rivals)
        pause(random.uniform(*PAUSE_S))


def _settle(store: AliasStore, name: str, claim: Claim, deadline: float) -> list[Claim] | None:
    """None when the claim is alone, and so holds; else those it must withdraw for."""
    while True:
        tags = store.model_tags(name)
        claims = [Claim.from_tag(t, text) for t, text in tags.items() if t.startswith(CLAIM_PREFIX)]
        others = [each for each in claims if each.token != claim.token]
        rivals = [each for each in others if each.is_live()]
        if claim.tag not in tags:  # a reader of old data, or taken for dead by a wrong clock
            return rivals
        if not rivals:
            for each in others:
                store.delete_model_tag(name, each.tag)
            return None
        late = time.monotonic() > deadline
        first = min((each.since, each.token) for each in rivals)
        if late or first < (claim.since, claim.token):  # the first stays, all others withdraw
            return rivals
        # The others withdraw: staying is what lets one of them through.
        pause(random.uniform(*PAUSE_S) / 4)


def _busy(name: str, doing: str, rivals: list[Claim]) -> ConcurrentChangeError:
    shown = name.replace(".", "/")
    if not rivals:
        return ConcurrentChangeError(
            f"{doing} of '{shown}' must see its own claim but could not read it back: the "
            "registry answers with old data, or this machine's clock is wrong. Nothing was changed"
        )
    return ConcurrentChangeError(
        f"{doing} of '{shown}' must be alone, but {'; '.join(each.describe() for each in rivals)} "
        f"is changing the model's aliases. Nothing was changed; look at "
        f"`guardianflow history {shown}`, then try again. A process that died on another machine "
        f"is passed over after {LEASE_S / 60:.0f} minutes"
    )
