"""The control plane of Kinesis Data Analytics: states and their times, snapshots, updates, scaling, refusals."""

import pytest
from aws_errors import case, code_and_message, guide, ours, reported
from kinesisanalyticsv2.conftest import ROLE, Lab

from lablib.aws.service import NotSimulated

ARN = "arn:aws:kinesisanalytics:us-east-1:123456789012:application/counts"


def numbers(lab):
    return lambda env: env.from_stream("rides").map(lambda ride: ride["n"]).to(lab.out.append)


def parallel(n, per_kpu=1, scaling=False):
    about = {"ConfigurationType": "CUSTOM", "Parallelism": n, "ParallelismPerKPU": per_kpu}
    return {"ParallelismConfiguration": {**about, "AutoScalingEnabled": scaling}}


@guide
def test_an_application_goes_through_its_states(lab):
    assert lab.create(numbers(lab))["ApplicationStatus"] == "READY"
    lab.analytics.start_application(ApplicationName="counts")
    assert lab.status() == "STARTING"
    lab.until("RUNNING")
    lab.analytics.stop_application(ApplicationName="counts")
    assert lab.status() == "STOPPING"
    lab.until("READY")
    lab.analytics.delete_application(ApplicationName="counts", CreateTimestamp=lab.detail()["CreateTimestamp"])
    assert lab.analytics.list_applications()["ApplicationSummaries"] == []


@guide
def test_a_stop_takes_a_snapshot_and_a_start_goes_on_from_it(lab):
    lab.start(numbers(lab))
    lab.ride(0, n=1)
    lab.cloud.advance(2)
    lab.analytics.stop_application(ApplicationName="counts")
    lab.until("READY")
    lab.ride(0, n=2)
    lab.cloud.advance(60)
    lab.start()
    lab.cloud.advance(2)
    assert lab.out == [1, 2], "what came while it was stopped is read, nothing twice"


@guide
def test_a_forced_stop_takes_none(lab):
    lab.start(numbers(lab))
    lab.cloud.advance(65)
    lab.analytics.create_application_snapshot(ApplicationName="counts", SnapshotName="before")
    lab.cloud.advance(5)
    lab.ride(0, n=1)
    lab.cloud.advance(2)
    lab.analytics.stop_application(ApplicationName="counts", Force=True)
    assert lab.status() == "FORCE_STOPPING"
    lab.until("READY")
    names = [
        s["SnapshotName"]
        for s in lab.analytics.list_application_snapshots(ApplicationName="counts")["SnapshotSummaries"]
    ]
    assert names == ["before"]
    lab.start()
    lab.cloud.advance(2)
    assert lab.out == [1, 1], "back to the snapshot before"


@guide
def test_a_start_can_skip_the_snapshot(lab):
    lab.start(numbers(lab))
    lab.ride(0, n=1)
    lab.cloud.advance(2)
    lab.analytics.stop_application(ApplicationName="counts")
    lab.until("READY")
    lab.ride(0, n=2)
    restore = {"ApplicationRestoreConfiguration": {"ApplicationRestoreType": "SKIP_RESTORE_FROM_SNAPSHOT"}}
    lab.start(RunConfiguration=restore)
    lab.ride(0, n=3)
    lab.cloud.advance(2)
    assert lab.out == [1, 3]


@guide
def test_snapshots_are_made_listed_and_deleted(lab):
    lab.start(numbers(lab))
    lab.analytics.create_application_snapshot(ApplicationName="counts", SnapshotName="one")
    about = {"ApplicationName": "counts", "SnapshotName": "one"}
    details = lab.analytics.describe_application_snapshot(**about)["SnapshotDetails"]
    assert details["SnapshotStatus"] == "CREATING"
    lab.cloud.advance(5)
    details = lab.analytics.describe_application_snapshot(**about)["SnapshotDetails"]
    assert details["SnapshotStatus"] == "READY"
    lab.analytics.delete_application_snapshot(**about, SnapshotCreationTimestamp=details["SnapshotCreationTimestamp"])
    assert lab.analytics.list_application_snapshots(ApplicationName="counts")["SnapshotSummaries"] == []


@ours
def test_a_snapshot_fails_with_the_job(lab):
    lab.start(numbers(lab))
    lab.analytics.create_application_snapshot(ApplicationName="counts", SnapshotName="one")
    lab.cloud.advance(1)
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(30)
    about = {"ApplicationName": "counts", "SnapshotName": "one"}
    assert lab.analytics.describe_application_snapshot(**about)["SnapshotDetails"]["SnapshotStatus"] == "FAILED"


@guide
def test_a_stop_whose_job_fails_meanwhile_stops_after_its_restart(lab):
    lab.start(numbers(lab))
    lab.analytics.stop_application(ApplicationName="counts")
    lab.cloud.advance(1)
    lab.cloud.kill("analytics/counts-1")
    lab.until("READY")
    (snapshot,) = lab.analytics.list_application_snapshots(ApplicationName="counts")["SnapshotSummaries"]
    assert snapshot["SnapshotStatus"] == "READY"


@ours
def test_a_role_that_is_gone_ends_the_job_within_the_hour(lab):
    lab.start(numbers(lab))
    lab.cloud.client("iam").delete_role_policy(RoleName="analytics", PolicyName="p")
    lab.cloud.advance(2)
    assert "AccessDenied" in lab.application().failures[0]


@guide
def test_an_update_of_a_running_application_is_downtime_and_loses_nothing(lab):
    lab.start(numbers(lab))
    lab.ride(0, n=1)
    lab.cloud.advance(2)
    lab.analytics.update_application(
        ApplicationName="counts",
        CurrentApplicationVersionId=1,
        ApplicationConfigurationUpdate={
            "FlinkApplicationConfigurationUpdate": {
                "ParallelismConfigurationUpdate": {"ConfigurationTypeUpdate": "CUSTOM", "ParallelismUpdate": 2}
            }
        },
    )
    assert lab.status() == "UPDATING"
    lab.ride(0, n=2)
    lab.cloud.advance(30)
    assert lab.out == [1]
    lab.until("RUNNING")
    lab.cloud.advance(2)
    assert lab.out == [1, 2]
    detail = lab.detail()
    flink = detail["ApplicationConfigurationDescription"]["FlinkApplicationConfigurationDescription"]
    assert flink["ParallelismConfigurationDescription"]["CurrentParallelism"] == 2
    assert detail["ApplicationVersionId"] == 2


@guide
def test_new_code_is_an_update_too(lab):
    lab.start(numbers(lab))
    code = lab.cloud.job_code(lambda env: env.from_stream("rides").map(lambda ride: -ride["n"]).to(lab.out.append))
    content = {"ZipFileContentUpdate": code["CodeContent"]["ZipFileContent"]}
    update = {"ApplicationCodeConfigurationUpdate": {"CodeContentUpdate": content}}
    lab.analytics.update_application(
        ApplicationName="counts", CurrentApplicationVersionId=1, ApplicationConfigurationUpdate=update
    )
    lab.until("RUNNING")
    lab.ride(0, n=1)
    lab.cloud.advance(2)
    assert lab.out == [-1]


@guide
def test_a_job_reads_the_properties_of_its_application(lab):
    found = []
    groups = [{"PropertyGroupId": "settings", "PropertyMap": {"window": "60"}}]

    def job(env):
        found.append(env.properties)
        env.from_stream("rides").to(lab.out.append)

    code = {"ApplicationCodeConfiguration": lab.cloud.job_code(job)}
    configuration = {**code, "EnvironmentProperties": {"PropertyGroups": groups}}
    lab.analytics.create_application(**{**NEW, "ApplicationName": "counts"}, ApplicationConfiguration=configuration)
    lab.start()
    assert found == [{"settings": {"window": "60"}}]


@guide
def test_fifteen_minutes_of_load_double_the_subtasks_and_nothing_is_read_meanwhile():
    lab = Lab(shards=2, record_time=0.5)
    lab.start(numbers(lab), **parallel(1, scaling=True))
    number = 0

    def load(minutes):
        nonlocal number
        for _ in range(minutes * 60):
            lab.ride(0, n=number, hash_key=number % 2 * 2**127)
            lab.ride(0, n=number + 1, hash_key=(number + 1) % 2 * 2**127)
            number += 2
            lab.cloud.advance(1 - 0.032)

    load(14)
    assert not lab.cloud.trace.where(kind="ApplicationScaled")
    load(3)
    (row,) = lab.cloud.trace.where(kind="ApplicationScaled")
    assert row.detail == 2
    load(4)
    assert (lab.status(), lab.application().parallelism, lab.application().kpus) == ("RUNNING", 2, 2)
    changes = [(r.time, r.detail) for r in lab.cloud.trace.where(kind="ApplicationChanged")]
    ((begun, _),) = [change for change in changes if change[1] == "AUTOSCALING"]
    ended = max(time for time, status in changes if status == "RUNNING")
    assert ended - begun >= 60


@guide
def test_while_it_is_scaled_only_a_forced_stop_is_accepted(lab):
    lab.start(numbers(lab))
    lab.application().replace("AUTOSCALING", lambda: None)
    code, _ = code_and_message(lab.analytics.stop_application, ApplicationName="counts")
    assert code == "ResourceInUseException"
    lab.analytics.stop_application(ApplicationName="counts", Force=True)
    lab.until("READY")
    lab.cloud.advance(200)
    assert lab.status() == "READY"


NEW = {"ApplicationName": "new", "RuntimeEnvironment": "FLINK-1_15", "ServiceExecutionRole": ROLE}
NONE = "arn:aws:kinesisanalytics:us-east-1:123456789012:application/none"
REFUSALS = [
    case(ours, "describe_application", {"ApplicationName": "none"}, "ResourceNotFoundException",
     f"Application {NONE} not found."),
    case(ours, "create_application", {**NEW, "ApplicationName": "counts"}, "ResourceInUseException",
     f"Application {ARN} already exists."),
    case(guide, "create_application", {**NEW, "ApplicationName": "a b"}, "ValidationException",
     "1 validation error detected: Value 'a b' at 'applicationName' failed to satisfy constraint: Member must satisfy "
     "regular expression pattern: [a-zA-Z0-9_.-]+"),
    case(ours, "create_application", {**NEW, "ServiceExecutionRole": "arn:aws:iam::123456789012:role/none"},
     "InvalidArgumentException", "Kinesis Analytics cannot assume the role arn:aws:iam::123456789012:role/none."),
    case(ours, "create_application", {**NEW, "RuntimeEnvironment": "JAVA"}, "InvalidArgumentException",
     "RuntimeEnvironment JAVA is not supported."),
    case(reported, "delete_application", {"ApplicationName": "counts", "CreateTimestamp": "2023-04-01T00:00:20Z"},
     "ResourceInUseException", f"Application {ARN} cannot be deleted: it is in state RUNNING."),
    case(ours, "start_application", {"ApplicationName": "counts"}, "ResourceInUseException",
     f"Application {ARN} cannot be started: it is in state RUNNING."),
    case(ours, "update_application", {"ApplicationName": "counts", "CurrentApplicationVersionId": 7},
     "ConcurrentModificationException", "The current version of the application is 1, not 7."),
    case(ours, "describe_application_snapshot", {"ApplicationName": "counts", "SnapshotName": "x"},
     "ResourceNotFoundException", f"Snapshot x of application {ARN} not found."),
]  # fmt: skip


@pytest.fixture(scope="module")
def running():
    lab = Lab()
    lab.start(numbers(lab))
    return lab


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_in_the_words_of_aws(running, case):
    case.check(running.analytics)


@ours
@pytest.mark.parametrize(
    ("n", "per_kpu", "code"),
    [(257, 8, "InvalidArgumentException"), (4, 9, "InvalidArgumentException"),
     (33, 1, "LimitExceededException")],
)  # fmt: skip
def test_more_than_an_application_may_have(lab, n, per_kpu, code):
    with pytest.raises(lab.analytics.exceptions.ClientError, match=code):
        lab.create(numbers(lab), **parallel(n, per_kpu))


@ours
def test_what_the_lab_has_not_is_said_in_one_line(lab):
    code = {"ApplicationCodeConfiguration": lab.cloud.job_code(numbers(lab))}
    cases = [
        {"RuntimeEnvironment": "ZEPPELIN-FLINK-3_0"},
        {"ApplicationConfiguration": {**code, "VpcConfigurations": [{"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}]}},
        {"ApplicationConfiguration": {}},
    ]
    for more in cases:
        with pytest.raises(NotSimulated, match=r"^kinesisanalyticsv2: ") as refusal:
            lab.analytics.create_application(**{**NEW, **more})
        assert "\n" not in str(refusal.value)
    with pytest.raises(TypeError, match="must be a function"):
        lab.cloud.job_code("job")


@guide
def test_sql_applications_are_gone_today():
    lab = Lab(limits="today")
    code, text = code_and_message(lab.analytics.create_application, **{**NEW, "RuntimeEnvironment": "SQL-1_0"})
    assert code == "UnsupportedOperationException"
    assert "discontinued: since October 15, 2025" in text


@ours
def test_the_same_seed_gives_the_same_run():
    def run():
        lab = Lab(shards=2)
        lab.start(numbers(lab), **parallel(2))
        for n in range(20):
            lab.ride(0, n=n, hash_key=n * 2**122)
            lab.cloud.advance(1)
        lab.cloud.kill("analytics/counts-2")
        lab.cloud.advance(100)
        return lab.cloud.trace.digest()

    assert run() == run()
