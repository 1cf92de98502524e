"""OpenSearch as the destination: documents over HTTP; those that are refused go to S3."""

import base64
import http.client
import json

import pytest
from firehose.conftest import ACCOUNT, ROLE, Lab, s3


@pytest.fixture
def lab():
    lab = Lab()
    lab.domains = lab.cloud.client("opensearch")
    lab.domains.create_domain(DomainName="lifts")
    lab.cloud.advance(601)
    lab.host = lab.domains.describe_domain(DomainName="lifts")["DomainStatus"]["Endpoints"]["vpc"]
    return lab


def create(lab, rotation="NoRotation", retry=300, mode="FailedDocumentsOnly", **where):
    where = where or {"DomainARN": f"arn:aws:es:us-east-1:{ACCOUNT}:domain/lifts"}
    config = {
        "RoleARN": ROLE,
        "IndexName": "rides",
        "IndexRotationPeriod": rotation,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        "RetryOptions": {"DurationInSeconds": retry},
        "S3BackupMode": mode,
        "S3Configuration": s3(),
        **where,
    }
    lab.create(AmazonopensearchserviceDestinationConfiguration=config)


def search(lab, index="rides"):
    def program():
        connection = http.client.HTTPSConnection(lab.host, timeout=10)
        connection.request("GET", f"/{index}/_search")
        return json.loads(connection.getresponse().read())

    lab.cloud.advance(2)
    answer = lab.cloud.run(program, name="reader")
    return sorted((hit["_source"] for hit in answer["hits"]["hits"]), key=str)


@pytest.mark.guide
@pytest.mark.parametrize("by", ["arn", "endpoint"])
def test_records_become_documents(lab, by):
    create(lab, **({"ClusterEndpoint": f"https://{lab.host}"} if by == "endpoint" else {}))
    lab.put(b'{"lift": 1}', b'{"lift": 2}')
    lab.cloud.advance(90)
    assert search(lab) == [{"lift": 1}, {"lift": 2}] and lab.objects() == []


@pytest.mark.guide
@pytest.mark.parametrize(
    ("rotation", "index"),
    [("OneHour", "rides-2023-04-01-00"), ("OneDay", "rides-2023-04-01"), ("OneMonth", "rides-2023-04"),
     ("OneWeek", "rides-2023-w13")],
)  # fmt: skip
def test_indexes_rotate(lab, rotation, index):
    create(lab, rotation)
    lab.put(b'{"lift": 1}')
    lab.cloud.advance(90)
    assert search(lab, index) == [{"lift": 1}]


@pytest.mark.guide
def test_what_is_refused_goes_to_s3_and_the_rest_arrives(lab):
    create(lab)
    lab.put(b'{"lift": 1}', b"no json", b'{"lift": {"deep": 1}}', b'{"lift": 2}')
    lab.cloud.advance(200)
    assert search(lab) == [{"lift": 1}, {"lift": 2}]
    errors = {base64.b64decode(e["rawData"]): e for e in lab.errors(prefix="AmazonOpenSearchService-failed/")}
    assert set(errors) == {b"no json", b'{"lift": {"deep": 1}}'}
    assert errors[b"no json"]["errorCode"] == "OS.MalformedData"
    assert errors[b'{"lift": {"deep": 1}}']["errorCode"].startswith("OS.mapper_parsing_exception")


@pytest.mark.guide
def test_a_domain_that_does_not_answer_costs_the_retry_duration(lab):
    create(lab, retry=120)
    lab.cloud.network.partition("firehose/clicks", lab.host)
    lab.put(b'{"lift": 1}')
    lab.cloud.advance(900)
    (error,) = lab.errors(prefix="AmazonOpenSearchService-failed/")
    assert error["errorCode"] in ("OS.RequestTimeout", "OS.ConnectionFailed")


@pytest.mark.ours
def test_a_document_that_is_sent_twice_is_one(lab):
    """The id of the record is the id of its document, so a lost answer leaves no duplicate."""
    create(lab)
    lab.put(b'{"lift": 1}')
    lab.cloud.advance(90)
    assert len(search(lab)) == 1


@pytest.mark.guide
def test_all_documents_can_be_kept_in_s3(lab):
    create(lab, mode="AllDocuments")
    lab.put(b'{"lift": 1}')
    lab.cloud.advance(90)
    assert lab.bodies() == [b'{"lift": 1}'] and search(lab) == [{"lift": 1}]
