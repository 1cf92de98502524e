"""A service in one file outside lablib is explained, counted and drawn as those inside are: nothing there knows it."""

from pathlib import Path

import pytest

import lablib.services
from lablib.cloud import Cloud
from lablib.measures import Measures
from lablib.measures.notable import notable
from lablib.measures.tokens import fold

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:resize"
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:resize"
MOST_LINES = 60


@pytest.fixture
def cloud(monkeypatch):
    """A cloud that finds the toy beside its own services."""
    monkeypatch.setattr(lablib.services, "__path__", [*lablib.services.__path__, str(Path(__file__).parent)])
    caches = (lablib.services.names, lablib.services.find)
    for cached in caches:
        cached.cache_clear()
    yield Cloud()
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def told(cloud):
    """Two tasks: one is fetched and done, one is aborted; and a worker that comes too often."""
    client = cloud.client("stepfunctions")

    def work():
        while not (task := client.get_activity_task(activityArn=ACTIVITY)).get("taskToken"):
            cloud.kernel.sleep(1)
        cloud.kernel.sleep(5)
        client.send_task_success(taskToken=task["taskToken"], output="{}")

    cloud.spawn(work, name="worker-1")
    cloud.advance(2.5)
    first, second = (client.start_execution(stateMachineArn=MACHINE)["executionArn"] for _ in range(2))
    client.stop_execution(executionArn=second, cause="not needed")
    cloud.advance(20)
    return cloud, first.rpartition(":")[2], second.rpartition(":")[2]


def test_the_toy_is_small():
    assert len((Path(__file__).parent / "stepfunctions.py").read_text().splitlines()) <= MOST_LINES


def test_it_is_explained(told):
    cloud, first, _ = told
    assert [line.split("s  ")[1] for line in cloud.explain(first).splitlines()] == [
        "scheduled by you", "fetched by worker-1", "done by worker-1",
    ]  # fmt: skip


def test_it_has_events_of_interest(told):
    cloud, *_ = told
    assert {(event.kind, event.text) for event in notable(cloud.trace)} == {
        ("no task", "worker-1 finds no task of resize."),
        ("aborted", "A task of resize is aborted: not needed."),
    }


def test_it_has_a_depth_rates_and_a_latency(told):
    cloud, *_ = told
    measures = Measures(cloud.trace)
    depth = measures.depth("resize")
    scheduled = cloud.trace.where("TaskScheduled")[-1].time
    assert (depth.value(2.0), depth.value(scheduled), depth.last) == (0, 2, 0)
    assert (measures.sent, measures.done, measures.lost, measures.waiting) == (2, 1, 1, 0)
    assert 5 < measures.p(50) < 7


def test_it_has_tokens_in_the_queue_and_in_a_hand(told):
    cloud, first, _ = told
    found = fold(cloud.trace)
    mine = [(x.state, found.name(x.holder), x.because) for x in found.tokens if found.name(x.subject) == first]
    assert mine == [
        ("waiting", "", "task fetched"), ("hidden", "", "succeeded"), ("held", "worker-1", "succeeded"),
    ]  # fmt: skip
