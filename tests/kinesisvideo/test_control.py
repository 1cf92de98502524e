"""The control plane of Kinesis Video Streams: descriptions, tags, limits, a stream that changes. API reference."""

import pytest
from aws_errors import code_and_message
from kinesisvideo.conftest import Lab

from lablib.aws.service import ServiceError

pytestmark = pytest.mark.guide


@pytest.fixture
def lab():
    return Lab()


def info(lab):
    return lab.video.describe_stream(StreamName="gate")["StreamInfo"]


def test_a_description_is_changed_with_its_version_and_the_stream_is_updating_meanwhile(lab):
    before = info(lab)
    change = {"StreamName": "gate", "CurrentVersion": before["Version"]}
    lab.video.update_stream(**change, DeviceName="camera-7", MediaType="video/h264")
    while_it_changes = info(lab)
    assert while_it_changes["Status"] == "UPDATING"
    assert (while_it_changes["DeviceName"], while_it_changes["MediaType"]) == ("camera-7", "video/h264")
    again = {"StreamName": "gate", "CurrentVersion": while_it_changes["Version"]}
    assert code_and_message(lab.video.update_stream, **again, DeviceName="x")[0] == "ResourceInUseException"
    lab.cloud.advance(60)
    assert info(lab)["Status"] == "ACTIVE"
    assert code_and_message(lab.video.update_stream, **change, DeviceName="x")[0] == "VersionMismatchException"
    lab.video.update_stream(**again, MediaType="video/h265")
    assert (info(lab)["DeviceName"], info(lab)["MediaType"]) == ("camera-7", "video/h265")


def test_tags_come_and_go_by_name_and_by_arn(lab):
    lab.video.tag_stream(StreamName="gate", Tags={"lift": "north", "side": "left"})
    lab.video.tag_stream(StreamARN=lab.arn, Tags={"side": "right"})
    assert lab.video.list_tags_for_stream(StreamARN=lab.arn)["Tags"] == {"lift": "north", "side": "right"}
    lab.video.untag_stream(StreamName="gate", TagKeyList=["lift", "nobody"])
    assert lab.video.list_tags_for_stream(StreamName="gate")["Tags"] == {"side": "right"}


def test_a_camera_waits_until_the_stream_is_there(lab):
    lab.video.create_stream(StreamName="new")
    video = lab.cloud.service("kinesisvideo")
    with pytest.raises(ServiceError, match="CREATING") as caught:
        video.put_media("new", "camera")
    assert caught.value.code == "ResourceInUseException"
    lab.cloud.advance(60)
    video.put_media("new", "camera").close()


def test_the_buffer_of_a_stream_that_stores_nothing_has_a_size():
    """Kinesis Video Streams guide, "data retention": with 0 hours only a host-side buffer of 5 minutes or 200 MB."""
    lab = Lab(hours=0)
    connection = lab.cloud.service("kinesisvideo").put_media("gate", "camera")
    for number in range(6):
        connection.frame(bytes([number]) * 45_000_000)
        lab.cloud.advance(2)
        connection.end()
    connection.close()
    kept = lab.cloud.service("kinesisvideo").streams["gate"].fragments
    assert [fragment.number for fragment in kept] == [str(int(kept[0].number) + n) for n in range(4)]
    assert len(lab.cloud.trace.where(kind="FragmentExpired")) == 2


def test_what_a_reader_takes_in_parts_ends_when_it_closes(lab):
    lab.film(6)
    client = lab.at("GET_MEDIA")
    payload = client.get_media(StreamName="gate", StartSelector={"StartSelectorType": "EARLIEST"})["Payload"]
    assert len(payload.read(1_000)) == 1_000
    payload.close()
    assert payload.read() == b""


def test_a_connection_without_a_frame_has_no_fragment_to_end(lab):
    connection = lab.cloud.service("kinesisvideo").put_media("gate", "camera")
    assert connection.end() is None
    connection.close()


def test_time_does_not_go_back_between_fragments(lab):
    """PutMedia's error 4005, FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS."""
    lab.film(6)
    connection = lab.cloud.service("kinesisvideo").put_media("gate", "camera")
    connection.frame(b"one")
    lab.cloud.advance(2)
    connection.end()
    connection.frame(b"two", time=1.0)
    refused = lab.cloud.trace.where(kind="FragmentRefused")
    assert [row.detail for row in refused] == ["FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"]


def test_a_frame_shows_as_a_picture_in_a_notebook(lab):
    lab.film(6)
    numbers = [fragment["FragmentNumber"] for fragment in lab.listed()]
    frame = lab.frames(numbers)[0]
    png, size = frame._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert size["width"] > 4 and size["height"] > 4
    assert repr(frame).startswith(f"<Frame of {len(png)} bytes at ")


def test_an_update_after_the_stream_is_gone(lab):
    version = info(lab)["Version"]
    lab.video.delete_stream(StreamARN=lab.arn, CurrentVersion=version)
    assert info(lab)["Status"] == "DELETING"
    refusal = code_and_message(lab.video.update_stream, StreamName="gate", CurrentVersion=version, DeviceName="x")
    assert refusal[0] == "ResourceInUseException"
    lab.cloud.advance(60)
    assert code_and_message(lab.video.describe_stream, StreamName="gate")[0] == "ResourceNotFoundException"
