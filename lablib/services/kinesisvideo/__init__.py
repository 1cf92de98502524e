"""Amazon Kinesis Video Streams: streams of fragments of film, with a retention that is 0 unless one is set.

Operations, parameters and constraints: API reference (2017-09-30) as shipped in botocore. Exact texts of errors are not
known; codes are AWS's. PutMedia is a streaming call that boto3 does not have: `KinesisVideo.put_media` is its inside,
and `lablib.actors.camera` a camera that uses it.
"""

from __future__ import annotations

import re

from lablib.aws.dates import moment
from lablib.aws.event import KEPT, Event
from lablib.aws.lists import Tags, page_of
from lablib.aws.service import Request, ServiceError, count_of
from lablib.services.kinesisvideo.base import HOSTS, Document, VideoBase, endpoint
from lablib.services.kinesisvideo.matroska import Frame, frames
from lablib.services.kinesisvideo.media import KinesisVideoArchivedMedia, KinesisVideoMedia
from lablib.services.kinesisvideo.quotas import QUOTAS
from lablib.services.kinesisvideo.stream import Connection, VideoStream, refusal

__all__ = ["Frame", "KinesisVideo", "KinesisVideoArchivedMedia", "KinesisVideoMedia", "frames"]

_WEBRTC = "WebRTC has no place in a lab without a network outside"


class KinesisVideo(VideoBase):
    """The control plane, and the inside of PutMedia."""

    name = "kinesisvideo"
    quotas = QUOTAS
    counts = {"ListStreams": count_of("StreamInfoList")}
    absent = {
        "create_signaling_channel": _WEBRTC,
        "list_signaling_channels": _WEBRTC,
        "start_edge_configuration_update": "cameras that record by themselves are left out",
        "update_image_generation_configuration": "each frame is a picture already: read it with get_media",
        "update_notification_configuration": "look for new fragments with list_fragments",
    }
    events = (
        Event("VideoStreamCreated", "stream {resource} created by {actor}: film is kept for {detail} hours"),
        Event("VideoStreamDeleted", "stream {resource} is gone, with its film"),
        Event("RetentionChanged", "film of {resource} is kept for {detail} hours from now on"),
        Event(
            "FragmentReceived",
            lambda row, trace: f"a fragment of {row.actor}: {row.detail[0]} frames, {row.detail[1]:g} s",
            state=KEPT,
            counts="sent",
        ),
        Event("FragmentPersisted", "stored"),
        Event("FragmentExpired", "not kept any longer", ends="expired", counts="expired"),
        Event(
            "FragmentRefused",
            "a fragment of {actor} is refused: {detail}",
            label="refused",
            notable="A fragment of {actor} is refused: {detail}.",
            counts="refused",
        ),
    )

    # ---- from inside -------------------------------------------------------------------------------------------------

    def put_media(self, stream_name: str, caller: str) -> Connection:
        """Open the connection of a producer. Raises ServiceError: no such stream, not active, a second connection."""
        stream = self.find(stream_name, None)
        if stream.status == "CREATING" or stream.status == "DELETING":
            raise refusal("ResourceInUseException", f"The stream {stream_name} is in state {stream.status}.")
        if stream.connection:
            raise refusal("ConnectionLimitExceededException", "There is a connection to this stream already.")
        return Connection(self.world, stream, caller, -1)

    # ---- streams -----------------------------------------------------------------------------------------------------

    def create_stream(
        self,
        request: Request,
        *,
        stream_name: str,
        device_name: str = "",
        media_type: str = "",
        kms_key_id: str = "",
        data_retention_in_hours: int = 0,
        tags: dict[str, str] | None = None,
    ) -> Document:
        if not re.fullmatch("[a-zA-Z0-9_.-]{1,256}", stream_name):
            raise refusal("InvalidArgumentException", f"StreamName {stream_name} is not valid.")
        if stream_name in self.streams:
            raise refusal("ResourceInUseException", f"The stream {stream_name} already exists.")
        if len(self.streams) >= self.world.quotas["kinesisvideo.streams"]:
            raise refusal("AccountStreamLimitExceededException", "The account has as many streams as it may have.")
        self._check_retention(data_retention_in_hours)
        stamp = int((self.world.kernel.epoch + self.now) * 1000)
        details = {"DeviceName": device_name, "MediaType": media_type, "KmsKeyId": kms_key_id}
        arn = self.arn(f"stream/{stream_name}/{stamp}")
        stream = VideoStream(self.world, stream_name, arn, data_retention_in_hours, details)
        self._tags_of(stream).add(tags or {}, self.world.quotas["kinesisvideo.tags"], _too_many_tags())
        self.streams[stream_name] = stream
        hours = data_retention_in_hours
        self.world.trace.add("VideoStreamCreated", stream_name, "", request.caller, request.row, hours)
        self._change(stream, "CREATING")
        return {"StreamARN": arn}

    def _change(self, stream: VideoStream, status: str) -> None:
        stream.status = status

        def done() -> None:
            if stream.status == status:
                stream.status = "ACTIVE"

        self.world.kernel.after(self.world.quotas["kinesisvideo.change_time"], done)

    def _check_retention(self, hours: int) -> None:
        most = self.world.quotas["kinesisvideo.retention_max"]
        if not 0 <= hours <= most:
            raise refusal("InvalidArgumentException", f"DataRetentionInHours must be from 0 to {most}, not {hours}.")

    def describe_stream(
        self, request: Request, *, stream_name: str | None = None, stream_arn: str | None = None
    ) -> Document:
        return {"StreamInfo": self._shown(self.find(stream_name, stream_arn))}

    def _shown(self, stream: VideoStream) -> Document:
        return {key: value for key, value in stream.details.items() if value} | {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "Version": _version(stream),
            "Status": stream.status,
            "CreationTime": moment(self.world.kernel.epoch + stream.created),
            "DataRetentionInHours": stream.retention,
        }

    def list_streams(
        self,
        request: Request,
        *,
        max_results: int = 10_000,
        next_token: str | None = None,
        stream_name_condition: Document | None = None,
    ) -> Document:
        begin = (stream_name_condition or {}).get("ComparisonValue", "")
        names = [name for name in self.streams if name.startswith(begin)]
        wrong = refusal("InvalidArgumentException", "NextToken is not valid.")
        page, more = page_of(names, next_token, max_results, wrong)
        return {"StreamInfoList": [self._shown(self.streams[name]) for name in page]} | more

    def get_data_endpoint(
        self, request: Request, *, api_name: str, stream_name: str | None = None, stream_arn: str | None = None
    ) -> Document:
        self.find(stream_name, stream_arn)
        if api_name not in HOSTS:
            raise refusal("InvalidArgumentException", f"APIName {api_name} is not one of {', '.join(HOSTS)}.")
        return {"DataEndpoint": endpoint(self.world.region, api_name)}

    def update_data_retention(
        self,
        request: Request,
        *,
        current_version: str,
        operation: str,
        data_retention_change_in_hours: int,
        stream_name: str | None = None,
        stream_arn: str | None = None,
    ) -> Document:
        stream = self._changeable(stream_name, stream_arn, current_version)
        grows = operation == "INCREASE_DATA_RETENTION"
        hours = stream.retention + (1 if grows else -1) * data_retention_change_in_hours
        self._check_retention(hours)
        stream.keep_for(hours)
        stream.version += 1
        self.world.trace.add("RetentionChanged", stream.name, "", request.caller, request.row, hours)
        self._change(stream, "UPDATING")
        return {}

    def update_stream(
        self,
        request: Request,
        *,
        current_version: str,
        stream_name: str | None = None,
        stream_arn: str | None = None,
        device_name: str = "",
        media_type: str = "",
    ) -> Document:
        stream = self._changeable(stream_name, stream_arn, current_version)
        new = {"DeviceName": device_name, "MediaType": media_type}
        stream.details.update({key: value for key, value in new.items() if value})
        stream.version += 1
        self._change(stream, "UPDATING")
        return {}

    def delete_stream(self, request: Request, *, stream_arn: str, current_version: str | None = None) -> Document:
        stream = self._changeable(None, stream_arn, current_version)
        stream.status = "DELETING"
        stream.arrived.fire()
        if stream.connection:
            stream.connection.close()

        def done() -> None:
            del self.streams[stream.name]
            self.world.trace.add("VideoStreamDeleted", stream.name, "", "", request.row)

        self.world.kernel.after(self.world.quotas["kinesisvideo.change_time"], done)
        return {}

    def _changeable(self, name: str | None, arn: str | None, version: str | None) -> VideoStream:
        stream = self.find(name, arn)
        if stream.status != "ACTIVE":
            raise refusal("ResourceInUseException", f"The stream {stream.name} is in state {stream.status}.")
        if version not in (None, _version(stream)):
            raise refusal("VersionMismatchException", f"The version of {stream.name} is not {version}.")
        return stream

    # ---- tags --------------------------------------------------------------------------------------------------------

    def _tags_of(self, stream: VideoStream) -> Tags:
        all_tags: dict[str, Tags] = self.world.shared.setdefault("kinesisvideo/tags", {})
        return all_tags.setdefault(stream.arn, Tags())

    def tag_stream(
        self, request: Request, *, tags: dict[str, str], stream_name: str | None = None, stream_arn: str | None = None
    ) -> Document:
        of = self._tags_of(self.find(stream_name, stream_arn))
        of.add(tags, self.world.quotas["kinesisvideo.tags"], _too_many_tags())
        return {}

    def untag_stream(
        self,
        request: Request,
        *,
        tag_key_list: list[str],
        stream_name: str | None = None,
        stream_arn: str | None = None,
    ) -> Document:
        self._tags_of(self.find(stream_name, stream_arn)).remove(tag_key_list)
        return {}

    def list_tags_for_stream(
        self, request: Request, *, stream_name: str | None = None, stream_arn: str | None = None
    ) -> Document:
        return {"Tags": dict(self._tags_of(self.find(stream_name, stream_arn)))}


def _version(stream: VideoStream) -> str:
    """As AWS's versions look: letters and digits."""
    return f"v{stream.version:019d}"


def _too_many_tags() -> ServiceError:
    return refusal("TagsPerResourceExceededLimitException", "A stream may have up to 50 tags.")
