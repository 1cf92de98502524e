"""A cloud with a Kinesis stream and a role, for the tests of Kinesis Data Analytics. Everything goes through boto3."""

import json

import pytest
from lab import ACCOUNT, EVERYTHING, NO_RETRIES, assumed
from lab import Lab as Base

ROLE = f"arn:aws:iam::{ACCOUNT}:role/analytics"
START = 1_680_307_200  # 2023-04-01T00:00:00Z, when a run begins


class Lab(Base):
    """A cloud, the stream "rides", and short ways to run a job over it. Event times are seconds since the run began."""

    def __init__(self, shards=1, limits="2023", **assume):
        super().__init__("kinesis", limits=limits, assume=assumed("kinesisanalyticsv2", assume))
        self.analytics = self.cloud.client("kinesisanalyticsv2", config=NO_RETRIES)
        self.role_for("kinesisanalytics.amazonaws.com", "analytics", EVERYTHING)
        self.stream("rides", shards)
        self.out = []

    def stream(self, name, shards=1):
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name)

    def ride(self, *times, lift="north", stream="rides", hash_key=None, **more):
        """Put rides with these event times (seconds since the run began) into the stream, now."""
        for time in times:
            body = json.dumps({"lift": lift, "time": START + time, **more})
            where = {} if hash_key is None else {"ExplicitHashKey": str(hash_key)}
            self.kinesis.put_record(StreamName=stream, Data=body, PartitionKey=lift, **where)

    def create(self, job, name="counts", **flink):
        configuration = {
            "ApplicationCodeConfiguration": self.cloud.job_code(job),
            "FlinkApplicationConfiguration": flink,
        }
        return self.analytics.create_application(
            ApplicationName=name, RuntimeEnvironment="FLINK-1_15", ServiceExecutionRole=ROLE,
            ApplicationConfiguration=configuration,
        )["ApplicationDetail"]  # fmt: skip

    def start(self, job=None, name="counts", until="RUNNING", **more):
        if job:
            self.create(job, name, **more)
            more = {}
        self.analytics.start_application(ApplicationName=name, **more)
        self.until(until, name)

    def until(self, status, name="counts"):
        for _ in range(1000):
            if self.status(name) == status:
                return
            self.cloud.advance(1)
        raise AssertionError(f"{name} never was {status}, but {self.status(name)}")

    def status(self, name="counts"):
        return self.detail(name)["ApplicationStatus"]

    def detail(self, name="counts"):
        return self.analytics.describe_application(ApplicationName=name)["ApplicationDetail"]

    def application(self, name="counts"):
        return self.cloud.service("kinesisanalyticsv2").application(name)

    def results(self):
        """What windows gave, with their starts and ends in seconds since the run began."""
        return [(r["key"], r["start"] - START, r["end"] - START, r["value"], r["firing"]) for r in self.out]

    def read(self, stream):
        """All values in a stream of one shard."""
        iterator = self.kinesis.get_shard_iterator(
            StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return [json.loads(r["Data"]) for r in self.kinesis.get_records(ShardIterator=iterator)["Records"]]


@pytest.fixture
def lab():
    return Lab()
