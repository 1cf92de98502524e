"""Quotas of Kinesis Data Analytics (today Managed Service for Apache Flink), what its model assumes, transitions."""

from __future__ import annotations

from lablib.aws.event import Event
from lablib.aws.quotas import Quota, assumed, quota
from lablib.kernel import Row, Trace

_GUIDE = "guide: Managed Service for Apache Flink, application scaling"
_FLINK = "Flink: Kinesis connector (the default)"
QUOTAS: tuple[Quota, ...] = (
    quota("kinesisanalyticsv2.applications", 50, 100, "applications", "guide: quotas"),
    quota("kinesisanalyticsv2.kpus", 32, 64, "KPUs per application", _GUIDE),
    quota("kinesisanalyticsv2.parallelism", 256, 256, "subtasks", _GUIDE),
    quota("kinesisanalyticsv2.parallelism_per_kpu", 8, 8, "subtasks per KPU", _GUIDE),
    quota("kinesisanalyticsv2.snapshots", 1000, 1000, "snapshots", "guide: quotas"),
    quota("kinesisanalyticsv2.checkpoint_interval", 60, 60, "s", "API: CheckpointConfiguration"),
    quota("kinesisanalyticsv2.scale_up_load", 75, 75, "% CPU", _GUIDE),
    quota("kinesisanalyticsv2.scale_up_time", 900, 900, "s", _GUIDE),
    quota("kinesisanalyticsv2.scale_down_load", 10, 10, "% CPU", _GUIDE),
    quota("kinesisanalyticsv2.scale_down_time", 21_600, 21_600, "s", _GUIDE),
    quota("kinesisanalyticsv2.sql", 1, 0, "SQL applications can be created", "guide: discontinued since October 2025"),
    quota("kinesisanalyticsv2.code_size", 102_400, 102_400, "bytes", "API: CodeContent (TextContent)"),
    assumed("kinesisanalyticsv2.read_interval", 0.2, "s", _FLINK + " between two reads of a shard", 0.05, 60),
    assumed("kinesisanalyticsv2.discovery_interval", 10, "s", _FLINK + " between two looks for new shards", 1, 3600),
    assumed("kinesisanalyticsv2.start_time", 60, "s", "STARTING", 0, 3600),
    assumed("kinesisanalyticsv2.stop_time", 20, "s", "STOPPING, with its snapshot", 0, 3600),
    assumed("kinesisanalyticsv2.update_time", 60, "s", "UPDATING and AUTOSCALING: nothing is read", 0, 3600),
    assumed("kinesisanalyticsv2.restart_time", 10, "s", "from a failure of the job to its restart", 0, 3600),
    assumed("kinesisanalyticsv2.checkpoint_time", 2, "s", "until a checkpoint is complete", 0, 600),
    assumed("kinesisanalyticsv2.record_time", 0.0005, "s", "of a whole KPU for one record", 0, 60),
    assumed("kinesisanalyticsv2.sql_interval", 1, "s", "between two reads of a shard by a SQL application", 0.2, 60),
)


def _application(row: Row, trace: Trace) -> str:
    return f"application {row.resource} is {str(row.detail).lower()}"


def _window(row: Row, trace: Trace) -> str:
    key, start, end, firing = row.detail
    again = f", for the {firing}th time" if firing > 1 else ""
    return f"the window [{start:g}, {end:g}) of {key!r} gave its result{again}"


EVENTS = (
    Event("ApplicationCreated", "application {resource} created by {actor}"),
    Event("ApplicationChanged", _application),
    Event("ApplicationDeleted", "application {resource} is gone"),
    Event("JobStarted", lambda row, trace: f"{row.resource} runs with {row.detail[0]} subtasks, from {row.detail[1]}"),
    Event("CheckpointCompleted", "checkpoint {detail} of {resource} is complete", counts="checkpoints"),
    Event("SnapshotTaken", "snapshot {detail} of {resource} is ready"),
    Event(
        "JobFailed",
        "{resource} failed: {detail}",
        label="job failed",
        notable="{resource} fails: {detail}. It goes back to its last checkpoint.",
        series="actor",
        big=True,
    ),
    Event(
        "ApplicationScaled",
        lambda row, trace: f"{row.resource} is scaled to {row.detail} subtasks: nothing is read meanwhile",
        label="scaled",
        notable="{resource} is scaled to {detail} subtasks; meanwhile it reads nothing.",
        big=True,
    ),
    Event("WindowFired", _window, counts="windows"),
    Event("RowRefused", "{resource} cannot read a record: {detail}", counts="refused"),
    Event(
        "LateRecord",
        "{resource} left a record of {detail[0]!r} out: its windows were closed",
        label="late record",
        notable="{resource} leaves a record of {detail[0]} out: it is late.",
        series="actor",
        counts="late",
    ),
)
