"""The control plane: brokers made, shown, rebooted, deleted."""

import pytest

from lablib import Cloud
from lablib.aws.service import NotSimulated


def test_an_engine_that_is_not_there_is_named():
    with Cloud() as cloud, pytest.raises(NotSimulated, match="ACTIVEMQ"):
        cloud.client("mq").create_broker(
            BrokerName="b", DeploymentMode="SINGLE_INSTANCE", EngineType="ACTIVEMQ", HostInstanceType="mq.t3.micro",
            PubliclyAccessible=False,
        )  # fmt: skip
