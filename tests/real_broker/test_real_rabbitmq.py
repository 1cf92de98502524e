"""The yardstick: ordinary pika programs against one real node of RabbitMQ on loopback.

Debian's package `rabbitmq-server` is needed; without it these tests are skipped. `SEEN.md` says what was
seen, and when.
"""

import pytest
from real_broker import expected, programs

pytestmark = [pytest.mark.real_broker, pytest.mark.xdist_group("real_broker")]


def test_exchanges(rabbit):
    assert programs.routes(rabbit.host, rabbit.port) == expected.ROUTES


def test_confirms(rabbit):
    assert programs.confirms(rabbit.host, rabbit.port) == expected.CONFIRMS


def test_dead_letters(rabbit):
    assert programs.dead_letters(rabbit.host, rabbit.port) == expected.DEAD_LETTERS


def test_redelivered_flags(rabbit):
    assert programs.redeliveries(rabbit.host, rabbit.port) == expected.REDELIVERIES


def test_mistakes(rabbit):
    assert programs.mistakes(rabbit.host, rabbit.port) == expected.MISTAKES


def test_what_a_crash_leaves(rabbit):
    assert programs.keeps(rabbit.host, rabbit.port, rabbit.restart) == expected.KEPT
