"""A cloud with a camera at a turnstile. Everything that boto3 has goes through boto3, in strict mode."""

import pytest
from lab import NO_RETRIES
from lab import Lab as Base

from lablib.actors.camera import film
from lablib.services.kinesisvideo import frames


class Lab(Base):
    """The stream "gate", and short ways to film and to look."""

    def __init__(self, hours=1, **assume):
        super().__init__(assume=assume)
        self.video = self.cloud.client("kinesisvideo", config=NO_RETRIES)
        self.arn = self.video.create_stream(StreamName="gate", DataRetentionInHours=hours)["StreamARN"]
        self.cloud.advance(5)

    def film(self, seconds=10, **more):
        camera = film(self.cloud, "gate", seconds, **more)
        self.cloud.advance(seconds + 2)
        return camera

    def at(self, api):
        """A client at the endpoint for that API."""
        where = self.video.get_data_endpoint(StreamName="gate", APIName=api)["DataEndpoint"]
        name = "kinesis-video-media" if api == "GET_MEDIA" else "kinesis-video-archived-media"
        return self.cloud.client(name, endpoint_url=where, config=NO_RETRIES)

    def get(self, kind="EARLIEST", **more):
        client = self.at("GET_MEDIA")
        return client.get_media(StreamName="gate", StartSelector={"StartSelectorType": kind, **more})["Payload"]

    def listed(self, begin=0, end=1e6, kind="SERVER_TIMESTAMP", **more):
        epoch = self.cloud.kernel.epoch
        span = {"StartTimestamp": epoch + begin, "EndTimestamp": epoch + end}
        selector = {"FragmentSelectorType": kind, "TimestampRange": span}
        client = self.at("LIST_FRAGMENTS")
        return client.list_fragments(StreamName="gate", FragmentSelector=selector, **more)["Fragments"]

    def frames(self, numbers):
        client = self.at("GET_MEDIA_FOR_FRAGMENT_LIST")
        return frames(client.get_media_for_fragment_list(StreamName="gate", Fragments=numbers)["Payload"].read())


@pytest.fixture
def lab():
    return Lab()
