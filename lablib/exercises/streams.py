"""A stream on the stage of an exercise: make it, put records into it, look inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lablib.aws.service import Request
from lablib.exercises.case import Knob, scaled
from lablib.exercises.stage import Stage

STREAM = "orders"
_FIFTHS = 20  # percent


def empty_reads() -> Knob:
    """How many of the reads that should bring records bring none."""
    return scaled("{:d} % of the answers empty though records follow", 4, step=_FIFTHS)


def make_stream(stage: Stage, shards: int, empty: int = 0) -> Any:
    """Make the stream, wait until it is active, and return the client. `empty`: the knob of `empty_reads`."""
    stage.unit = "record"
    stage.cloud.quotas["kinesis.empty_reads"] = empty * _FIFTHS / 100
    kinesis = stage.cloud.client("kinesis")
    kinesis.create_stream(StreamName=STREAM, ShardCount=shards)
    stage.run(stage.cloud.now + 30, lambda: inside(stage).status == "ACTIVE")
    return kinesis


@contextmanager
def slow_reads(stage: Stage, seconds: float) -> Iterator[None]:
    """Each read takes so many seconds more: hours pass with few calls. Not by an event handler of boto3, which makes
    every call of a client take three times as long.
    """
    service = stage.cloud.service("kinesis")
    read, operations = service.operation("get_records"), service.operations

    def slowly(request: Request, **how: Any) -> Any:
        stage.cloud.kernel.sleep(seconds)
        return read(request, **how)

    operations["get_records"] = slowly
    try:
        yield
    finally:
        operations["get_records"] = read


def inside(stage: Stage) -> Any:
    return stage.cloud.service("kinesis").stream(STREAM)


def hash_of(key: str) -> int:
    """Where a partition key lies in the hash space."""
    from lablib.services.kinesis import shards  # a service is loaded when it is needed

    return shards.hash_of(key)


def put_by_shop(stage: Stage, name: str, key: str) -> str:
    """The shop puts a record, in no time. Returns its sequence number, which is called `name` from now on. Its data are
    those of all others: they tell nobody which one it is, or when it came.
    """
    put = stage.cloud.service("kinesis").operation("put_record")
    request = Request("shop", -1, stage.cloud.chance.stream("shop"))
    answer = put(request, stream_name=STREAM, data=b"tea", partition_key=key)
    stage.labels[answer["SequenceNumber"]] = name
    number: str = answer["SequenceNumber"]
    return number
