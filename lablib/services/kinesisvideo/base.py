"""What the three APIs of Kinesis Video Streams share: the streams, their endpoints, rates of calls."""

from __future__ import annotations

import copy
import re
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import Service, Target, TokenBucket, World
from lablib.services.kinesisvideo.stream import VideoStream, refusal

Document = dict[str, Any]
_NAME = "[a-zA-Z0-9_.-]+"
_READ, _ARCHIVE = "b-1a2b3c4d", "b-5e6f7a8b"  # the hosts of the data plane; AWS gives each stream one of many
HOSTS = {
    "PUT_MEDIA": "s-9c0d1e2f", "GET_MEDIA": _READ, "LIST_FRAGMENTS": _ARCHIVE, "GET_MEDIA_FOR_FRAGMENT_LIST": _ARCHIVE,
    "GET_HLS_STREAMING_SESSION_URL": _ARCHIVE, "GET_DASH_STREAMING_SESSION_URL": _ARCHIVE, "GET_CLIP": _ARCHIVE,
    "GET_IMAGES": _ARCHIVE,
}  # fmt: skip


class VideoBase(Service):
    """One API of Kinesis Video Streams in one region of one account."""

    arn_parameter = "stream_arn"
    throttle = ("ClientLimitExceededException", "Rate exceeded")
    access_denied = ("NotAuthorizedException", 401)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        place = f"kinesisvideo/{world.account}/{world.region}"
        self.streams: dict[str, VideoStream] = world.shared.setdefault(place, {})

    def arn(self, resource: str) -> str:
        """The ARN of a stream: it names the service, also where one of its further APIs is asked."""
        return str(Arn("kinesisvideo", self.world.region, self.world.account, resource))

    def find(self, name: str | None, arn: str | None) -> VideoStream:
        """The stream of that name or ARN. Raises InvalidArgumentException, ResourceNotFoundException."""
        if not name and not arn:
            raise refusal("InvalidArgumentException", "Either StreamName or StreamARN should be provided.")
        if name and not re.fullmatch(_NAME, name):
            raise refusal("InvalidArgumentException", f"StreamName {name} is not valid: it must match {_NAME}")
        for stream in self.streams.values():
            if name in (None, stream.name) and arn in (None, stream.arn):
                return stream
        raise refusal("ResourceNotFoundException", f"The requested stream is not found: {name or arn}", 404)

    def target(self, operation: str, params: Document) -> Target:
        """Rights are asked on the stream, all with the prefix kinesisvideo (service authorization reference)."""
        name, arn = params.get("stream_name"), params.get("stream_arn")
        known = next((s for s in self.streams.values() if s.name == name or s.arn == arn), None)
        name = name or str(arn or "").partition(":stream/")[2].partition("/")[0]
        action = (f"kinesisvideo:{operation}",)
        return Target(str(name), self.world.account, action, known.arn if known else "*", None, known is not None)


class DataPlane(VideoBase):
    """An API that answers only at the endpoint which GetDataEndpoint gives for it."""

    endpoint: str | None = None  # where its client calls; None: the lab's own actors

    def at(self, endpoint_url: str | None) -> Service:
        """The API as it answers there."""
        there = copy.copy(self)
        there.operations, there.endpoint, there.has_policies = {}, endpoint_url or "", True
        return there

    def open(self, api: str, name: str | None, arn: str | None) -> VideoStream:
        """The stream that a call of `api` is about. Raises what AWS does at a wrong endpoint, and above five calls a
        second (reported: boto3#1506; API reference, GetMedia)."""
        if self.endpoint is not None and self.endpoint.rstrip("/") != endpoint(self.world.region, api):
            if HOSTS[api] not in self.endpoint and ".kinesisvideo." in self.endpoint.partition("//")[2]:
                raise refusal("InvalidEndpointException", f"Ask GetDataEndpoint for the endpoint of {api}.")
            text = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized"
            raise refusal("403", f"{text}</Message>\n</AccessDeniedException>\n", 403)
        stream = self.find(name, arn)
        rate = self.world.quotas["kinesisvideo.calls"]
        bucket = stream.calls.setdefault(api, TokenBucket(rate, rate, self.now))
        if not bucket.ready(self.now):
            raise refusal(*self.throttle)
        bucket.take()
        return stream


def endpoint(region: str, api: str) -> str:
    """Where that API answers."""
    return f"https://{HOSTS[api]}.kinesisvideo.{region}.amazonaws.com"
