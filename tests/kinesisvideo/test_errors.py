"""What Kinesis Video Streams refuses. Codes are AWS's; texts are ours where no marker says otherwise."""

import pytest
from aws_errors import case, code_and_message, guide
from botocore.exceptions import ClientError
from kinesisvideo.conftest import Lab

from lablib.aws.service import NotSimulated, ServiceError

SPAN = {"StartTimestamp": "2023-04-01T00:00:09Z", "EndTimestamp": "2023-04-01T00:00:03Z"}
BACKWARDS = {"FragmentSelectorType": "SERVER_TIMESTAMP", "TimestampRange": SPAN}
NOW = {"StartSelector": {"StartSelectorType": "NOW"}}


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    lab.film(6)
    return lab


CASES = [
    case(guide, "describe_stream", {"StreamName": "none"}, "ResourceNotFoundException", status=404),
    case(guide, "describe_stream", {}, "InvalidArgumentException"),
    case(guide, "create_stream", {"StreamName": "gate"}, "ResourceInUseException"),
    case(guide, "create_stream", {"StreamName": "a b"}, "InvalidArgumentException"),
    case(guide, "create_stream", {"StreamName": "new", "DataRetentionInHours": 87_601}, "InvalidArgumentException"),
    case(guide, "get_data_endpoint", {"StreamName": "none", "APIName": "GET_MEDIA"}, "ResourceNotFoundException",
         status=404),
    case(guide, "get_data_endpoint", {"StreamName": "gate", "APIName": "GET_FILM"}, "InvalidArgumentException"),
    case(guide, "update_data_retention", {"StreamName": "gate", "CurrentVersion": "old",
         "Operation": "INCREASE_DATA_RETENTION", "DataRetentionChangeInHours": 1}, "VersionMismatchException"),
    case(guide, "tag_stream", {"StreamName": "gate", "Tags": {f"k{n}": "v" for n in range(51)}},
         "TagsPerResourceExceededLimitException"),
    case(guide, "describe_stream", {"StreamName": "a/b"}, "InvalidArgumentException"),
    # ---- what was filmed
    *(case(guide, "get_media", {"StreamName": "gate", "StartSelector": selector}, "InvalidArgumentException")
      for selector in (
          {"StartSelectorType": "FRAGMENT_NUMBER"}, {"StartSelectorType": "SERVER_TIMESTAMP"},
          {"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": "nonsense"},
          {"StartSelectorType": "BEGINNING"})),
    *(case(guide, "list_fragments", {"StreamName": "gate", **more}, "InvalidArgumentException")
      for more in ({}, {"NextToken": "x"}, {"FragmentSelector": BACKWARDS})),
    case(guide, "get_media_for_fragment_list", {"StreamName": "gate", "Fragments": ["17"]},
         "ResourceNotFoundException", status=404),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_refusal(lab, case):
    lab.cloud.advance(1)
    of_film = case.operation.endswith(("media", "fragments", "fragment_list"))
    case.check(
        lab.at(case.operation.upper()) if of_film else lab.video,
        left=lambda: lab.video.describe_stream(StreamName="gate")["StreamInfo"],
    )


@pytest.mark.reported
def test_who_does_not_ask_for_the_endpoint_is_refused(lab):
    """boto/boto3#1506."""
    client = lab.cloud.client("kinesis-video-media")
    with pytest.raises(
        ClientError, match=r"An error occurred \(403\)(?s:.*)Unable to determine service/operation name"
    ) as e:
        client.get_media(StreamName="gate", **NOW)
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.guide
def test_the_endpoint_of_another_api_is_refused(lab):
    where = lab.video.get_data_endpoint(StreamName="gate", APIName="LIST_FRAGMENTS")["DataEndpoint"]
    client = lab.cloud.client("kinesis-video-media", endpoint_url=where)
    assert code_and_message(client.get_media, StreamName="gate", **NOW)[0] == "InvalidEndpointException"


@pytest.mark.guide
def test_five_calls_a_second(lab):
    client = lab.at("GET_MEDIA")
    lab.cloud.advance(2)
    calls = [lambda: client.get_media(StreamName="gate", **NOW)] * 40
    codes = []
    for call in calls:
        try:
            call()
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes and set(codes) == {"ClientLimitExceededException"}


@pytest.mark.guide
def test_one_camera_at_a_time(lab):
    video = lab.cloud.service("kinesisvideo")
    first = video.put_media("gate", "camera-1")
    with pytest.raises(ServiceError) as caught:
        video.put_media("gate", "camera-2")
    assert caught.value.code == "ConnectionLimitExceededException"
    first.close()
    video.put_media("gate", "camera-2").close()


@pytest.mark.guide
def test_a_stream_that_is_deleted_ends_its_readers_and_its_camera():
    lab = Lab()
    camera = lab.film(seconds=4)
    payload = lab.get("EARLIEST")
    lab.video.delete_stream(StreamARN=lab.arn)
    payload.read()
    assert camera.acks
    lab.cloud.advance(5)
    assert lab.video.list_streams()["StreamInfoList"] == []
    assert code_and_message(lab.video.describe_stream, StreamARN=lab.arn)[0] == "ResourceNotFoundException"


@pytest.mark.ours
@pytest.mark.parametrize("operation", ["get_clip", "get_images", "get_hls_streaming_session_url"])
def test_what_the_lab_has_not_is_said_in_one_line(lab, operation):
    service = lab.cloud.service("kinesis-video-archived-media")
    with pytest.raises(NotSimulated, match=f"kinesis-video-archived-media.{operation} is not simulated: ") as caught:
        service.operation(operation)
    assert "\n" not in str(caught.value)
