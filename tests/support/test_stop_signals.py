"""Somebody asks a process to stop, perhaps more than once, at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from guardianflow.support import stop_signals as module
from guardianflow.support.stop_signals import held_back, let_through, stop_signals


def send(number: int = signal.SIGINT) -> None:
    """To ourselves; Python runs the handler before the next line."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_interrupts_once_and_what_follows_only_hurries(number: int) -> None:
    ended = []
    with stop_signals(own_process=True) as signals, pytest.raises(KeyboardInterrupt):
        try:
            send(number)
        finally:
            send(signal.SIGINT)  # would cut the end in two
            send(number)
            ended.append("whole")
    assert ended == ["whole"]
    assert signals.stopping
    assert signals.hurry


def test_a_handler_of_others_stays_where_we_are_guests_and_goes_in_a_process_of_ours() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with stop_signals():
            send(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt), stop_signals(own_process=True):
            send(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with stop_signals(own_process=True):
            send(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in module.SIGNALS]
    with pytest.raises(KeyboardInterrupt), stop_signals():
        send()
    assert [signal.getsignal(number) for number in module.SIGNALS] == before


def test_a_step_that_is_held_back_is_done_before_it_is_interrupted() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        send()
        done.append("made")
        with held_back():
            done.append("noted")
    assert done == ["made", "noted"]


def test_what_waits_is_raised_where_it_may_be_and_the_end_is_held_back_again() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        send()
        try:
            with let_through():
                done.append("work")
        finally:
            send()
            done.append("ended")
    assert done == ["ended"]


def test_what_a_library_makes_of_an_interruption_is_one_all_the_same() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, held_back(), let_through():
        try:
            send()
        except KeyboardInterrupt:
            raise ValueError("a session in an illegal state") from None
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="uninterrupted"), held_back(), let_through():
        raise ValueError("uninterrupted")


def test_a_command_that_is_done_is_not_interrupted_any_more() -> None:
    with stop_signals(held=True):
        with let_through():
            pass
        send()


def test_who_is_stuck_while_stopping_is_let_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOPPING_MAY_TAKE_S", -1.0)
    with stop_signals(), pytest.raises(KeyboardInterrupt):
        try:
            send()
        except KeyboardInterrupt:
            send()


def test_other_handlers_and_nohup_stay() -> None:
    code = (
        "import os, signal\n"
        "from guardianflow.support.stop_signals import stop_signals\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('own'))\n"
        "with stop_signals():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "with stop_signals(always=[signal.SIGHUP]):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
    )
    done = subprocess.run(
        ["nohup", sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "own\n"
    assert done.stderr.strip().endswith("KeyboardInterrupt")


def test_a_signal_at_the_very_end_takes_no_exit_code_away() -> None:
    """Sent when Python has put the system's own handlers back: by an object that goes last."""
    code = (
        "import os, signal, sys\n"
        "from guardianflow.support.stop_signals import stop_signals\n"
        "class Last:\n"
        "    def __init__(self): self.kill, self.me = os.kill, os.getpid()\n"
        "    def __del__(self): self.kill(self.me, 2)\n"
        "sys.modules['last'] = Last()\n"
        "try:\n"
        "    with stop_signals(own_process=True, until_exit=True):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
