"""Redshift as the destination: an object in S3, then COPY; what cannot be loaded is skipped and told of."""

import json

import pytest
from firehose.conftest import ACCOUNT, ROLE, Lab, s3


@pytest.fixture(scope="module")
def warehouse():
    """A cloud with a cluster that has a table; making it takes a while."""
    lab = Lab()
    lab.data = lab.cloud.client("redshift-data")
    lab.cloud.client("redshift").create_cluster(
        ClusterIdentifier="lab", NodeType="ra3.xlplus", MasterUsername="admin", MasterUserPassword="Secret123"
    )
    lab.cloud.client("redshift").get_waiter("cluster_available").wait(ClusterIdentifier="lab")
    return lab


@pytest.fixture
def lab(warehouse):
    for name in ("clicks", "other"):
        sql(warehouse, f"DROP TABLE IF EXISTS {name}")
    sql(warehouse, "CREATE TABLE clicks (page VARCHAR(20), seconds INT)")
    for key in warehouse.objects():
        warehouse.s3.delete_object(Bucket="lake", Key=key)
    yield warehouse
    warehouse.firehose.delete_delivery_stream(DeliveryStreamName="clicks")
    warehouse.cloud.advance(30)


def sql(lab, text):
    where = {"ClusterIdentifier": "lab", "Database": "dev", "DbUser": "admin"}
    id = lab.data.execute_statement(Sql=text, **where)["Id"]
    while (found := lab.data.describe_statement(Id=id))["Status"] not in ("FINISHED", "FAILED"):
        lab.cloud.advance(1)
    assert found["Status"] == "FINISHED", found
    if not found.get("HasResultSet"):
        return []
    return [tuple(next(iter(f.values())) for f in r) for r in lab.data.get_statement_result(Id=id)["Records"]]


def create(lab, table="clicks", options="JSON 'auto'", retry=0, **more):
    config = {
        "RoleARN": ROLE,
        "ClusterJDBCURL": "jdbc:redshift://lab.abc.us-east-1.redshift.amazonaws.com:5439/dev",
        "CopyCommand": {"DataTableName": table, "CopyOptions": options},
        "Username": "admin",
        "Password": "Secret123",
        "RetryOptions": {"DurationInSeconds": retry},
        "S3Configuration": s3(Prefix="in/", **more),
    }
    lab.create(RedshiftDestinationConfiguration=config)


@pytest.mark.guide
@pytest.mark.parametrize("compression", ["UNCOMPRESSED", "GZIP"])
def test_records_become_rows(lab, compression):
    create(lab, CompressionFormat=compression)
    lab.put(b'{"page":"a","seconds":3}\n', b'{"page":"b","seconds":4}\n')
    lab.cloud.advance(90)
    assert sql(lab, "SELECT page, seconds FROM clicks ORDER BY page") == [("a", 3), ("b", 4)]
    assert len(lab.bodies(prefix="in/2023/")) == 1, "the object stays"
    record = lab.rows("RecordAccepted")[-1].subject
    assert "delivered from clicks to redshift://lab/dev/clicks" in lab.cloud.explain(record)


@pytest.mark.guide
def test_csv_and_columns(lab):
    create(lab, options="CSV")
    lab.put(b"a,3\n")
    lab.cloud.advance(90)
    assert sql(lab, "SELECT page, seconds FROM clicks") == [("a", 3)]


@pytest.mark.guide
def test_a_broken_object_is_skipped_and_named(lab):
    create(lab)
    lab.put(b"this is no JSON")
    lab.cloud.advance(90)
    assert sql(lab, "SELECT count(*) FROM clicks") == [(0,)]
    (manifest,) = lab.objects(prefix="in/errors/manifests/")
    (entry,) = json.loads(lab.body(manifest))["entries"]
    (skipped,) = lab.objects(prefix="in/2023/")
    assert entry == {"url": f"s3://lake/{skipped}", "mandatory": True}
    assert lab.rows("BatchFailed")[-1].detail["code"] == "Redshift.DataLoadFailed"
    lab.put(b'{"page":"a","seconds":3}\n')
    lab.cloud.advance(90)
    assert sql(lab, "SELECT page FROM clicks") == [("a",)], "the next object is loaded"


@pytest.mark.guide
def test_a_table_that_comes_in_time(lab):
    create(lab, table="other", retry=600)
    lab.put(b'{"page":"a","seconds":3}\n')
    lab.cloud.advance(120)
    assert lab.rows("BatchFailed")[-1].detail["code"] == "Redshift.TableNotFound"
    sql(lab, "CREATE TABLE other (page VARCHAR(20), seconds INT)")
    lab.cloud.advance(600)
    assert sql(lab, "SELECT page FROM other") == [("a",)]
    assert lab.objects(prefix="in/errors/") == []


@pytest.mark.guide
def test_a_cluster_that_is_not_there_costs_the_retry_duration(lab):
    lab.fail("ExecuteStatement", seconds=400)
    before = len(lab.rows("BatchFailed"))
    create(lab, retry=300)
    lab.put(b'{"page":"a","seconds":3}\n')
    lab.cloud.advance(500)
    failed = lab.rows("BatchFailed")[before:]
    assert {row.detail["code"] for row in failed} == {"Redshift.ConnectionFailed"}
    assert failed[-1].time - failed[0].time == pytest.approx(300, abs=1)
    assert len(lab.objects(prefix="in/errors/manifests/")) == 1


@pytest.mark.guide
def test_the_password_is_not_shown(lab):
    create(lab)
    shown = lab.describe()["Destinations"][0]["RedshiftDestinationDescription"]
    assert "Password" not in shown and shown["ClusterJDBCURL"].endswith("/dev")
    assert shown["S3DestinationDescription"]["BucketARN"] == "arn:aws:s3:::lake"
    assert ACCOUNT in shown["RoleARN"]
