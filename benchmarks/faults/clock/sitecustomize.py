"""Sleeps in another way: under libfaketime 0.9.10 time.sleep of Python 3.11 fails with EINVAL.

Every Python process that has this folder on its path imports it when it starts.
"""

import select
import time


def sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
