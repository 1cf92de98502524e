"""The control plane: brokers made, shown, rebooted, deleted; what is refused."""

import botocore.exceptions
import pytest

from lablib import Cloud


def test_an_engine_that_is_not_there_is_named():
    with Cloud() as cloud, pytest.raises(botocore.exceptions.ClientError, match=r"BadRequest.*ORACLE.* is invalid"):
        cloud.client("mq").create_broker(
            BrokerName="b", DeploymentMode="SINGLE_INSTANCE", EngineType="ORACLE", HostInstanceType="mq.t3.micro",
            PubliclyAccessible=False,
        )  # fmt: skip
