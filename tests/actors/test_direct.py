"""The direct call: callers wait, give up, are refused."""

from lablib.actors.direct import DirectCall
from lablib.actors.fleet import Fleet
from lablib.kernel import Kernel, Trace


class Shop:
    def __init__(self, size=1, limit=2, timeout=10.0, seconds=4.0):
        self.kernel = Kernel()
        self.trace = Trace(self.kernel)
        self.door = DirectCall(self.kernel, self.trace, "workers", lambda: limit, lambda: timeout, lambda key: seconds)
        self.fleet = Fleet(self.kernel, self.trace, "worker", self.door, lambda: 0.0)
        self.fleet.resize(size)
        self.kernel.run(0.0)

    def ask(self, *keys):
        for key in keys:
            self.door.request("caller", key, any(w.alive for w in self.fleet.workers))

    def ends(self):
        kinds = ("Answered", "Refused", "TimedOut")
        return [(row.subject, row.kind, row.time) for row in self.trace.where(kinds)]


def test_a_free_worker_answers_after_the_work():
    shop = Shop()
    shop.ask("a")
    shop.kernel.run(20)
    assert shop.ends() == [("a", "Answered", 4.0)]


def test_a_free_worker_counts_beside_the_backlog_and_the_rest_is_refused():
    shop = Shop(limit=2)
    shop.ask("a", "b", "c", "d")
    shop.kernel.run(20)
    assert shop.ends() == [
        ("d", "Refused", 0.0),
        ("a", "Answered", 4.0),
        ("b", "Answered", 8.0),
        ("c", "TimedOut", 10.0),
    ]


def test_no_backlog_still_lets_a_free_worker_work():
    shop = Shop(limit=0)
    shop.ask("a", "b")
    shop.kernel.run(20)
    assert shop.ends() == [("b", "Refused", 0.0), ("a", "Answered", 4.0)]


def test_the_worker_does_not_know_that_its_caller_is_gone():
    shop = Shop(limit=5, timeout=5.0)
    shop.ask("a", "b", "c")
    shop.kernel.run(20)
    assert shop.ends() == [("a", "Answered", 4.0), ("b", "TimedOut", 5.0), ("c", "TimedOut", 5.0)]
    assert [row.time for row in shop.trace.where("WorkEnded")] == [4.0, 8.0, 12.0]


def test_the_caller_of_a_crashed_worker_waits_for_its_timeout():
    shop = Shop()
    shop.ask("a")
    shop.kernel.run(2)
    shop.fleet.crash("worker-1")
    shop.ask("b")  # nobody is there
    shop.kernel.run(20)
    assert shop.ends() == [("b", "Refused", 2.0), ("a", "TimedOut", 10.0)]


def test_a_frozen_worker_leaves_the_request_to_the_other():
    shop = Shop(size=2)
    shop.fleet.freeze("worker-1", 30)
    shop.ask("a", "b")
    shop.kernel.run(20)
    assert [(row.actor, row.time) for row in shop.trace.where("Answered")] == [("worker-2", 4.0), ("worker-2", 8.0)]


def test_scaling_in_wakes_idle_workers():
    shop = Shop(size=3)
    shop.fleet.resize(1)
    shop.door.wake()
    shop.kernel.run(1)
    assert sum(process.alive for process in shop.kernel.processes.values()) == 1
