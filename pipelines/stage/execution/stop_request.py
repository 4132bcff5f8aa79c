"""Asks a stage to end, from another thread than the one that waits for its process."""

from __future__ import annotations

import threading

from guardianflow.support.child_processes import Waitable, wait_at_most

LOOK_EVERY_S = 0.2


class StopRequest:
    """For one stage; the executor then ends it as Ctrl-C would.

    Attributes:
        reason: '' until it is asked.
        hurry: end it at once, without the time that it would have to end its run itself.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.reason = ""
        self.hurry = False

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self, reason: str) -> None:
        """The first one who asks says why."""
        self.reason = self.reason or reason
        self._asked.set()

    def wait_for(self, process: Waitable) -> int:
        """Wait for a child's end; its return code.

        Raises:
            KeyboardInterrupt: it was asked to end meanwhile.
        """
        while True:
            if (code := wait_at_most(process, LOOK_EVERY_S)) is not None:
                return code
            if self.asked:
                raise KeyboardInterrupt
