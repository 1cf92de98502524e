"""The control plane: brokers made, shown, changed, rebooted, deleted; what is refused."""

import base64
import re
import time

import botocore.exceptions
import pytest
import stomp
from mq.brokers import USER, Broker

from lablib import Cloud
from lablib.measures import Measures

MADE = {
    "BrokerName": "warehouse", "DeploymentMode": "SINGLE_INSTANCE", "EngineType": "ACTIVEMQ",
    "HostInstanceType": "mq.m5.large", "PubliclyAccessible": False, "Users": [USER],
}  # fmt: skip


@pytest.fixture
def mq(cloud):
    return cloud.client("mq")


# ---- the life of a broker --------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_broker_takes_a_quarter_of_an_hour_to_make(cloud, mq):
    made = mq.create_broker(**MADE)
    assert re.fullmatch(r"arn:aws:mq:us-east-1:123456789012:broker:warehouse:b-[0-9a-f-]{36}", made["BrokerArn"])
    states = []
    for _ in range(16):
        states.append(mq.describe_broker(BrokerId=made["BrokerId"])["BrokerState"])
        cloud.advance(60)
    assert states == ["CREATION_IN_PROGRESS"] * 15 + ["RUNNING"]


@pytest.mark.guide
def test_endpoints_are_written_as_aws_writes_them(pair):
    id = pair.id
    first, second = pair.described["BrokerInstances"]
    assert first["ConsoleURL"] == f"https://{id}-1.mq.us-east-1.amazonaws.com:8162"
    assert second["Endpoints"] == [
        f"ssl://{id}-2.mq.us-east-1.amazonaws.com:61617",
        f"amqp+ssl://{id}-2.mq.us-east-1.amazonaws.com:5671",
        f"stomp+ssl://{id}-2.mq.us-east-1.amazonaws.com:61614",
        f"mqtt+ssl://{id}-2.mq.us-east-1.amazonaws.com:8883",
        f"wss://{id}-2.mq.us-east-1.amazonaws.com:61619",
    ]
    assert (pair.described["StorageType"], pair.described["DeploymentMode"]) == ("EFS", "ACTIVE_STANDBY_MULTI_AZ")


def test_a_deleted_broker_is_gone(cloud, broker):
    broker.mq.delete_broker(BrokerId=broker.id)
    assert broker.mq.describe_broker(BrokerId=broker.id)["BrokerState"] == "DELETION_IN_PROGRESS"
    cloud.advance(301)
    assert broker.mq.list_brokers()["BrokerSummaries"] == []

    def program():
        with pytest.raises(stomp.exception.ConnectFailedException):
            broker.connection(reconnect_attempts_max=1, timeout=3)

    cloud.run(program)


def test_the_same_request_makes_one_broker(mq):
    first = mq.create_broker(**MADE, CreatorRequestId="once")
    assert mq.create_broker(**MADE, CreatorRequestId="once")["BrokerId"] == first["BrokerId"]
    assert len(mq.list_brokers()["BrokerSummaries"]) == 1


def test_answers_fit_the_model(cloud):
    strict = Cloud(seed=3, strict=True)
    mq = strict.client("mq")
    config = mq.create_configuration(EngineType="ACTIVEMQ", Name="c")
    made = mq.create_broker(**MADE, Configuration={"Id": config["Id"]}, Tags={"team": "shop"})
    strict.advance(920)
    mq.describe_broker(BrokerId=made["BrokerId"])
    mq.update_broker(BrokerId=made["BrokerId"], HostInstanceType="mq.m5.xlarge", Configuration={"Id": config["Id"]})
    mq.describe_broker(BrokerId=made["BrokerId"])
    mq.list_brokers()
    mq.describe_configuration(ConfigurationId=config["Id"])
    mq.list_configurations()
    mq.list_configuration_revisions(ConfigurationId=config["Id"])
    mq.describe_configuration_revision(ConfigurationId=config["Id"], ConfigurationRevision="1")
    mq.list_users(BrokerId=made["BrokerId"])
    mq.describe_user(BrokerId=made["BrokerId"], Username="shop")
    mq.describe_broker_engine_types()
    mq.describe_broker_instance_options(EngineType="ACTIVEMQ")
    assert mq.list_tags(ResourceArn=made["BrokerArn"])["Tags"] == {"team": "shop"}
    mq.create_tags(ResourceArn=made["BrokerArn"], Tags={"a": "b"})
    mq.delete_tags(ResourceArn=made["BrokerArn"], TagKeys=["team"])
    assert mq.list_tags(ResourceArn=made["BrokerArn"])["Tags"] == {"a": "b"}
    strict.close()


# ---- changes that wait -----------------------------------------------------------------------------------------------


def logs_in(broker, name, password):
    def program():
        try:
            broker.connection(user=name, password=password, reconnect_attempts_max=1)
            return True
        except stomp.exception.ConnectFailedException:
            return False

    return broker.cloud.run(program)


@pytest.mark.guide
def test_a_new_user_waits_for_a_reboot(broker):
    broker.mq.create_user(BrokerId=broker.id, Username="depot", Password="a long password", Groups=["staff"])
    broker.mq.delete_user(BrokerId=broker.id, Username="shop")
    listed = broker.mq.list_users(BrokerId=broker.id)["Users"]
    assert listed == [
        {"Username": "depot", "PendingChange": "CREATE"}, {"Username": "shop", "PendingChange": "DELETE"}
    ]  # fmt: skip
    assert not logs_in(broker, "depot", "a long password")
    assert logs_in(broker, "shop", USER["Password"])
    broker.mq.reboot_broker(BrokerId=broker.id)
    broker.cloud.advance(400)
    assert broker.mq.list_users(BrokerId=broker.id)["Users"] == [{"Username": "depot"}]
    assert logs_in(broker, "depot", "a long password")
    assert not logs_in(broker, "shop", USER["Password"])


@pytest.mark.guide
def test_a_changed_user_waits_for_a_reboot_too_and_is_described_with_what_waits(broker):
    """API reference, DescribeUser: `Pending` holds the access to the console and the groups that will be."""
    mq, about = broker.mq, {"BrokerId": broker.id, "Username": "shop"}
    before = mq.describe_user(**about)
    with pytest.raises(mq.exceptions.BadRequestException, match="12 to 250 characters"):
        mq.update_user(**about, Password="short")
    mq.update_user(**about, Password="another long password", ConsoleAccess=True, Groups=["staff"])
    mq.update_user(**about, Groups=["staff", "night"])  # what it leaves out stays as it was planned
    described = mq.describe_user(**about)
    assert described["Pending"] == {"PendingChange": "UPDATE", "ConsoleAccess": True, "Groups": ["staff", "night"]}
    assert described["ConsoleAccess"] == before["ConsoleAccess"]
    assert logs_in(broker, "shop", USER["Password"])
    mq.reboot_broker(BrokerId=broker.id)
    broker.cloud.advance(400)
    described = mq.describe_user(**about)
    assert "Pending" not in described and described["Groups"] == ["staff", "night"]
    assert logs_in(broker, "shop", "another long password")
    assert not logs_in(broker, "shop", USER["Password"])
    mq.delete_user(**about)
    assert mq.describe_user(**about)["Pending"] == {"PendingChange": "DELETE"}


@pytest.mark.guide
def test_a_change_waits_for_the_weekly_window(pair):
    """The run begins on Saturday, 1 April 2023, 00:00 UTC; the window of this broker on Sunday at 03:00."""
    first = pair.engine.active.name
    pair.mq.update_broker(BrokerId=pair.id, HostInstanceType="mq.m5.xlarge")
    assert pair.mq.describe_broker(BrokerId=pair.id)["PendingHostInstanceType"] == "mq.m5.xlarge"
    pair.cloud.advance(27 * 3600 - pair.cloud.now - 1)
    assert pair.engine.active.name == first
    pair.cloud.advance(30)
    assert pair.engine.active.name == first  # the standby is first
    pair.cloud.advance(300)
    assert pair.engine.active.name != first
    described = pair.mq.describe_broker(BrokerId=pair.id)
    assert described["HostInstanceType"] == "mq.m5.xlarge" and "PendingHostInstanceType" not in described
    failovers = pair.cloud.trace.where("NodeServing")
    assert len(failovers) == 2 and failovers[1].time - 27 * 3600 < 100


def test_a_moved_window_moves_what_waits(pair):
    pair.service.schedule_maintenance(pair.id)
    pair.mq.update_broker(
        BrokerId=pair.id, MaintenanceWindowStartTime={"DayOfWeek": "MONDAY", "TimeOfDay": "04:30", "TimeZone": "UTC"}
    )
    pair.cloud.advance(28 * 3600)
    assert len(pair.cloud.trace.where("BrokerRebooting")) == 0
    pair.cloud.advance(25 * 3600)
    (row,) = pair.cloud.trace.where("BrokerRebooting")
    assert row.time == pytest.approx((48 + 4.5) * 3600, abs=1)


def test_a_configuration_has_revisions(mq):
    made = mq.create_configuration(EngineType="ACTIVEMQ", Name="defaults")
    assert made["LatestRevision"]["Revision"] == 1
    data = base64.b64encode(b"<broker><plugins/></broker>").decode()
    assert mq.update_configuration(ConfigurationId=made["Id"], Data=data)["LatestRevision"]["Revision"] == 2
    read = mq.describe_configuration_revision(ConfigurationId=made["Id"], ConfigurationRevision="2")
    assert read["Data"] == data
    assert [r["Revision"] for r in mq.list_configuration_revisions(ConfigurationId=made["Id"])["Revisions"]] == [1, 2]


def test_numbers_of_many_digits_are_no_numbers(mq):
    made = mq.create_configuration(EngineType="ACTIVEMQ", Name="defaults")
    with pytest.raises(mq.exceptions.ClientError):
        mq.describe_configuration_revision(ConfigurationId=made["Id"], ConfigurationRevision="9" * 5000)
    with pytest.raises(mq.exceptions.BadRequestException, match="nextToken is invalid"):
        mq.list_configurations(NextToken="9" * 5000)


@pytest.mark.parametrize(
    "text", ["é", "%%%", b"<broker>", b"", b"\xff", b'<?xml version="1.0" encoding="no-such"?><broker/>',
             b'<?xml version="1.0" encoding="utf-7"?><broker/>', b"<a>" * 5000],
    ids=str,
)  # fmt: skip
def test_a_configuration_that_is_no_xml_is_refused(mq, text):
    made = mq.create_configuration(EngineType="ACTIVEMQ", Name="defaults")
    data = text if isinstance(text, str) else base64.b64encode(text).decode()
    with pytest.raises(mq.exceptions.BadRequestException, match="Configuration data is invalid"):
        mq.update_configuration(ConfigurationId=made["Id"], Data=data)


# ---- who is let in ---------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_whom_a_security_group_does_not_let_in_times_out(cloud):
    broker = Broker(cloud, SecurityGroups=["sg-0123"])
    broker.service.restrict("sg-0123", "shop")

    def program():
        start = time.time()
        try:
            broker.connection(reconnect_attempts_max=1, timeout=5)
            return "connected"
        except stomp.exception.ConnectFailedException:
            return time.time() - start

    assert cloud.run(program, name="shop") == "connected"
    assert cloud.run(program, name="stranger") >= 5


def test_a_broker_has_so_many_connections(cloud):
    broker = Broker(cloud, HostInstanceType="mq.t3.micro")

    def program():
        kept = [broker.connection() for _ in range(100)]
        with pytest.raises(stomp.exception.ConnectFailedException):
            broker.connection(reconnect_attempts_max=1, heartbeats=(1000, 1000), timeout=2)
        return len(kept)

    process = cloud.spawn(program, name="many")
    cloud.advance(30)
    (row,) = cloud.trace.where("ClientRefused")
    assert row.detail == "Exceeded the maximum number of allowed client connections: 100"
    cloud.kill(process)


@pytest.mark.guide  # price list, us-east-1: 420.48 $ a month of 730 hours for a pair of mq.m5.large
def test_a_broker_costs_by_the_hour_whether_it_works_or_not(pair):
    assert 730 * pair.service.price_per_hour(pair.id) == pytest.approx(420.48)
    pair.mq.update_broker(BrokerId=pair.id, HostInstanceType="mq.m5.xlarge")
    pair.mq.reboot_broker(BrokerId=pair.id)
    assert pair.service.price_per_hour(pair.id) == pytest.approx(1.152)
    pair.service.brokers[pair.id].size = "mq.m7g.large"
    assert pair.service.price_per_hour(pair.id) is None


@pytest.mark.guide  # the same prices
def test_the_bill_of_a_broker_is_from_its_creation_to_its_end(pair):
    cloud, day = pair.cloud, 24 * 3600
    began = cloud.trace.where("BrokerCreated")[0].time
    cloud.advance(day - (cloud.now - began))
    assert Measures(cloud.trace, until=began + day).bill()["mq"]["broker hours"] == pytest.approx(24 * 0.576)
    pair.mq.delete_broker(BrokerId=pair.id)
    cloud.advance(10 * day)
    ended = cloud.trace.where("BrokerDeleted")[0].time
    bill = Measures(cloud.trace, until=cloud.now).bill()["mq"]["broker hours"]
    assert bill == pytest.approx((ended - began) / 3600 * 0.576)


def test_a_bill_with_a_price_that_nobody_knows_is_not_known(pair):
    pair.mq.update_broker(BrokerId=pair.id, HostInstanceType="mq.m4.large")
    pair.mq.reboot_broker(BrokerId=pair.id)
    pair.cloud.advance(60)
    texts = {number.label: number.text for number in Measures(pair.cloud.trace, until=pair.cloud.now).summary()}
    assert texts["cost"] == "not known"


# ---- refusals --------------------------------------------------------------------------------------------------------

LONG = {"Username": "shop", "Password": "correct-horse-battery"}
REFUSED = [
    (
        "reported",
        {"Users": [{**LONG, "Password": "short"}]},
        "Password is invalid. Enter a password 12 to 250 characters long.",
    ),
    (
        "ours",
        {"Users": [{**LONG, "Password": "aaaaaaaaaaaa"}]},
        "Password is invalid. It must contain at least 4 unique",
    ),
    ("ours", {"Users": [{**LONG, "Password": "a,b:c=defghijk"}]}, "Password is invalid. It must not contain commas"),
    ("ours", {"Users": [{**LONG, "Username": "a b"}]}, "Username is invalid."),
    (
        "reported",
        {"Users": [{**LONG, "ReplicationUser": True, "ConsoleAccess": True}]},
        "Replication user couldn't have console access. "
        "[replicationUser] and [consoleAccess] are mutually "
        "exclusive parameters.",
    ),
    (
        "reported",
        {"EngineType": "RABBITMQ", "Users": [], "HostInstanceType": "mq.m7g.large"},
        "Specify exactly one user for engine type [RABBITMQ].",
    ),
    (
        "reported",
        {"EngineType": "ORACLE"},
        "Broker engine type [ORACLE] is invalid. Valid values are: [ACTIVEMQ, RABBITMQ]",
    ),
    ("ours", {"BrokerName": "a b"}, "Broker name [a b] is invalid."),
    ("ours", {"DeploymentMode": "CLUSTER_MULTI_AZ"}, "Deployment mode [CLUSTER_MULTI_AZ] is invalid for ACTIVEMQ."),
    ("ours", {"HostInstanceType": "db.t3"}, "Host instance type [db.t3] is invalid."),
    ("ours", {"EngineVersion": "4.1"}, "Broker engine version [4.1] is invalid."),
    (
        "ours",
        {"StorageType": "EBS", "DeploymentMode": "ACTIVE_STANDBY_MULTI_AZ"},
        "Storage type [EBS] is not supported",
    ),
    ("ours", {"SubnetIds": ["a", "b"]}, "Specify exactly one subnet"),
    (
        "ours",
        {"MaintenanceWindowStartTime": {"DayOfWeek": "SUNDAY", "TimeOfDay": "25:00"}},
        "Maintenance window is invalid.",
    ),
]


@pytest.mark.parametrize(
    ("change", "text"), [pytest.param(c, t, marks=getattr(pytest.mark, known), id=t) for known, c, t in REFUSED]
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(mq, change, text):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        mq.create_broker(**MADE | change)
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    assert caught.value.response["Error"]["Message"].startswith(text)
    assert mq.list_brokers()["BrokerSummaries"] == []


@pytest.mark.reported
@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda mq, id: mq.describe_broker(BrokerId="b-x"),
            "Can't find requested broker [b-x]. Make sure your broker exists.",
        ),
        (
            lambda mq, id: mq.reboot_broker(BrokerId="b-x"),
            "Can't find requested broker [b-x]. Make sure your broker exists.",
        ),
        (
            lambda mq, id: mq.describe_user(BrokerId=id, Username="no"),
            "Can't find requested user [no]. Make sure your user exists.",
        ),
        (
            lambda mq, id: mq.describe_configuration(ConfigurationId="c-x"),
            "Can't find requested configuration [c-x]. Make sure your configuration exists.",
        ),
    ],
)
def test_what_is_not_there_is_named(cloud, broker, call, text):
    with pytest.raises(broker.mq.exceptions.NotFoundException) as caught:
        call(broker.mq, broker.id)
    assert caught.value.response["Error"]["Message"] == text


@pytest.mark.ours
def test_a_busy_broker_is_left_alone(cloud, mq):
    made = mq.create_broker(**MADE)
    for call in (mq.reboot_broker, mq.delete_broker):
        with pytest.raises(mq.exceptions.BadRequestException):
            call(BrokerId=made["BrokerId"])
    with pytest.raises(mq.exceptions.ConflictException):
        mq.create_broker(**MADE)


@pytest.mark.reported
def test_users_of_rabbitmq_are_managed_there(cloud, mq):
    made = mq.create_broker(**MADE | {"EngineType": "RABBITMQ", "HostInstanceType": "mq.m7g.large"})
    with pytest.raises(mq.exceptions.BadRequestException, match="RabbitMQ web console, or the management API"):
        mq.create_user(BrokerId=made["BrokerId"], Username="a-user", Password="a long password")
