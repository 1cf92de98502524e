"""The data plane of Kinesis Video Streams: GetMedia, and what is kept of the film."""

from __future__ import annotations

from typing import Any

from lablib.aws.body import Body
from lablib.aws.dates import moment
from lablib.aws.lists import page_of
from lablib.aws.service import Request, World, count_of
from lablib.services.kinesisvideo.base import DataPlane, Document
from lablib.services.kinesisvideo.stream import Fragment, MediaPayload, VideoStream, refusal

_TYPE = "video.webm"  # the form that the API's model asks for
_PLAYER = "read the frames with get_media or get_media_for_fragment_list"


class KinesisVideoMedia(DataPlane):
    """GetMedia."""

    name = "kinesis-video-media"

    def get_media(
        self,
        request: Request,
        *,
        stream_name: str | None = None,
        stream_arn: str | None = None,
        start_selector: Document,
    ) -> Document:
        stream = self.open("GET_MEDIA", stream_name, stream_arn)
        payload = MediaPayload(self.world, stream, self._before(stream, start_selector))
        return {"ContentType": _TYPE, "Payload": payload}

    def _before(self, stream: VideoStream, selector: Document) -> int:
        """The number of the fragment after which it begins."""
        kept, kind = stream.fragments, selector["StartSelectorType"]
        last = int(kept[-1].number) if kept else 0
        if kind == "NOW":
            return last - 1
        if kind == "EARLIEST":
            return 0
        if kind in ("FRAGMENT_NUMBER", "CONTINUATION_TOKEN"):
            name = "AfterFragmentNumber" if kind == "FRAGMENT_NUMBER" else "ContinuationToken"
            number = str(selector.get(name, ""))
            if not number.isdigit():
                raise refusal("InvalidArgumentException", f"StartSelectorType {kind} needs {name}.")
            return int(number)
        if kind not in ("SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP") or "StartTimestamp" not in selector:
            raise refusal("InvalidArgumentException", f"StartSelectorType {kind} needs StartTimestamp.")
        start = _virtual(self.world, selector["StartTimestamp"])
        after = [f for f in kept if _time(f, kind) + (f.length if kind == "PRODUCER_TIMESTAMP" else 0) > start]
        return int(after[0].number) - 1 if after else last


class KinesisVideoArchivedMedia(DataPlane):
    """What is kept of the film: only of a stream with a retention."""

    name = "kinesis-video-archived-media"
    counts = {"ListFragments": count_of("Fragments")}
    absent = {
        "get_clip": f"it makes an MP4 file; {_PLAYER}",
        "get_images": f"it decodes the film; here each frame is a picture already: {_PLAYER}",
        "get_hls_streaming_session_url": f"it gives an address for a player; {_PLAYER}",
        "get_dash_streaming_session_url": f"it gives an address for a player; {_PLAYER}",
    }

    def list_fragments(
        self,
        request: Request,
        *,
        stream_name: str | None = None,
        stream_arn: str | None = None,
        max_results: int = 100,
        next_token: str | None = None,
        fragment_selector: Document | None = None,
    ) -> Document:
        stream = self.open("LIST_FRAGMENTS", stream_name, stream_arn)
        found = self._archived(stream)
        if fragment_selector:
            span, kind = fragment_selector["TimestampRange"], fragment_selector["FragmentSelectorType"]
            low, high = (_virtual(self.world, span[key]) for key in ("StartTimestamp", "EndTimestamp"))
            if low > high:
                raise refusal("InvalidArgumentException", "StartTimestamp must not be after EndTimestamp.")
            found = {number: f for number, f in found.items() if low <= _time(f, kind) <= high}
        elif next_token is None:
            raise refusal("InvalidArgumentException", "FragmentSelector is required without NextToken.")
        wrong = refusal("InvalidArgumentException", "NextToken is not valid.")
        most = self.world.quotas["kinesisvideo.page"]
        page, more = page_of(found, next_token, min(max_results, most), wrong)
        return {"Fragments": [self._listed(found[number]) for number in page]} | more

    def _archived(self, stream: VideoStream) -> dict[str, Fragment]:
        """By their numbers the fragments that are stored, and can be listed. None of a stream without retention."""
        if not stream.retention:
            return {}
        horizon = self.now - self.world.quotas["kinesisvideo.persist_time"]
        return {f.number: f for f in stream.fragments if f.server <= horizon}

    def _listed(self, fragment: Fragment) -> Document:
        epoch = self.world.kernel.epoch
        return {
            "FragmentNumber": fragment.number,
            "FragmentSizeInBytes": fragment.size,
            "ProducerTimestamp": moment(epoch + fragment.begin),
            "ServerTimestamp": moment(epoch + fragment.server),
            "FragmentLengthInMilliseconds": round(fragment.length * 1000),
        }

    def get_media_for_fragment_list(
        self,
        request: Request,
        *,
        stream_name: str | None = None,
        stream_arn: str | None = None,
        fragments: list[str],
    ) -> Document:
        stream = self.open("GET_MEDIA_FOR_FRAGMENT_LIST", stream_name, stream_arn)
        kept = self._archived(stream)
        if missing := [number for number in fragments if number not in kept]:
            text = f"The requested fragments are not found: {', '.join(missing)}"
            raise refusal("ResourceNotFoundException", text, 404)
        chunks = b"".join(stream.chunk(kept[number], behind=False) for number in fragments)
        return {"ContentType": _TYPE, "Payload": Body(chunks)}


def _time(fragment: Fragment, kind: str) -> float:
    return fragment.server if kind == "SERVER_TIMESTAMP" else fragment.begin


def _virtual(world: World, date: Any) -> float:
    """Virtual seconds of a date that the caller gives."""
    stamp = date if isinstance(date, (int, float)) else date.timestamp()
    return float(stamp) - world.kernel.epoch
