"""An HTTP endpoint as the destination, on the virtual network: the protocol, retries, duplicates, what is given up."""

import base64
import gzip
import http.server
import json
import ssl

import pytest
from firehose.conftest import ROLE, Lab, s3

from lablib.aws.service import NotSimulated


class Endpoint:
    """A server of https://collector/ in the cloud. `answer` gives (status, document) for a request's document."""

    def __init__(self, cloud, answer=None):
        self.requests, self.headers, self.now = [], [], cloud.kernel
        self.answer = answer or (lambda document: (200, good(document)))
        self.delay = 0.0
        self.times = []
        self.process = cloud.network.spawn("collector", self.serve)

    def serve(self):
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                zipped = self.headers.get("Content-Encoding") == "gzip"
                document = json.loads(gzip.decompress(body) if zipped else body)
                endpoint.requests.append(document)
                endpoint.headers.append(dict(self.headers))
                endpoint.times.append(endpoint.now.now)
                if endpoint.delay:
                    import time

                    time.sleep(endpoint.delay)
                status, answer = endpoint.answer(document)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_): ...

        server = http.server.ThreadingHTTPServer(("", 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()

    @property
    def bodies(self):
        return [[base64.b64decode(r["data"]) for r in request["records"]] for request in self.requests]


def good(document):
    return {"requestId": document["requestId"], "timestamp": document["timestamp"]}


def create(lab, retry=300, mode="FailedDataOnly", request=None, url="https://collector/in?x=1"):
    endpoint = {"Url": url, "Name": "Datadog", "AccessKey": "secret"}
    config = {
        "EndpointConfiguration": endpoint,
        "RoleARN": ROLE,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        "RetryOptions": {"DurationInSeconds": retry},
        "S3BackupMode": mode,
        "S3Configuration": s3(),
    }
    if request:
        config["RequestConfiguration"] = request
    lab.create(HttpEndpointDestinationConfiguration=config)


@pytest.mark.guide
def test_the_request(lab):
    endpoint = Endpoint(lab.cloud)
    create(lab)
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert endpoint.bodies == [[b"a", b"b"]] and lab.objects() == []
    (headers,), (request,) = endpoint.headers, endpoint.requests
    assert headers["X-Amz-Firehose-Protocol-Version"] == "1.0"
    assert headers["X-Amz-Firehose-Access-Key"] == "secret"
    assert headers["X-Amz-Firehose-Request-Id"] == request["requestId"]
    assert headers["X-Amz-Firehose-Source-Arn"].endswith(":deliverystream/clicks")
    assert "delivered from clicks to https://collector/in?x=1" in lab.cloud.explain(
        lab.rows("RecordAccepted")[0].subject
    )


@pytest.mark.guide
def test_common_attributes_and_compression(lab):
    endpoint = Endpoint(lab.cloud)
    attributes = [{"AttributeName": "team", "AttributeValue": "web"}]
    create(lab, request={"ContentEncoding": "GZIP", "CommonAttributes": attributes})
    lab.put(b"a")
    lab.cloud.advance(90)
    assert endpoint.bodies == [[b"a"]]
    assert json.loads(endpoint.headers[0]["X-Amz-Firehose-Common-Attributes"]) == {"commonAttributes": {"team": "web"}}


@pytest.mark.guide
def test_the_key_is_not_shown(lab):
    create(lab)
    shown = lab.describe()["Destinations"][0]["HttpEndpointDestinationDescription"]
    assert shown["EndpointConfiguration"] == {"Url": "https://collector/in?x=1", "Name": "Datadog"}
    assert shown["S3DestinationDescription"]["BucketARN"] == "arn:aws:s3:::lake"


WRONG = {
    "status": ((500, {"errorMessage": "busy"}), "HttpEndpoint.DestinationException"),
    "no json": ((200, b"fine"), "HttpEndpoint.InvalidResponseFromDestination"),
    "no id": ((200, {"timestamp": 1}), "HttpEndpoint.InvalidResponseFromDestination"),
    "another id": ((200, {"requestId": "x", "timestamp": 1}), "HttpEndpoint.InvalidResponseFromDestination"),
    "too large": ((200, bytes(2**20 + 1)), "HttpEndpoint.ResponseTooLarge"),
}


@pytest.mark.guide
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_is_tried_again_with_the_same_id_and_then_given_up(lab, what):
    answer, code = WRONG[what]
    endpoint = Endpoint(lab.cloud, lambda document: answer)
    create(lab)
    lab.put(b"a")
    lab.cloud.advance(600)
    assert len({request["requestId"] for request in endpoint.requests}) == 1
    assert len(endpoint.requests) > 3 and endpoint.times[-1] - endpoint.times[0] == pytest.approx(300, abs=1)
    (error,) = lab.errors(prefix="http-endpoint-failed/")
    assert (base64.b64decode(error["rawData"]), error["errorCode"]) == (b"a", code)
    assert error["attemptsMade"] == len(endpoint.requests)


@pytest.mark.guide
def test_too_large_for_the_endpoint_is_not_tried_again(lab):
    endpoint = Endpoint(lab.cloud, lambda document: (413, b""))
    create(lab)
    lab.put(b"a")
    lab.cloud.advance(200)
    assert len(endpoint.requests) == 1 and len(lab.errors(prefix="http-endpoint-failed/")) == 1


@pytest.mark.guide
def test_without_a_retry_duration_there_is_one_attempt(lab):
    endpoint = Endpoint(lab.cloud, lambda document: (503, b""))
    create(lab, retry=0)
    lab.put(b"a")
    lab.cloud.advance(200)
    assert len(endpoint.requests) == 1 and len(lab.errors(prefix="http-endpoint-failed/")) == 1


@pytest.mark.guide
def test_a_timeout_does_not_prove_that_nothing_arrived(lab):
    endpoint = Endpoint(lab.cloud)
    endpoint.delay = 200
    create(lab)
    (record,) = lab.put(b"a")
    lab.cloud.advance(250)
    endpoint.delay = 0
    lab.cloud.advance(200)
    assert endpoint.bodies == [[b"a"], [b"a"]], "the same record twice, under the same id"
    assert lab.objects() == [] and len(lab.rows("RecordDelivered", subject=record)) == 1
    assert [row.detail["code"] for row in lab.rows("BatchFailed")] == ["HttpEndpoint.RequestTimeout"]


@pytest.mark.guide
def test_a_partition_shorter_than_the_retry_duration_costs_only_time(lab):
    endpoint = Endpoint(lab.cloud)
    create(lab)
    lab.cloud.advance(1)
    lab.cloud.network.power_off("collector")
    lab.put(b"a")
    lab.cloud.advance(120)
    assert {row.detail["code"] for row in lab.rows("BatchFailed")} <= {
        "HttpEndpoint.ConnectionFailed", "HttpEndpoint.RequestTimeout"}  # fmt: skip
    lab.cloud.network.power_on("collector")
    endpoint.process = lab.cloud.network.spawn("collector", endpoint.serve)
    lab.cloud.advance(400)
    assert endpoint.bodies == [[b"a"]] and lab.objects() == []


@pytest.mark.guide
def test_a_host_that_does_not_exist(lab):
    create(lab, url="https://nowhere.example.com/")
    lab.put(b"a")
    lab.cloud.advance(600)
    assert [e["errorCode"] for e in lab.errors(prefix="http-endpoint-failed/")] == ["HttpEndpoint.ConnectionFailed"]


@pytest.mark.guide
def test_a_certificate_that_nobody_trusts(lab):
    endpoint = Endpoint(lab.cloud)
    lab.cloud.network.certify("collector", ["collector"], trusted=False)
    create(lab, retry=0)
    lab.put(b"a")
    lab.cloud.advance(200)
    assert endpoint.requests == []
    assert [e["errorCode"] for e in lab.errors(prefix="http-endpoint-failed/")] == ["HttpEndpoint.SSLHandshakeFailure"]


@pytest.mark.guide
def test_all_data_can_be_kept_in_s3(lab):
    Endpoint(lab.cloud)
    create(lab, mode="AllData")
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert lab.bodies() == [b"ab"]


@pytest.mark.guide
def test_when_s3_is_down_too_the_data_is_lost_after_24_hours():
    lab = Lab()
    Endpoint(lab.cloud, lambda document: (500, b""))
    create(lab)
    lab.fail("PutObject")
    (record,) = lab.put(b"a")
    lab.cloud.advance(25 * 3600)
    assert [(row.subject, row.resource) for row in lab.rows("RecordLost")] == [(record, "clicks/errors")]


@pytest.mark.ours
@pytest.mark.parametrize("name", ["SplunkDestinationConfiguration", "SnowflakeDestinationConfiguration"])
def test_other_protocols_are_named(lab, name):
    config = {
        "SplunkDestinationConfiguration": {
            "HECEndpoint": "https://s", "HECEndpointType": "Raw", "S3Configuration": s3()},
        "SnowflakeDestinationConfiguration": {
            "AccountUrl": "https://account.snowflakecomputing.com", "Database": "d", "Schema": "s", "Table": "t",
            "RoleARN": ROLE, "S3Configuration": s3()},
    }  # fmt: skip
    with pytest.raises(NotSimulated, match=name[:5].lower()):
        lab.create(**{name: config[name]})


@pytest.mark.ours
@pytest.mark.parametrize("mood", ["slow", "busy"])
def test_a_stream_that_is_deleted_in_the_middle_of_an_attempt_loses_its_records_once(lab, mood):
    endpoint = Endpoint(lab.cloud, lambda document: (200, good(document)) if mood == "slow" else (503, b""))
    endpoint.delay = 100
    create(lab)
    (record,) = lab.put(b"a")
    lab.cloud.advance(65)
    lab.firehose.delete_delivery_stream(DeliveryStreamName="clicks")
    lab.cloud.advance(2000)
    assert [row.subject for row in lab.rows("RecordLost")] == [record]
    assert lab.rows("RecordDelivered") == lab.rows("RecordFailed") == [] and lab.objects() == []


@pytest.mark.guide
def test_the_destination_can_become_another_one(lab):
    endpoint = Endpoint(lab.cloud)
    lab.create(ExtendedS3DestinationConfiguration=s3(seconds=900))
    lab.put(b"a")
    update = {"EndpointConfiguration": {"Url": "https://collector/"}, "S3Update": s3(), "RoleARN": ROLE}
    version = {"DeliveryStreamName": "clicks", "CurrentDeliveryStreamVersionId": "1"}
    id = {"DestinationId": "destinationId-000000000001"}
    lab.firehose.update_destination(**version, **id, HttpEndpointDestinationUpdate=update)
    lab.cloud.advance(70)
    lab.put(b"b")
    lab.cloud.advance(400)
    assert (lab.bodies(), endpoint.bodies) == ([b"a"], [[b"b"]])
    assert "HttpEndpointDestinationDescription" in lab.describe()["Destinations"][0]
