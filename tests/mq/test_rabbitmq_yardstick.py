"""The programs of the yardstick (`real_broker/programs.py`), against the simulated node: the same must come of them as
of RabbitMQ 3.10.8 on 28 November 2026 (`real_broker/SEEN.md`)."""

import pytest
from mq.rabbitmq import Stage
from real_broker import expected, programs


@pytest.fixture
def stage(monkeypatch):
    with Stage(version="3.10.20") as stage:
        parameters = stage.parameters()
        monkeypatch.setattr(programs.pika, "ConnectionParameters", lambda host, port: parameters)
        yield stage


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        (programs.routes, expected.ROUTES),
        (programs.confirms, expected.CONFIRMS),
        (programs.dead_letters, expected.DEAD_LETTERS),
        (programs.redeliveries, expected.REDELIVERIES),
        (programs.mistakes, expected.MISTAKES),
    ],
    ids=["routes", "confirms", "dead letters", "redeliveries", "mistakes"],
)
def test_it_does_what_a_real_node_did(stage, program, seen):
    assert stage.run(program, stage.host, 5671) == seen


def test_what_a_crash_leaves(stage):
    def restart():
        stage.crash(1)
        stage.cloud.kernel.sleep(stage.cloud.quotas["mq.replace_time"] + 1)

    assert stage.run(programs.keeps, stage.host, 5671, restart, seconds=600) == expected.KEPT
