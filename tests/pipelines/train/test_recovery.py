"""What is tried after which failure."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import FailureReason
from pipelines.train.recovery import Attempt, next_attempt


@pytest.mark.parametrize("reason", [FailureReason.OUT_OF_MEMORY, FailureReason.GPU_LIBRARY])
def test_batches_are_halved_four_times_at_most_and_never_below_one(reason: FailureReason) -> None:
    tried, attempt = [], next_attempt(Attempt(64), reason, 64)
    while attempt is not None:
        tried.append(attempt.batch_size)
        attempt = next_attempt(attempt, reason, attempt.batch_size)
    assert tried == [32, 16, 8, 4]
    assert next_attempt(Attempt(3), reason, 3) == Attempt(1, 1)
    assert next_attempt(Attempt(1), reason, 1) is None


def test_a_batch_that_a_library_lowered_by_itself_is_halved_from_there() -> None:
    assert next_attempt(Attempt(16), FailureReason.OUT_OF_MEMORY, 2) == Attempt(1, 1)


def test_a_batch_that_gpus_share_stays_a_multiple_of_them_down_to_an_image_each() -> None:
    lack, tried, attempt = FailureReason.OUT_OF_MEMORY, [], Attempt(18, ranks=3)
    while (following := next_attempt(attempt, lack, attempt.batch_size)) is not None:
        attempt = following
        tried.append(attempt.batch_size)
    assert tried == [9, 3]


@pytest.mark.parametrize("reason", [FailureReason.LOADER_KILLED, FailureReason.SHARED_MEMORY])
def test_loading_without_processes_is_tried_once(reason: FailureReason) -> None:
    once = next_attempt(Attempt(16, 1), reason, 16)
    assert once == Attempt(16, 1, loader_processes=False)
    assert next_attempt(once, reason, 16) is None
    halved = next_attempt(once, FailureReason.OUT_OF_MEMORY, 16)
    assert halved == Attempt(8, 2, loader_processes=False)


def test_nothing_else_is_tried_again() -> None:
    tried = {r for r in [None, *FailureReason] if next_attempt(Attempt(16), r, 16) is not None}
    assert tried == {
        FailureReason.OUT_OF_MEMORY,
        FailureReason.GPU_LIBRARY,
        FailureReason.LOADER_KILLED,
        FailureReason.SHARED_MEMORY,
    }
