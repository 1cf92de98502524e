"""The brokers of the yardstick: the real ones, where Debian's packages are installed."""

import logging

import pytest
from real_broker import brokers


@pytest.fixture(autouse=True)
def _quiet():
    """stomp.py and pika write each refused connection into the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def pair(tmp_path):
    if brokers.ACTIVEMQ_MISSING:
        pytest.skip(brokers.ACTIVEMQ_MISSING)
    found = brokers.ActiveMQPair(tmp_path)
    try:
        found.start_both()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory):
    if brokers.RABBITMQ_MISSING:
        pytest.skip(brokers.RABBITMQ_MISSING)
    found = brokers.RabbitMQNode(tmp_path_factory.mktemp("rabbitmq"))
    try:
        found.start()
        yield found
    finally:
        found.close()
