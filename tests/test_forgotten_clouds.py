"""Clouds that a learner has not closed and cannot use any more: they go, with what waits in them."""

import gc
import time
import weakref

import pytest

from lablib import Cloud
from lablib.kernel.unheld import SOME, close_unheld, unheld, watch
from lablib.services.sqs import Sqs


def living(made):
    gc.collect()
    return [one for one in made if one() is not None]


def test_a_collection_in_a_process_does_not_hold_it_for_ever():
    """Python stops tracking a dictionary of what is not collected; a greenlet that runs would count as that."""
    cloud = Cloud(seed=1)
    cloud.spawn(gc.collect)
    cloud.advance(1)
    cloud.close()
    made = [weakref.ref(cloud)]
    del cloud
    assert living(made) == []


# ---- in a notebook: what only suspended processes hold ---------------------------------------------------------------


def in_a_function(seed):
    """The process uses the client by closure: what waits holds its cloud."""
    cloud = Cloud(seed=seed)
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    cloud.spawn(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    cloud.advance(1)
    return weakref.ref(cloud)


def test_a_cloud_that_only_its_own_process_holds_is_found():
    made = [in_a_function(seed) for seed in range(5)]
    gc.collect()
    found = [one() for one in made]
    assert None not in found
    assert unheld(found) == found
    for cloud in found:
        cloud.close()
    del cloud, found
    assert living(made) == []


def test_the_search_ends_where_python_finds_the_arguments_of_the_search_itself(monkeypatch):
    """Since Python 3.13, `gc.get_referrers` lists the tuple that it was called with; the search went on for ever."""
    real, calls = gc.get_referrers, []

    def as_in_3_13(*arguments):
        calls.append(len(arguments))
        assert len(calls) < 200, "the search goes on for ever"
        return [*real(*arguments), arguments]

    made = [in_a_function(seed) for seed in range(3)]
    found = [one() for one in made]
    assert None not in found
    monkeypatch.setattr(gc, "get_referrers", as_in_3_13)
    assert unheld(found) == found
    for cloud in found:
        cloud.close()


KEPT = {}  # as the names of a notebook


@pytest.mark.parametrize(
    "keep",
    [
        lambda cloud: cloud,
        lambda cloud: [{"a": (cloud,)}],
        lambda cloud: cloud.client("sqs"),
        lambda cloud: cloud.client("sqs").list_queues,
        lambda cloud: cloud.resource("sqs"),
        lambda cloud: lambda: cloud.now,
        lambda cloud: (cloud.advance(n) for n in range(3)),
        lambda cloud: type("Mine", (), {"cloud": cloud}),
        lambda cloud: weakref.WeakKeyDictionary({Sqs: cloud}),
    ],
)
def test_one_that_a_name_leads_to_stays(keep):
    found = in_a_function(1)()
    KEPT["x"] = keep(found)
    try:
        assert unheld([found]) == []
    finally:
        KEPT.clear()
        found.close()


def test_one_that_a_process_of_another_cloud_uses_stays():
    inner, outer = in_a_function(1)(), Cloud(seed=2)
    outer.spawn(lambda cloud: time.sleep(1e6), inner)
    outer.advance(1)
    assert unheld([inner]) == []
    outer.close()
    inner.close()


def test_a_hundred_rebound_clouds_leave_a_few(monkeypatch):
    """Names of a notebook that are bound again and again, while a process waits in a client's call."""
    monkeypatch.setattr("lablib.kernel.unheld._known", known := weakref.WeakSet())
    monkeypatch.setattr("lablib.kernel.unheld._limit", SOME)
    made = []
    for seed in range(100):
        KEPT["cloud"] = Cloud(seed=seed)
        KEPT["sqs"] = KEPT["cloud"].client("sqs")
        KEPT["url"] = KEPT["sqs"].create_queue(QueueName="q")["QueueUrl"]
        KEPT["cloud"].spawn(lambda: KEPT["sqs"].receive_message(QueueUrl=KEPT["url"], WaitTimeSeconds=20))
        KEPT["cloud"].advance(1)
        known.add(KEPT["cloud"])
        made.append(weakref.ref(KEPT["cloud"]))
        close_unheld()
    assert len(living(made)) <= SOME
    assert not KEPT["cloud"].kernel.closed
    KEPT.pop("cloud").close()
    KEPT.clear()


def test_what_it_ends_runs_its_finally_blocks(capsys):
    def consumer():
        try:
            time.sleep(1e6)
        finally:
            print("put away")

    cloud = Cloud(seed=1)
    cloud.spawn(consumer)
    cloud.advance(1)
    (found,) = unheld([cloud])
    found.kernel.close()
    assert capsys.readouterr().out == "put away\n"


def test_after_a_cell_they_are_closed_when_they_are_many(monkeypatch):
    monkeypatch.setattr("lablib.kernel.unheld._known", known := weakref.WeakSet())
    monkeypatch.setattr("lablib.kernel.unheld._limit", SOME)
    made = []
    for seed in range(SOME):
        made.append(in_a_function(seed))
        known.add(made[-1]())
        gc.collect()
        assert len(living(made)) == seed + 1
        if seed < SOME - 1:
            close_unheld()  # too few to be worth a search
    close_unheld()
    assert living(made) == []


def test_outside_of_a_notebook_nothing_is_watched(monkeypatch):
    monkeypatch.setattr("lablib.kernel.unheld._known", known := weakref.WeakSet())
    cloud = Cloud(seed=1)
    watch(cloud)
    assert len(known) == 0
    cloud.close()
