"""Kinesis Video Streams: what a camera sends, what is kept of it, and what a reader sees."""

import struct
import zlib
from itertools import pairwise

import pytest
from kinesisvideo.conftest import Lab

from lablib.actors.camera import HEIGHT, WIDTH, film, turnstile
from lablib.cloud import Cloud
from lablib.services.kinesisvideo import frames

FIRST_ACKS = ["BUFFERING", "RECEIVED", "PERSISTED"]


def kinds(camera):
    return [ack["EventType"] for ack in camera.acks]


@pytest.mark.guide
def test_a_fragment_is_acknowledged_three_times(lab):
    camera = lab.film(seconds=2)
    assert kinds(camera) == FIRST_ACKS
    assert camera.acks[1]["FragmentNumber"] == camera.acks[2]["FragmentNumber"] == lab.listed()[0]["FragmentNumber"]
    assert len({ack["FragmentTimecode"] for ack in camera.acks}) == 1


@pytest.mark.guide
def test_without_retention_nothing_is_stored_and_nobody_says_so():
    """Case: the default keeps film for five minutes in a buffer only; there is nothing to list."""
    lab = Lab(hours=0)
    camera = lab.film(seconds=10)
    assert set(kinds(camera)) == {"BUFFERING", "RECEIVED"}
    assert lab.listed() == []
    assert len(frames(lab.get().read(30_000))) > 1, "the buffer can be read"
    lab.cloud.advance(301)
    assert lab.get().read() == b""


@pytest.mark.guide
def test_nobody_sees_a_frame_before_its_fragment_is_whole(lab):
    film(lab.cloud, "gate", 60, fragment=6)
    lab.cloud.advance(1)
    payload, began = lab.get("NOW"), lab.cloud.now
    first = frames(payload.read(70_000))[0]
    waited = lab.cloud.now - began
    assert waited >= 5, "it waits until the fragment that is being filmed is complete"
    late = lab.cloud.kernel.epoch + lab.cloud.now - first.time
    assert late >= 6, "so a picture is as old as a fragment is long"


@pytest.mark.guide
def test_all_frames_come_back_as_they_were_drawn(lab):
    passes = (8.0, 11.5)
    lab.film(seconds=10, passes=passes)
    numbers = [fragment["FragmentNumber"] for fragment in lab.listed()]
    assert numbers == sorted(numbers, key=int) and len(numbers) == 5
    film_back = lab.frames(numbers)
    assert len(film_back) == 20
    epoch = lab.cloud.kernel.epoch
    drawn = [turnstile(round(frame.time - epoch, 3), passes) for frame in film_back]
    assert sum(a.picture == b for a, b in zip(film_back, drawn)) >= 18, "up to a rounding of milliseconds"
    assert all(round(b.time - a.time, 3) >= 0.5 for a, b in pairwise(film_back))
    assert {frame.tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] for frame in film_back} == set(numbers)


def test_a_frame_is_a_picture_that_any_viewer_opens(lab):
    lab.film(seconds=2)
    picture, shown = lab.frames([lab.listed()[0]["FragmentNumber"]])[0]._repr_png_()
    assert shown == {"width": 4 * WIDTH, "height": 4 * HEIGHT}
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", picture[16:24]) == (WIDTH, HEIGHT)
    at = picture.index(b"IDAT")
    size = struct.unpack(">I", picture[at - 4 : at])[0]
    assert len(zlib.decompress(picture[at + 4 : at + 4 + size])) == (WIDTH + 1) * HEIGHT


def test_something_moves_when_somebody_passes():
    assert turnstile(10.0) == turnstile(10.0, passes=(2.0,))
    assert len({turnstile(10.0), turnstile(10.0, passes=(9.0,)), turnstile(10.0, jumps=(9.0,))}) == 3


@pytest.mark.guide
def test_a_reader_goes_on_where_it_was(lab):
    lab.film(seconds=10)
    first = frames(lab.get().read(24_000))
    token = first[0].tags["AWS_KINESISVIDEO_CONTINUATION_TOKEN"]
    (rest,) = {frame.tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] for frame in frames(
        lab.get("CONTINUATION_TOKEN", ContinuationToken=token).read(24_000))}  # fmt: skip
    assert int(rest) == int(token) + 1
    again = frames(lab.get("FRAGMENT_NUMBER", AfterFragmentNumber=token).read(24_000))
    assert again[0].tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] == rest


@pytest.mark.guide
@pytest.mark.parametrize("kind", ["SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP"])
def test_a_moment_is_found_by_its_time(lab, kind):
    lab.film(seconds=20)
    moment = lab.cloud.kernel.epoch + 12
    found = frames(lab.get(kind, StartTimestamp=moment).read(24_000))[0]
    assert found.time <= moment if kind == "PRODUCER_TIMESTAMP" else found.time <= moment + 2
    assert abs(found.time - moment) <= 2.1
    few = lab.listed(10, 14, "PRODUCER_TIMESTAMP")
    assert 1 <= len(few) <= 2


@pytest.mark.guide
def test_fragments_are_listed_a_page_at_a_time(lab):
    lab.film(seconds=20)
    client, pages, more = lab.at("LIST_FRAGMENTS"), [], {}
    epoch = lab.cloud.kernel.epoch
    span = {"StartTimestamp": epoch, "EndTimestamp": epoch + 100}
    more = {"FragmentSelector": {"FragmentSelectorType": "SERVER_TIMESTAMP", "TimestampRange": span}}
    while more:
        answer = client.list_fragments(StreamName="gate", MaxResults=4, **more)
        pages.append([fragment["FragmentNumber"] for fragment in answer["Fragments"]])
        more = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
        lab.cloud.advance(1)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len({number for page in pages for number in page}) == 10


@pytest.mark.guide
@pytest.mark.parametrize(
    ("fragment", "rate", "code", "number"),
    [
        (25, 2, "MAX_FRAGMENT_DURATION_REACHED", 4002),
        (0.5, 4, "MIN_FRAGMENT_DURATION_REACHED", None),
        (20.2, 0.1, "MAX_FRAGMENT_DURATION_REACHED", 4002),
    ],
)
def test_a_fragment_that_is_too_long_or_too_short_is_lost(lab, fragment, rate, code, number):
    camera = lab.film(seconds=60, fragment=fragment, rate=rate)
    errors = [ack for ack in camera.acks if ack["EventType"] == "ERROR"]
    assert errors and {(ack["ErrorCode"], ack.get("ErrorId")) for ack in errors} == {(code, number)}
    assert lab.listed() == []


@pytest.mark.guide
@pytest.mark.parametrize(("length", "kept"), [(1.0, True), (20.0, True), (0.999, False), (20.001, False)])
def test_the_limits_of_a_fragment_are_allowed_themselves(lab, length, kept):
    connection = lab.cloud.service("kinesisvideo").put_media("gate", "camera")
    connection.frame(b"picture")
    lab.cloud.advance(length)
    assert bool(connection.end()) == kept
    assert connection.open == kept


@pytest.mark.guide
def test_a_fragment_that_is_too_big_is_lost(lab):
    connection = lab.cloud.service("kinesisvideo").put_media("gate", "camera")
    for _ in range(6):
        if connection.open:
            connection.frame(bytes(10_000_000))
    assert connection.acks[-1]["ErrorCode"] == "MAX_FRAGMENT_SIZE_REACHED"
    with pytest.raises(ConnectionError):
        connection.frame(b"x")


@pytest.mark.guide
def test_a_shorter_retention_drops_what_is_older_at_once(lab):
    lab.video.update_data_retention(
        StreamName="gate", CurrentVersion=version(lab), Operation="INCREASE_DATA_RETENTION",
        DataRetentionChangeInHours=5,
    )  # fmt: skip
    lab.cloud.advance(5)
    lab.film(seconds=4)
    lab.cloud.advance(2 * 3600)
    lab.film(seconds=4)
    assert len(lab.listed()) == 4
    lab.video.update_data_retention(
        StreamName="gate", CurrentVersion=version(lab), Operation="DECREASE_DATA_RETENTION",
        DataRetentionChangeInHours=5,
    )  # fmt: skip
    assert len(lab.listed()) == 2


def version(lab):
    return lab.video.describe_stream(StreamName="gate")["StreamInfo"]["Version"]


@pytest.mark.guide
def test_film_expires(lab):
    lab.film(seconds=4)
    lab.cloud.advance(3601)
    assert lab.listed() == []
    assert len(lab.cloud.trace.where(kind="FragmentExpired")) == 2


def test_the_same_seed_films_the_same():
    def digest():
        lab = Lab()
        lab.film(seconds=10, passes=(7.0,))
        return lab.cloud.trace.digest(), lab.get().read(50_000)

    assert digest() == digest()


def test_a_payload_that_is_cut_off_gives_the_whole_fragments(lab):
    lab.film(seconds=4)
    whole = lab.frames([f["FragmentNumber"] for f in lab.listed()])
    payload = lab.get().read(1_000_000)
    for cut in (0, 3, 50, 5000, len(payload) // 2 + 10, len(payload) - 1):
        assert len(frames(payload[:cut])) in (0, 4), cut
    assert len(frames(payload)) == len(whole) == 8
    with pytest.raises(ValueError, match="no Matroska document"):
        frames(b"\x00\x01hello")


def test_a_camera_that_cannot_be_is_refused():
    cloud = Cloud()
    with pytest.raises(ValueError, match="fragment=0: must be from"):
        film(cloud, "gate", 10, fragment=0)
