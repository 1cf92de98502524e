"""A Lambda function between the producer and the destination: what it gets, what it may answer, what goes wrong."""

import base64
import json
from datetime import UTC, datetime

import pytest
from aws_errors import code_and_message
from firehose.conftest import ACCOUNT, processor, s3

FAST = {"BufferIntervalInSeconds": "0"}


def answer(event, change):
    """The usual answer; `change` gives what is added to a record's item, or what stands in its place."""
    return {"records": [item for record in event["records"] for item in change(record)]}


def ok(record, data=None):
    text = base64.b64encode(data).decode() if data is not None else record["data"]
    return {"recordId": record["recordId"], "result": "Ok", "data": text}


def upper(event, context):
    return answer(event, lambda r: [ok(r, base64.b64decode(r["data"]).upper())])


def create(lab, handler, config=None, timeout=60, **parameters):
    processing = lab.transform(handler, timeout=timeout, **{**FAST, **parameters})
    lab.create(ExtendedS3DestinationConfiguration=s3(ProcessingConfiguration=processing, **(config or {})))


def calls(lab):
    return len(lab.rows("Invoke", actor="firehose/clicks"))


@pytest.mark.guide
def test_what_the_function_answers_is_delivered(lab):
    create(lab, upper)
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert lab.bodies() == [b"AB"]


@pytest.mark.guide
def test_the_event(lab):
    events = []

    def keep(event, context):
        events.append(event)
        return upper(event, context)

    create(lab, keep)
    (record,) = lab.put(b"a")
    lab.cloud.advance(90)
    (event,) = events
    arn = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/clicks"
    assert (event["deliveryStreamArn"], event["region"], len(event["invocationId"])) == (arn, "us-east-1", 36)
    millis = round(datetime(2023, 4, 1, 0, 0, 20, tzinfo=UTC).timestamp() * 1000)
    assert event["records"] == [{"recordId": record, "approximateArrivalTimestamp": millis, "data": "YQ=="}]


@pytest.mark.guide
def test_records_are_collected_before_the_function_is_invoked(lab):
    processing = lab.transform(upper)
    lab.create(ExtendedS3DestinationConfiguration=s3(ProcessingConfiguration=processing))
    lab.put(b"a")
    lab.cloud.advance(50)
    lab.put(b"b")
    assert calls(lab) == 0
    lab.cloud.advance(20)
    assert calls(lab) == 1, "60 seconds or 1 MB, unless it is told otherwise"
    lab.put(*[bytes(2**19)] * 2)
    lab.cloud.advance(2)
    assert calls(lab) == 2


@pytest.mark.guide
def test_a_request_never_has_more_than_six_megabytes(lab):
    sizes = []

    def measure(event, context):
        sizes.append(len(json.dumps(event)))
        return upper(event, context)

    create(lab, measure, BufferSizeInMBs="3", BufferIntervalInSeconds="60")
    for _ in range(20):
        lab.put_batch(*[b"x"] * 500)
        lab.put_batch(bytes(900_000))
        lab.cloud.advance(1)
    for _ in range(80):
        lab.put_batch(*[b"x"] * 500)
        lab.cloud.advance(0.1)
    lab.cloud.advance(200)
    assert max(sizes) <= 6 * 2**20 and len(sizes) > 4
    assert sum(map(len, lab.bodies())) == 100 * 500 + 20 * 900_000


@pytest.mark.guide
def test_dropped_is_done_with(lab):
    create(lab, lambda event, _: answer(event, lambda r: [{"recordId": r["recordId"], "result": "Dropped"}]))
    (record,) = lab.put(b"a")
    lab.cloud.advance(200)
    assert lab.objects() == [] and "dropped by the transform lambda/transform" in lab.cloud.explain(record)


@pytest.mark.guide
def test_processing_failed_goes_to_the_error_prefix(lab):
    bad = {"result": "ProcessingFailed", "data": ""}
    create(lab, lambda event, _: answer(event, lambda r: [{"recordId": r["recordId"], **bad}]))
    lab.put(b"poison")
    lab.cloud.advance(90)
    (error,) = lab.errors()
    assert base64.b64decode(error["rawData"]) == b"poison", "as it came in"
    assert (error["errorCode"], error["attemptsMade"]) == ("Lambda.ProcessingFailedStatus", 1)
    assert error["lambdaArn"].endswith(":function:transform:$LATEST")
    assert error["arrivalTimestamp"] < error["attemptEndingTimestamp"]


# ---- an answer is final ----------------------------------------------------------------------------------------------

OTHER = {"recordId": "foreign", "result": "Ok", "data": "YQ=="}
WRONG = {
    "missing": (lambda r: [], "Lambda.MissingRecordId"),
    "foreign": (lambda r: [OTHER], "Lambda.MissingRecordId"),
    "doubled": (lambda r: [ok(r), ok(r)], "Lambda.DuplicatedRecordId"),
    "not base64": (lambda r: [{**ok(r), "data": "%%%"}], "Lambda.JsonProcessingException"),
    "no data": (lambda r: [{"recordId": r["recordId"], "result": "Ok"}], "Lambda.JsonProcessingException"),
    "metadata that is none": (lambda r: [{**ok(r), "metadata": "x"}], "Lambda.JsonProcessingException"),
    "keys that are none": (lambda r: [{**ok(r), "metadata": {"partitionKeys": [1]}}], "Lambda.JsonProcessingException"),
    "data of a number": (lambda r: [{**ok(r), "data": 5}], "Lambda.JsonProcessingException"),
    "data of no letters": (lambda r: [{**ok(r), "data": "é"}], "Lambda.JsonProcessingException"),
    "unknown result": (lambda r: [{**ok(r), "result": "ok"}], "Lambda.JsonProcessingException"),
    "no id": (lambda r: [{"result": "Ok", "data": "YQ=="}], "Lambda.MissingRecordId"),
}


@pytest.mark.guide
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_item_fails_its_record_at_once_and_no_other(lab, what):
    wrong, code = WRONG[what]
    create(lab, lambda event, _: answer(event, lambda r: wrong(r) if r["data"] == "YQ==" else [ok(r)]))
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert [(e["errorCode"], e["rawData"], e["attemptsMade"]) for e in lab.errors()] == [(code, "YQ==", 1)]
    assert lab.bodies(prefix="2023/") == [b"b"] and calls(lab) == 1


@pytest.mark.guide
@pytest.mark.parametrize("nonsense", [None, [], {}, {"records": None}, {"records": {}}, "text", 7])
def test_an_answer_without_records_fails_them_all(lab, nonsense):
    create(lab, lambda event, _: nonsense)
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert [e["errorCode"] for e in lab.errors()] == ["Lambda.JsonProcessingException"] * 2
    assert calls(lab) == 1


@pytest.mark.guide
def test_an_empty_list_misses_all_records(lab):
    create(lab, lambda event, _: {"records": []})
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert [e["errorCode"] for e in lab.errors()] == ["Lambda.MissingRecordId"] * 2


# ---- a failure is repeated -------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_function_that_raises_is_invoked_four_times(lab):
    def broken(event, context):
        raise ValueError("no")

    create(lab, broken)
    lab.put(b"a")
    lab.cloud.advance(90)
    (error,) = lab.errors()
    assert (calls(lab), error["attemptsMade"], error["errorCode"]) == (4, 4, "Lambda.FunctionError")


@pytest.mark.guide
def test_the_number_of_retries_can_be_chosen(lab):
    create(lab, lambda event, _: 1 / 0, NumberOfRetries="1")
    lab.put(b"a")
    lab.cloud.advance(90)
    assert (calls(lab), lab.errors()[0]["attemptsMade"]) == (2, 2)


@pytest.mark.guide
def test_a_function_that_recovers_loses_nothing(lab):
    tries = []

    def shaky(event, context):
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("not yet")
        return upper(event, context)

    create(lab, shaky)
    lab.put(b"a")
    lab.cloud.advance(90)
    assert lab.bodies() == [b"A"] and [r.detail["attempt"] for r in lab.rows("TransformFailed")] == [1, 2]


@pytest.mark.guide
@pytest.mark.parametrize(
    ("breaks", "code"),
    [
        (lambda lab: lab.cloud.client("lambda").delete_function(FunctionName="transform"), "Lambda.ResourceNotFound"),
        (
            lambda lab: lab.cloud.client("lambda").put_function_concurrency(
                FunctionName="transform", ReservedConcurrentExecutions=0
            ),
            "Lambda.InvokeLimitExceeded",
        ),
        (
            lambda lab: lab.allow({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
            "Lambda.InvokeAccessDenied",
        ),
        (lambda lab: lab.fail("Invoke", "lost_answer"), "Lambda.RequestTimeout"),
    ],
)  # fmt: skip
def test_a_function_that_cannot_be_invoked(lab, breaks, code):
    create(lab, upper)
    breaks(lab)
    lab.put(b"a")
    lab.cloud.advance(90)
    (error,) = lab.errors()
    assert (error["errorCode"], error["attemptsMade"]) == (code, 4)


@pytest.mark.guide
def test_a_function_has_five_minutes(lab):
    def slow(event, context):
        import time

        time.sleep(400)
        return upper(event, context)

    create(lab, slow, timeout=900, NumberOfRetries="0")
    lab.put(b"a")
    lab.cloud.advance(390)
    assert [e["errorCode"] for e in lab.errors()] == ["Lambda.FunctionTimedOut"]
    lab.cloud.advance(600)
    assert len(lab.objects()) == 1, "an answer that comes later is not looked at"


@pytest.mark.guide
def test_an_answer_over_six_megabytes_is_a_failure(lab):
    create(lab, lambda event, _: answer(event, lambda r: [ok(r, bytes(5 * 2**20))]))
    lab.put(b"a")
    lab.cloud.advance(90)
    assert [(e["errorCode"], e["attemptsMade"]) for e in lab.errors()] == [("Lambda.FunctionError", 4)]


@pytest.mark.guide
def test_the_backup_has_the_records_before_the_transform(lab):
    backup = {"S3BackupMode": "Enabled", "S3BackupConfiguration": s3("spare")}
    create(lab, lambda event, _: answer(event, lambda r: [{"recordId": r["recordId"], "result": "Dropped"}]), backup)
    lab.put(b"a", b"b")
    lab.cloud.advance(90)
    assert (lab.bodies(), lab.bodies("spare")) == ([], [b"ab"])


@pytest.mark.guide
def test_the_error_prefix_can_be_chosen(lab):
    errors = {"ErrorOutputPrefix": "bad/!{firehose:error-output-type}/!{timestamp:yyyy}/"}
    create(lab, lambda event, _: None, errors)
    lab.put(b"a")
    lab.cloud.advance(90)
    assert lab.objects()[0].startswith("bad/processing-failed/2023/clicks-1-")


@pytest.mark.guide
@pytest.mark.parametrize(
    ("name", "value"),
    [("BufferSizeInMBs", "0.1"), ("BufferSizeInMBs", "4"), ("NumberOfRetries", "301"), ("NumberOfRetries", "many")],
)
def test_parameters_of_the_processor_have_bounds(lab, name, value):
    arn = lab.cloud.deploy("transform", upper)
    processing = processor("Lambda", LambdaArn=arn, **{name: value})
    config = {"ExtendedS3DestinationConfiguration": s3(ProcessingConfiguration=processing)}
    code, text = code_and_message(lab.firehose.create_delivery_stream, DeliveryStreamName="clicks", **config)
    assert code == "InvalidArgumentException" and name in text
