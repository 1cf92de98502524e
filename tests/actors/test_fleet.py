"""Workers: they work, freeze, crash, come back, and are scaled."""

import pytest

from lablib.actors.database import Database
from lablib.actors.fleet import Fleet
from lablib.kernel import Kernel, Trace


class Yard:
    """A fleet whose workers do one piece of work of `seconds` after the other, and rest for `rest` between."""

    def __init__(self, size=1, seconds=10.0, restart=5.0, rest=0.0):
        self.kernel = Kernel()
        self.trace = Trace(self.kernel)
        self.seconds, self.rest = seconds, rest
        self.fleet = Fleet(self.kernel, self.trace, "worker", self.serve, lambda: restart)
        self.fleet.resize(size)

    def serve(self, worker):
        number = 0
        while not worker.stopping:
            number += 1
            worker.work("yard", f"{worker.name}/{number}", -1, self.seconds)
            if self.rest:
                self.kernel.wait(worker.call_off, self.rest)

    def rows(self, *kinds, actor=None):
        return [(row.kind, row.time) for row in self.trace.where(kinds or None, actor=actor)]


def test_a_freeze_makes_work_longer_by_as_much():
    yard = Yard()
    yard.kernel.run(4)
    yard.fleet.freeze("worker-1", 3)
    yard.kernel.run(30)
    assert yard.rows("WorkEnded")[:2] == [("WorkEnded", 13.0), ("WorkEnded", 23.0)]
    assert yard.rows("Frozen", "Unfrozen") == [("Frozen", 4.0), ("Unfrozen", 7.0)]


def test_freezes_that_overlap_count_once():
    yard = Yard()
    yard.kernel.run(2)
    yard.fleet.freeze("worker-1", 4)
    yard.kernel.run(5)
    yard.fleet.freeze("worker-1", 3)
    yard.kernel.run(30)
    assert yard.rows("WorkEnded")[0] == ("WorkEnded", 16.0)
    assert yard.rows("Unfrozen") == [("Unfrozen", 8.0)]


def test_a_freeze_between_two_pieces_of_work_delays_the_next():
    yard = Yard(rest=5.0)
    yard.kernel.run(12)
    yard.fleet.freeze("worker-1", 10)
    yard.kernel.run(40)
    assert yard.rows("WorkStarted")[1] == ("WorkStarted", 22.0)
    assert yard.rows("WorkEnded")[1] == ("WorkEnded", 32.0)


def test_a_crash_ends_the_work_and_a_restart_keeps_the_name():
    yard = Yard()
    yard.kernel.run(4)
    yard.fleet.crash("worker-1")
    yard.fleet.crash("worker-1")  # it is down: nothing more happens
    yard.kernel.run(20)
    kinds = ("WorkStarted", "WorkEnded", "Crashed", "Restarted")
    assert yard.rows(*kinds, actor="worker-1") == [
        ("WorkStarted", 0.0), ("Crashed", 4.0), ("Restarted", 9.0), ("WorkStarted", 9.0),
        ("WorkEnded", 19.0), ("WorkStarted", 19.0),
    ]  # fmt: skip
    restarted = yard.trace.where("Restarted")[0]
    assert yard.trace[restarted.cause].kind == "Crashed"


def test_restart_0_means_never():
    yard = Yard(restart=0.0)
    yard.kernel.run(4)
    yard.fleet.crash("worker-1")
    yard.fleet.resize(1)
    yard.kernel.run(1000)
    assert not yard.rows("Restarted", "WorkEnded")


def test_a_crash_forgets_the_freeze():
    yard = Yard()
    yard.kernel.run(4)
    yard.fleet.freeze("worker-1", 100)
    yard.fleet.crash("worker-1")
    yard.kernel.run(200)
    assert yard.rows("WorkEnded")[0] == ("WorkEnded", 19.0)
    assert not yard.rows("Unfrozen")


def test_a_crash_before_its_first_step():
    yard = Yard()
    yard.fleet.crash("worker-1")
    yard.kernel.run(6)
    assert yard.rows("WorkStarted") == [("WorkStarted", 5.0)]


def test_scaling_in_takes_the_highest_numbers_after_what_they_have_in_hand():
    yard = Yard(size=3)
    yard.kernel.run(15)
    yard.fleet.resize(1)
    yard.kernel.run(60)
    last = {row.actor: row.time for row in yard.trace.where("WorkEnded")}
    assert last == {"worker-1": 60.0, "worker-2": 20.0, "worker-3": 20.0}


def test_scaling_in_and_out_again_before_the_work_is_over_keeps_the_worker():
    yard = Yard(size=2)
    yard.kernel.run(12)
    yard.fleet.resize(1)
    yard.kernel.run(15)
    yard.fleet.resize(2)
    yard.kernel.run(40)
    assert [t for _, t in yard.rows("WorkEnded", actor="worker-2")] == [10, 20, 30, 40]


def test_scaling_in_wakes_a_worker_that_rests_and_cancels_a_restart():
    yard = Yard(size=3, rest=1000.0)
    yard.kernel.run(12)
    yard.fleet.crash("worker-2")
    yard.fleet.resize(1)
    yard.kernel.run(30)
    assert not yard.rows("Restarted")
    assert [worker.name for worker in yard.fleet.workers] == ["worker-1"]
    yard.fleet.resize(3)
    yard.kernel.run(41)
    assert [t for _, t in yard.rows("WorkEnded", actor="worker-2")] == [10, 40]


def test_an_unknown_worker_is_named_in_one_line():
    with pytest.raises(ValueError, match=r"^target='worker-9': there is none at 0 s; there are: worker-1, worker-2$"):
        Yard(size=2).fleet.crash("worker-9")


def test_a_database_serves_only_so_many_at_a_time_and_survives_a_crash():
    kernel = Kernel()
    trace = Trace(kernel)
    database = Database(kernel, lambda: 1)
    served = []

    def serve(worker):
        database.use(worker, 10.0)
        served.append((worker.name, kernel.now))
        kernel.wait(worker.call_off)

    fleet = Fleet(kernel, trace, "worker", serve, lambda: 0.0)
    fleet.resize(4)
    kernel.run(5)
    fleet.crash("worker-1")  # it has the connection
    fleet.crash("worker-3")  # it waits in line
    kernel.run(100)
    assert served == [("worker-2", 15.0), ("worker-4", 25.0)]
