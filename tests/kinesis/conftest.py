"""A cloud with one stream, for the tests of Kinesis Data Streams. Everything goes through boto3, in strict mode."""

import pytest
from lab import ACCOUNT, QUICK, assumed
from lab import Lab as Base

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/trucks"
FIRST = "shardId-000000000000"


class Lab(Base):
    """A cloud, its Kinesis client, and short ways to write and read the stream "trucks"."""

    def __init__(self, shards=1, limits="2023", **assume):
        super().__init__(once=["kinesis"], limits=limits, assume=QUICK | assumed("kinesis", assume))
        self.kinesis.create_stream(StreamName="trucks", ShardCount=shards)
        self.until_active()

    def until_active(self):
        self.kinesis.get_waiter("stream_exists").wait(StreamName="trucks")

    def put(self, *bodies, key="k", **more):
        for body in bodies:
            answer = self.kinesis.put_record(StreamName="trucks", Data=body, PartitionKey=key, **more)
        return answer

    def iterator(self, shard=FIRST, kind="TRIM_HORIZON", **more):
        answer = self.kinesis.get_shard_iterator(StreamName="trucks", ShardId=shard, ShardIteratorType=kind, **more)
        return answer["ShardIterator"]

    def get(self, iterator, **more):
        self.cloud.advance(1)  # within the limit of five calls a second, and until what was put can be read
        return self.kinesis.get_records(ShardIterator=iterator, **more)

    def bodies(self, shard=FIRST, kind="TRIM_HORIZON", **more):
        return [record["Data"] for record in self.get(self.iterator(shard, kind, **more))["Records"]]

    def shards(self, **more):
        return self.kinesis.list_shards(StreamName="trucks", **more)["Shards"]

    def split(self, shard=FIRST, at=2**127):
        self.kinesis.split_shard(StreamName="trucks", ShardToSplit=shard, NewStartingHashKey=str(at))
        self.cloud.advance(60)

    def merge(self, one, other):
        self.kinesis.merge_shards(StreamName="trucks", ShardToMerge=one, AdjacentShardToMerge=other)
        self.cloud.advance(60)

    def consumer(self, name):
        made = self.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName=name)["Consumer"]
        self.cloud.advance(10)
        return made["ConsumerARN"]

    def subscribe(self, consumer, kind="TRIM_HORIZON", shard=FIRST):
        answer = self.kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": kind})
        return answer["EventStream"]


@pytest.fixture
def lab():
    return Lab()
