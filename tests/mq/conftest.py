"""Brokers to test with."""

import pytest
from mq.brokers import Broker

from lablib import Cloud


@pytest.fixture
def cloud():
    with Cloud(seed=3) as made:
        yield made


@pytest.fixture
def broker(cloud):
    return Broker(cloud)


@pytest.fixture
def pair(cloud):
    return Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")
