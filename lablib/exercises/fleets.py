"""Our own consumers, which do all as they should: for exercises that judge a number or a setting by how they fare."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from lablib.actors import EVENTS
from lablib.actors.consumers import Consumer
from lablib.actors.fleet import Fleet, Worker
from lablib.cloud import Cloud
from lablib.exercises.case import cut
from lablib.exercises.stage import Problem

Work = Callable[[Worker, str, str, int], Any]


def run_fleet(cloud: Cloud, url: str, size: int, work: Work, restart: float = 0.0, name: str = "consumer") -> Fleet:
    """Start `size` consumers that take one message at a time, with long polls, and delete what `work` has done.

    `work(worker, message id, body, row)` returns False when it failed. A crashed consumer starts again after `restart`
    seconds; 0: never.
    """
    cloud.trace.declare(EVENTS)
    settings = {"batch_size": 1, "wait_time": 20, "pause": 1.0}
    program = Consumer(cloud.kernel, cloud.trace, cloud.direct("sqs"), url, settings, work)
    fleet = Fleet(cloud.kernel, cloud.trace, name, program, lambda: restart)
    fleet.resize(size)
    return fleet


def whole_number(value: Any, wanted: str) -> int:
    """What the function returned, when it is a whole number of any type. Raises Problem."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise Problem(f"Your function returned {cut(value, 40)}. {wanted}: use math.ceil.")
