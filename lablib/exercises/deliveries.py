"""A delivery stream on the stage of an exercise: make it, and look at what it wrote."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from lablib.exercises.stage import Stage
from lablib.scenarios.lab06 import firehose_role

NAME, BUCKET = "riders-to-s3", "lift-riders"


def make_delivery(stage: Stage, size: int = 1, seconds: int = 60, transform: str = "") -> Any:
    """Make the delivery stream and its bucket, wait until it is active, and return the client. `transform`: the ARN of
    a function."""
    cloud, stage.unit = stage.cloud, "record"
    s3, firehose = cloud.client("s3"), cloud.client("firehose")
    s3.create_bucket(Bucket=BUCKET)
    to: dict[str, Any] = {
        "RoleARN": firehose_role(cloud),
        "BucketARN": f"arn:aws:s3:::{BUCKET}",
        "Prefix": "riders/",
        "ErrorOutputPrefix": "errors/",
        "BufferingHints": {"SizeInMBs": size, "IntervalInSeconds": seconds},
    }
    if transform:
        parameters = [{"ParameterName": "LambdaArn", "ParameterValue": transform}]
        processor = {"Type": "Lambda", "Parameters": parameters}
        to["ProcessingConfiguration"] = {"Enabled": True, "Processors": [processor]}
    firehose.create_delivery_stream(DeliveryStreamName=NAME, ExtendedS3DestinationConfiguration=to)
    stage.run(cloud.now + 30, lambda: status(stage) == "ACTIVE")
    return firehose


def status(stage: Stage) -> str:
    """The status of the delivery stream."""
    return str(stage.cloud.service("firehose").streams[NAME].status)


def objects(stage: Stage, prefix: str = "riders/") -> dict[str, bytes]:
    """What is in the bucket under a prefix, by key."""
    s3 = stage.cloud.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def delivered(stage: Stage) -> None:
    """Let time pass until all that was accepted is delivered, set aside or lost."""
    stream = stage.cloud.service("firehose").streams[NAME]
    stage.run(stage.cloud.now + 300, lambda: not stream.held())


def documents_in(text: bytes) -> list[Any]:
    """The lines that are JSON documents."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found
