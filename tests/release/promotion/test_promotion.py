"""The way to the site and back: what is allowed, what is kept, what an interruption leaves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promotions import (
    ACTIONS,
    DOTTED,
    NAME,
    OUTCOMES,
    STEPS,
    WHO,
    Gone,
    Interrupted,
    Stop,
    borne_out,
    intact,
    model,
    promoted,
    stop,
    third,
    verdict,
    without_withdrawal,
)

from guardianflow.contracts.errors import (
    ConcurrentChangeError,
    PromotionRefusedError,
    SourceError,
    TrackingError,
)
from guardianflow.contracts.releases import CANDIDATE, CHAMPION, EVIDENCE_TAG, ROLLBACK
from guardianflow.release.promotion.claims import CLAIM_PREFIX
from guardianflow.release.promotion.journal import entry_tag, history
from guardianflow.release.promotion.promotion import promote, recover, rollback
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore


@pytest.fixture
def second() -> InMemoryAliasStore:
    """v1 at the site, v2 passed against it."""
    return model(verdict(), verdict(champion="1"), champion="1", candidate="2")


# --- what moves ----------------------------------------------------------------------------------


def test_two_promotions_and_a_rollback_and_the_journal_tells_it_all() -> None:
    store = model(verdict() | {EVIDENCE_TAG: "run1"}, candidate="1")
    first = promoted(store)
    assert store.aliases(NAME) == {CHAMPION: "1"}
    assert (first.number, first.action, first.state, first.who) == (1, "promote", "done", WHO)
    assert (first.before, first.after) == ({CANDIDATE: "1"}, {CHAMPION: "1"})
    assert (first.evidence_run_id, first.forced) == ("run1", False)
    assert first.when.endswith("+00:00")

    store.add_version(NAME, verdict(champion="1") | {EVIDENCE_TAG: "run2"})
    store.set_alias(NAME, CANDIDATE, "2")
    promoted(store, reason=" 안전모 재현율 향상 ")
    assert store.aliases(NAME) == {CHAMPION: "2", ROLLBACK: "1"}

    back = rollback(store, DOTTED, who="lee@office", reason="false alarms at the gate")
    assert store.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}
    assert back.before == {CHAMPION: "2", ROLLBACK: "1"}
    told = history(store, NAME)
    assert [entry.number for entry in told] == [1, 2, 3]
    assert [entry.state for entry in told] == ["done"] * 3
    assert (told[1].reason, told[1].evidence_run_id) == ("안전모 재현율 향상", "run2")
    assert (told[2].who, told[2].reason) == ("lee@office", "false alarms at the gate")
    assert not [tag for tag in store.model_tags(NAME) if tag.startswith(CLAIM_PREFIX)]


def test_the_longest_reason_fits_in_one_tag(second: InMemoryAliasStore) -> None:
    entry = promoted(second, reason='"' * 1000, who="k" * 64 + "@" + "h" * 255)
    assert history(second, NAME) == [entry]


def test_a_named_version_leaves_another_candidate_in_place(second: InMemoryAliasStore) -> None:
    second.add_version(NAME, verdict(champion="1"))
    promoted(second, version="v3")
    assert second.aliases(NAME) == {CHAMPION: "3", ROLLBACK: "1", CANDIDATE: "2"}


def test_aliases_of_other_people_are_neither_moved_nor_journalled(
    second: InMemoryAliasStore,
) -> None:
    second.set_alias(NAME, "field-test", "2")
    entry = promoted(second)
    assert second.aliases(NAME)["field-test"] == "2"
    assert "field-test" not in entry.before


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({}, "no release has judged it"),
        (verdict("fail", "1"), "failed its release"),
        (verdict("undecided", "1"), "came to no decision"),
        (verdict("pass", ""), "when there was no @champion.*v1 is @champion now"),
        (verdict("pass", "7"), "judged against v7.*v1 is @champion now"),
        (verdict("PASS", "1"), "'PASS', no verdict of ours"),
    ],
)
def test_only_a_passed_verdict_against_the_present_champion_promotes(
    tags: dict[str, str], why: str
) -> None:
    store = model(verdict(), tags | {EVIDENCE_TAG: "run2"}, champion="1", candidate="2")
    with pytest.raises(PromotionRefusedError, match=why) as refused:
        promoted(store)
    assert refused.value.exit_code == 1
    assert store.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}
    assert history(store, NAME) == []
    entry = promoted(store, force=True, reason="the site stands still")
    assert (entry.forced, entry.evidence_run_id) == (True, "")
    assert store.aliases(NAME) == {CHAMPION: "2", ROLLBACK: "1"}


def test_a_verdict_against_a_champion_that_is_gone_is_refused() -> None:
    store = model(verdict(champion="7"), candidate="1")
    with pytest.raises(PromotionRefusedError, match="there is no @champion now"):
        promoted(store)


def test_force_that_was_not_needed_is_not_written_down_as_forced(
    second: InMemoryAliasStore,
) -> None:
    assert not promoted(second, force=True, reason="to be sure").forced


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"force": True}, "must have a reason but got none"),
        ({"force": True, "reason": "  "}, "must have a reason but got none"),
        ({"reason": "x" * 1001}, "at most 1000 characters but got 1001"),
        ({"reason": "\udcff"}, "no UTF-8"),
        ({"reason": "red \x1b[31m"}, "must be readable text"),
        ({"version": "9"}, r"no version 9; it has v1 \(@champion\), v2 \(@candidate\)"),
        ({"version": "last"}, "must be a number such as 3 but got 'last'"),
        ({"version": "0"}, "must be a number"),
        ({"version": "1"}, "v1 of .* is @champion already"),
    ],
)
def test_what_the_caller_can_mend_exits_2_and_changes_nothing(
    second: InMemoryAliasStore, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as wrong:
        promoted(second, **given)
    assert wrong.value.exit_code == 2
    assert second.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}
    assert second.model_tags(NAME) == {}


def test_what_is_missing_is_named_with_what_is_there() -> None:
    store = model(verdict(), verdict())
    with pytest.raises(SourceError, match=r"no @candidate to promote; it has v1, v2\. Name one"):
        promoted(store)
    with pytest.raises(SourceError, match="no @rollback to go back to; it has v1, v2"):
        rollback(store, NAME, who=WHO)
    with pytest.raises(SourceError, match=f"nearest: {NAME}"):
        promote(store, NAME[:-1], who=WHO, verify=intact, evidence=borne_out(store))
    store.set_alias(NAME, CHAMPION, "1")
    store.set_alias(NAME, ROLLBACK, "1")
    with pytest.raises(SourceError, match="v1, which is @champion already"):
        rollback(store, NAME, who=WHO)


def test_files_that_changed_promote_nothing_forced_or_not(second: InMemoryAliasStore) -> None:
    def changed(name: str, version: str) -> None:
        raise SourceError(f"model.onnx of {name} v{version} differs from its sha256")

    for options in ({}, {"force": True, "reason": "now"}):
        with pytest.raises(SourceError, match="v2 differs from its sha256"):
            promoted(second, verify=changed, **options)
    promoted(second)
    with pytest.raises(SourceError, match="v1 differs"):
        rollback(second, NAME, who=WHO, verify=changed)
    assert second.aliases(NAME) == {CHAMPION: "2", ROLLBACK: "1"}


# --- interruptions -------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(STEPS + 1))
@pytest.mark.parametrize("action", ACTIONS)
def test_stopped_after_any_write_the_champion_is_old_or_new_and_the_next_command_mends(
    action: str, after: int
) -> None:
    store = third()
    old, new = OUTCOMES[action]
    with pytest.raises(Stop):
        ACTIONS[action](without_withdrawal(Interrupted(store, after, stop)))
    assert store.aliases(NAME)[CHAMPION] in (old[CHAMPION], new[CHAMPION])
    begun = [entry for entry in history(store, NAME) if entry.state == "begun"]
    settled = recover(store, NAME, who="lee@office")
    if begun:
        assert settled is not None
        assert settled.state == "done"
        assert "interrupted; completed by lee@office" in settled.note
        assert store.aliases(NAME) == new
    else:
        assert settled is None
        assert store.aliases(NAME) == (new if history(store, NAME) else old)
    assert all(entry.state == "done" for entry in history(store, NAME))
    assert recover(store, NAME) is None


@pytest.mark.parametrize("after", range(STEPS))
@pytest.mark.parametrize("action", ACTIONS)
def test_a_registry_that_goes_away_is_told_with_what_was_done(action: str, after: int) -> None:
    store = third()
    old, new = OUTCOMES[action]
    if after == STEPS - 1:  # only the claim is left behind
        ACTIONS[action](Gone(store, after))
        assert store.aliases(NAME) == new
    else:
        with pytest.raises(TrackingError, match="does not answer") as lost:
            ACTIONS[action](Gone(store, after))
        if after >= 2:
            assert "Done: journal entry 1" in str(lost.value)
            assert "next command completes it" in str(lost.value)
    entries = history(store, NAME)
    recover(store, NAME)
    assert store.aliases(NAME) == (new if entries else old)


def test_a_registry_that_refuses_to_be_written_moves_nothing() -> None:
    store = third()

    def refuse() -> None:
        raise TrackingError("this server can only be read")

    writes = Interrupted(store, 1, refuse)
    with pytest.raises(TrackingError, match="can only be read"):
        promoted(writes)  # the claim itself
    late = Interrupted(store, 2, refuse)
    with pytest.raises(TrackingError, match=r"no alias was moved: .*If the entry did arrive"):
        promoted(late)
    assert store.aliases(NAME) == OUTCOMES["promote"][0]


def test_the_next_promotion_completes_what_was_begun_first() -> None:
    store = third()
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, 2, stop)))
    assert store.aliases(NAME)[CHAMPION] == "2"
    store.add_version(NAME, verdict(champion="3"))
    promoted(store, version="4")
    assert store.aliases(NAME) == {CHAMPION: "4", ROLLBACK: "3"}
    assert [entry.number for entry in history(store, NAME)] == [1, 2]


@pytest.mark.parametrize("after", [2, 3, 4, 5])
def test_a_change_to_a_version_that_was_deleted_is_taken_back(after: int) -> None:
    store = third()
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, after, stop)))
    store.delete_version(NAME, "3")
    settled = recover(store, NAME, who=WHO)
    assert settled is not None
    assert settled.state == "undone"
    assert "because v3 is gone" in settled.note
    assert store.aliases(NAME) == {CHAMPION: "2", ROLLBACK: "1"}


@pytest.mark.parametrize("after", [2, 3, 4, 5])
def test_a_promotion_whose_old_champion_was_deleted_is_completed_without_a_rollback(
    after: int,
) -> None:
    store = third()
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, after, stop)))
    store.delete_version(NAME, "2")
    settled = recover(store, NAME)
    assert settled is not None
    assert store.aliases(NAME)[CHAMPION] == "3"
    assert ROLLBACK not in store.aliases(NAME)
    assert settled.after == store.aliases(NAME)


@pytest.mark.parametrize("after", [2, 3, 4])
def test_a_champion_set_by_hand_meanwhile_stays(after: int) -> None:
    store = third()
    with pytest.raises(Stop):
        promoted(without_withdrawal(Interrupted(store, after, stop)))
    store.add_version(NAME)
    store.set_alias(NAME, CHAMPION, "4")
    settled = recover(store, NAME)
    assert settled is not None
    assert settled.state == "undone"
    assert "@champion was set to v4 meanwhile" in settled.note
    assert store.aliases(NAME) == {CHAMPION: "4", ROLLBACK: "1", CANDIDATE: "3"}


def test_a_candidate_registered_during_a_promotion_stays() -> None:
    store = third()

    def train() -> None:
        store.set_alias(NAME, CANDIDATE, store.add_version(NAME))

    entry = promoted(Interrupted(store, 4, train))  # just after the champion moved
    assert store.aliases(NAME) == {CHAMPION: "3", ROLLBACK: "2", CANDIDATE: "4"}
    assert entry.after == store.aliases(NAME)
    assert "@candidate was set to v4 meanwhile" in entry.note


def test_a_champion_set_by_hand_during_a_promotion_stops_it() -> None:
    store = third()
    store.add_version(NAME)
    with pytest.raises(ConcurrentChangeError, match="@champion was set to v4 by other means"):
        promoted(Interrupted(store, 3, lambda: store.set_alias(NAME, CHAMPION, "4")))
    recover(store, NAME)
    assert store.aliases(NAME) == {CHAMPION: "4", ROLLBACK: "1", CANDIDATE: "3"}


def test_an_interruption_by_the_user_names_the_command_that_completes() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=f"guardianflow history {NAME}"):
        promoted(Interrupted(third(), 3, interrupt))


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"number": 1}'])
def test_a_damaged_entry_is_named_and_nothing_moves(second: InMemoryAliasStore, text: str) -> None:
    second.set_model_tag(NAME, entry_tag(1), text)
    for command in (lambda: history(second, NAME), lambda: promoted(second)):
        with pytest.raises(TrackingError, match=r"journal\.000001' must be an entry"):
            command()
    assert second.aliases(NAME) == {CHAMPION: "1", CANDIDATE: "2"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["train", "promote", "rollback"]), st.integers(0, 12))))
def test_whatever_is_done_and_wherever_it_stops_the_journal_explains_the_champion(
    steps: list[tuple[str, int]],
) -> None:
    store = model({})
    for action, after in steps:
        if action == "train":
            store.set_alias(NAME, CANDIDATE, store.add_version(NAME))
            continue
        broken = without_withdrawal(Interrupted(store, after + 1, stop))
        try:
            if action == "promote":
                promoted(broken, force=True, reason="try")
            else:
                rollback(broken, NAME, who=WHO)
        except (Stop, SourceError):
            pass
    recover(store, NAME)
    entries = history(store, NAME)
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry.state == "done" for entry in entries)
    champion = None
    for entry in entries:
        assert entry.before.get(CHAMPION) == champion
        champion = entry.after[CHAMPION]
    now = store.aliases(NAME)
    assert now.get(CHAMPION) == champion
    assert now.get(ROLLBACK) is None or now[ROLLBACK] != champion
