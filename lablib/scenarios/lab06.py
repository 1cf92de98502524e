"""The scenario of lab 06: turnstiles of a ski lift, whose records go through a stream, through Firehose, or both."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from lablib.actors.arrivals import spike
from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.aws.event import Event
from lablib.aws.service import Request, ServiceError
from lablib.cloud import Cloud
from lablib.gateway import AnswerLost, Fault
from lablib.scenarios.actions import action
from lablib.scenarios.lab06_told import (
    DELIVERY,
    MIB,
    attempts,
    delivery_waits,
    lost,
    objects,
    picture,
    stream_waits,
)  # fmt: skip
from lablib.scenarios.missions import Curve, Met, Mission, changed, met_unless, mission
from lablib.scenarios.param import choice, duration_of, number, seconds, share, switch, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage
from lablib.scenarios.stages import shard_capacity
from lablib.scenarios.topology import ROLES, Role
from lablib.services import quota_values
from lablib.texts import counted

STREAM, BUCKET, BACKUP = "riders", "lift-riders", "lift-riders-backup"
HOURS = 730  # of a month
GATES = 4  # turnstiles at the lift
POLL = 0.2  # seconds between two reads of the shard: five a second are allowed
_RUSH = 120.0, 80.0  # when the rush begins, and how long it lasts
_OUTAGE, _LONG_OUTAGE = 90.0, 3600.0  # when S3 goes away
ROLES["buffer"] = Role(30, weight=2.9)
ROLES["shelf"] = Role(60, weight=2.4)

# ---- prices and roles ------------------------------------------------------------------------------------------------


def monthly(way: str, records: int, size: int, quotas: Mapping[str, Any] | None = None) -> float:
    """Dollars for a month of so many records a second of `size` bytes: by "stream" (provisioned shards), "firehose" or
    "both". Prices: the price lists of us-east-1, without S3 and without programs."""
    prices = quotas or quota_values()
    shards = max(1, -(-records * size // prices["kinesis.shard_write"]), -(-records // prices["kinesis.shard_records"]))
    million = records * 3600 * HOURS / 1e6
    units = -(-size // prices["kinesis.price_unit"])
    stream = shards * prices["kinesis.price_shard_hour"] * HOURS + million * units * prices["kinesis.price_put"]
    rounded = -(-size // prices["firehose.price_unit"]) * prices["firehose.price_unit"]
    firehose = million * 1e6 * rounded / (1 << 30) * prices["firehose.price_gb"]
    return float({"stream": stream, "firehose": firehose, "both": stream + firehose}[way])


def firehose_role(cloud: Cloud, service: str = "firehose") -> str:
    """The ARN of a role as which Firehose (or another service) may do everything in this account."""
    ask, iam, name = Request("you", -1, cloud.chance.stream("scene")), cloud.service("iam"), f"{service}-role"
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trusted, allowed = (json.dumps({"Version": "2012-10-17", "Statement": [each]}) for each in (trust, may))
    try:
        iam.operation("create_role")(ask, role_name=name, assume_role_policy_document=trusted)
    except ServiceError:
        pass  # it is there already
    iam.operation("put_role_policy")(ask, role_name=name, policy_name="all", policy_document=allowed)
    return f"arn:aws:iam::{iam.world.account}:role/{name}"


# ---- missions --------------------------------------------------------------------------------------------------------


@mission("06.full", "rate", "buffer_size")
def always_full(run: Run) -> Met:
    """At least five objects, and each of them left because the buffer was full."""
    reasons = [why for _, why in objects(run)]
    early = sum(why != "size" for why in reasons)
    near = {f"{early} of {counted(len(reasons), 'object')} left before the buffer was full": early}
    return met_unless(run, near | {counted(len(reasons), "object"): len(reasons) < 5})


@mission("06.goal", "buffer_size", "buffer_time", "rate")
def large_and_fresh(run: Run) -> Met:
    """With the load as it is given, no object is smaller than 1 MiB, and no record waits longer than two minutes."""
    sizes, waits = [row.detail["bytes"] for row, _ in objects(run)], [wait for _, wait, _ in delivery_waits(run)]
    smallest, longest = min(sizes, default=0), max(waits, default=0.0)
    near = {
        counted(len(sizes), "object"): len(sizes) < 3,
        f"the smallest object has {smallest / MIB:.2f} MiB": smallest < MIB,
        f"a record waited for {longest:.0f} s": longest > 120,
    }
    return changed(run, "rate", "size", "rush", "way", "outage", "transform") or met_unless(run, near)


@mission("06.outage", "outage", "buffer_size")
def caught_up(run: Run) -> Met:
    """S3 does not answer; afterwards an object arrives that is twice as large as the buffer, and nothing is lost."""
    most = 2 * run.scenario.values()["buffer_size"] * MIB
    if not attempts(run) or lost(run):
        return f"{counted(len(lost(run)), 'record')} lost" if attempts(run) else "S3 answered all the time"
    largest = max((row.detail["bytes"] for row, _ in objects(run)), default=0)
    near = f"the largest object has {largest / MIB:.1f} MiB"
    return next((row.time for row, _ in objects(run) if row.detail["bytes"] >= most), near)


@mission("06.poison", "transform", "poison")
def set_aside(run: Run) -> Met:
    """Records that cannot be transformed lie under the error prefix, and the others in the bucket."""
    aside = objects(run, "errors")
    good = [row.time for row, _ in objects(run)]
    if not aside or not good:
        return "there is no object in the bucket" if aside else "nothing was set aside"
    return max(aside[0][0].time, good[0])


@mission("06.replay", "way", "replay")
def read_again(run: Run) -> Met:
    """Your code gets the first hundred riders twice. S3 has each once: the broken ones under the error prefix."""
    first = [row.subject for row in run.trace.where("RecordPut")[:100]]
    read: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    for row in run.trace.where(("WorkEnded", "RecordDelivered")):
        if row.kind == "WorkEnded":
            read[row.subject] += 1
        elif row.resource in (DELIVERY, f"{DELIVERY}/errors"):
            stored[row.subject] += 1
        if len(first) == 100 and all(read[subject] > 1 and stored[subject] == 1 for subject in first):
            return row.time
    again, once = sum(read[subject] > 1 for subject in first), sum(stored[subject] == 1 for subject in first)
    return f"your code got {again} of them twice, and S3 has {once} once"


# ---- the scenario ----------------------------------------------------------------------------------------------------


class SkiLift(Scenario):
    """Riders of a ski lift: read at once, or delivered in portions.

    Each rider who passes is a record. A stream keeps it, and a program of yours reads it. Firehose collects records in
    a buffer, and writes an object to S3 when the buffer is full or old enough. After two minutes comes a rush. The same
    seed brings the same riders.
    """

    duration = 300.0
    services = ("firehose", "kinesis")
    unit = "record"
    heavy = ("rate", "rush", "size")
    curve = Curve("waiting", "records not yet delivered")
    missions: ClassVar[tuple[Mission, ...]] = (always_full, large_and_fresh, caught_up, set_aside, read_again)

    way: str = choice("firehose", "stream", "both").says(
        "records go through", "Firehose alone, a stream that your code reads, or a stream that both read."
    )
    rate: float = number(2.0, 0.1, 40.0, "riders/s", step=0.1, live=True, log=True).says(
        "riders", "Riders that pass a second, at random."
    )
    rush: float = number(4.0, 1.0, 10.0, "times", step=0.5).says(
        "rush", "From 120 s to 200 s so many times as many riders come. 1: no rush."
    )
    size: int = whole(6_000, 100, 200_000, "bytes", log=True, step=None, help="The size of a record.")
    buffer_size: int = whole(1, 1, 128, "MiB", aws="SizeInMBs", log=True, step=None).says(
        "buffer size", "The buffer closes when so much is in it."
    )
    buffer_time: int = whole(60, 60, 900, "s", aws="IntervalInSeconds", log=True, step=None).says(
        "buffer time", "The buffer closes so long after its first record."
    )
    transform: bool = switch(False, aws="ProcessingConfiguration").says(
        "transform", "A Lambda function takes the rider's name out of each record."
    )
    poison: float = share(0.0, step=0.01).says(
        "broken records", "The chance that a turnstile sends half a record. 10 %: one in ten."
    )
    backup: bool = switch(False, aws="S3BackupMode").says("backup", "Firehose copies every record to a second bucket.")
    outage: float = seconds(0.0, 0.0, 1800.0, step=10).says(
        "S3 does not answer for", "From 90 s on, S3 refuses each object for so long."
    )

    @property
    def away(self) -> tuple[float, float]:
        """From when until when S3 refuses each object, in seconds."""
        return _OUTAGE, _OUTAGE + self.outage

    def lens(self, run: Run) -> dict[str, Any]:
        """How long records waited, on one axis from a tenth of a second to a quarter of an hour, or to days."""
        return {"painter": "clouds", "hues": "sender"} | picture(run)

    def results(self, run: Run) -> dict[str, int]:
        """What arrived where, and how large the objects are."""
        written = objects(run)
        found = {"riders": len(run.trace.where(("RecordAccepted", "RecordPut")))}
        if self.way != "firehose":
            found |= {"read by your code": len(stream_waits(run))}
        if self.way != "stream":
            sizes = sorted(row.detail["bytes"] for row, _ in written)
            found |= {
                "objects in S3": len(sizes),
                "closed by size": sum(why == "size" for _, why in written),
                "smallest object, kB": round(sizes[0] / 1000) if sizes else 0,
                "records in S3": sum(row.detail["records"] for row, _ in written),
                "records set aside": sum(row.detail["records"] for row, _ in objects(run, "errors")),
            }
        return found | {"records lost": len(lost(run))}

    def assume(self) -> dict[str, float]:
        return {"kinesis.create_time": 0.0, "firehose.create_time": 0.0}

    def bytes_stored(self, until: float, bursts: int) -> float:
        """What riders send, or what the stream, or Firehose itself, accepts when that is less."""
        rushed = (self.rush - 1) * min(max(until - _RUSH[0], 0), _RUSH[1])
        accepted = (5 if self.way == "firehose" else 1) * MIB * until
        return min((self.rate * (until + rushed) + bursts) * self.size, accepted)

    def build(self, cloud: Cloud) -> Stage:
        return _LiftStage(cloud, self)


def _like(name: str, **changes: Any) -> Any:
    """A parameter of the lift with other numbers."""
    return SkiLift.params()[name].but(**changes)


class LongOutage(SkiLift):
    """A bucket that refuses every object for hours.

    Firehose keeps what it cannot deliver, and tries again, for at most 24 hours. A rider comes every few minutes.
    """

    duration = 30 * 3600.0
    missions = ()

    rate: float = _like("rate", default=0.005, low=0.001, high=0.1, step=0.001)
    rush: float = _like("rush", default=1.0)
    buffer_time: int = _like("buffer_time", default=300)
    outage: float = number(25.0, 0.0, 28.0, "h", step=0.5).says(
        "S3 does not answer for", "From one hour on, S3 refuses each object for so long."
    )

    @property
    def away(self) -> tuple[float, float]:
        """From when until when S3 refuses each object, in seconds."""
        return _LONG_OUTAGE, _LONG_OUTAGE + self.outage * 3600


class _LiftStage(Stage):
    events = (
        Event(
            "RiderLost", "{actor} gave up a record that was refused", label="lost", series="all", counts="lost",
            notable="{actor} gives up a record that was refused: it is lost.", big=True,
        ),
        Event("Rewound", "your program begins at the oldest record again", label="replay",
              notable="Your program goes back to the oldest record.", big=True),
    )  # fmt: skip

    def __init__(self, cloud: Cloud, scenario: SkiLift) -> None:
        super().__init__(cloud, scenario)
        self.kinesis, self.firehose = cloud.direct("kinesis"), cloud.direct("firehose")
        self._riders, self._turn, self._noted = 0, 0, ""
        way, load = scenario.way, spike(scenario.rate, scenario.rush, *_RUSH)
        self.place("turnstiles", "Turnstiles", "producer", "turnstile-*")
        if way != "firehose":
            self._make_stream()
        if way != "stream":
            self._make_delivery(scenario)
        to = [] if way == "both" else ["buffer"] if way == "firehose" else []
        self.front_end(self.handle, self._load(load), to=to, id="turnstiles")
        if way != "firehose":
            self.link("turnstiles", self._shard, capacity=shard_capacity(cloud, scenario.size), unit="records/s")

    def _load(self, load: Any) -> Any:
        """The riders, also when their rate is changed during the run."""
        first = self.values["rate"]

        def at(now: float) -> tuple[float, float]:
            rate, until = load(now)
            return rate * self.values["rate"] / first, until

        return at

    def _make_stream(self) -> None:
        self.ask("kinesis", "create_stream", stream_name=STREAM, shard_count=1)
        (shard,) = self.cloud.service("kinesis").stream(STREAM).shards.values()
        self._shard = self.place(f"{STREAM}/{shard.id}", "Stream", "shard", f"{STREAM}/{shard.id}")
        self._where = {"StreamName": STREAM, "ShardId": shard.id}
        self.fleet("reader", "Your code", self.read, on=self._shard, size=1, id="code", gives_back=False)

    def _make_delivery(self, scenario: SkiLift) -> None:
        for bucket in (BUCKET, BACKUP):
            self.ask("s3", "create_bucket", bucket=bucket)
        to: dict[str, Any] = {
            "RoleARN": firehose_role(self.cloud),
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "Prefix": "riders/",
            "ErrorOutputPrefix": "errors/",
            "BufferingHints": {"SizeInMBs": scenario.buffer_size, "IntervalInSeconds": scenario.buffer_time},
        }
        self.place("buffer", "Firehose", "buffer", DELIVERY)
        self.place("bucket", "S3 riders/", "shelf", row=0)
        self.link("buffer", "bucket")
        if scenario.transform:
            to["ProcessingConfiguration"] = self._transform()
            self.place("errors", "S3 errors/", "shelf", row=1)
            self.link("buffer", "errors")
        if scenario.backup:
            copy = {key: to[key] for key in ("RoleARN", "BufferingHints")} | {"BucketARN": f"arn:aws:s3:::{BACKUP}"}
            to |= {"S3BackupMode": "Enabled", "S3BackupConfiguration": copy}
            self.place("backup", "Backup bucket", "shelf", row=2)
            self.link("buffer", "backup")
        source: dict[str, Any] = {"delivery_stream_type": "DirectPut"}
        if scenario.way == "both":
            arn = self.cloud.service("kinesis").stream(STREAM).arn
            settings = {"KinesisStreamARN": arn, "RoleARN": firehose_role(self.cloud)}
            source = {
                "delivery_stream_type": "KinesisStreamAsSource",
                "kinesis_stream_source_configuration": settings,
            }
            self.link(self._shard, "buffer")
        made = {"delivery_stream_name": DELIVERY, "extended_s3_destination_configuration": to}
        self.cloud.kernel.after(0.0, lambda: self.ask("firehose", "create_delivery_stream", **source, **made))
        begin, end = scenario.away
        if end > begin:
            self.cloud.faults.add(Fault("throttle", ("PutObject",), "firehose/*", begin, end))

    def _transform(self) -> dict[str, Any]:
        arn = self.cloud.deploy("take-names-out", made_clean, timeout=60)
        names = {"LambdaArn": arn, "NumberOfRetries": "3", "BufferSizeInMBs": "1", "BufferIntervalInSeconds": "60"}
        parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in names.items()]
        return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}

    # ---- riders ------------------------------------------------------------------------------------------------------

    def handle(self, number: int) -> None:
        """A rider passes one of the turnstiles."""
        gate = f"turnstile-{1 + number % GATES}"
        self.cloud.spawn(self._pass, gate, number, name=gate)

    def handle_burst(self, keys: list[str]) -> None:
        """A ski school comes."""
        for n in range(len(keys)):
            self.handle(n)

    def _pass(self, gate: str, number: int) -> None:
        self._riders += 1
        keyed = self.cloud.chance.keyed
        body = json.dumps({"gate": gate, "rider": f"rider {number}", "at": round(self.cloud.now, 3), "photo": ""})
        data = body[:-2].ljust(self.values["size"] - 2, ".") + body[-2:]
        if keyed("broken", str(number)) < self.values["poison"]:
            data = data[: len(data) // 2]
        params: dict[str, Any]
        if self.values["way"] == "firehose":
            call, params = self.firehose.put_record, {"DeliveryStreamName": DELIVERY, "Record": {"Data": data.encode()}}
        else:
            call = self.kinesis.put_record
            params = {"StreamName": STREAM, "Data": data.encode(), "PartitionKey": gate}
        if call_with_retries(self.cloud.kernel, call, **params) is None:
            self.cloud.trace.add("RiderLost", actor=gate)

    # ---- your code ---------------------------------------------------------------------------------------------------

    def read(self, worker: Worker) -> None:
        """Read the shard five times a second, work on what comes, and note how far that is."""
        turn, iterator = self._turn, ""
        while not worker.stopping:
            try:
                if not iterator or turn != self._turn:
                    turn, iterator = self._turn, self._iterator()
                answer = self.kinesis.get_records(ShardIterator=iterator)
                iterator = answer["NextShardIterator"]
            except (ServiceError, AnswerLost):
                iterator = ""
                worker.hold(1.0)
                continue
            row = self.cloud.trace.latest(("RecordsRead",), worker.name, 1)[0] if answer["Records"] else -1
            for record in answer["Records"]:
                if turn == self._turn:
                    worker.work(worker.name, record["SequenceNumber"], row, 0.002)
                    self._noted = record["SequenceNumber"] if turn == self._turn else ""
            worker.hold(POLL)

    def _iterator(self) -> str:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._noted:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._noted}
        return str(self.kinesis.get_shard_iterator(**self._where, **start)["ShardIterator"])

    def _reads(self) -> bool:
        return self.values["way"] != "firehose"

    @action(
        "Replay", "Your program forgets how far it was, and begins at the oldest record again.", when=_reads, at="code"
    )
    def replay(self) -> None:
        """Rewind the program."""
        self.cloud.trace.add("Rewound", STREAM)
        self._turn, self._noted = self._turn + 1, ""

    @action(
        "S3 does not answer", "Firehose tries again, with longer and longer pauses.", duration_of(60.0),
        when=lambda stage: stage.values["way"] != "stream", at="bucket",
    )  # fmt: skip
    def s3_away(self, seconds: float) -> None:
        """S3 refuses each object for `seconds`."""
        now = self.cloud.now
        self.cloud.faults.add(Fault("throttle", ("PutObject",), "firehose/*", now, now + seconds))


def made_clean(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The transform: it takes the rider's name out of each record. A Lambda function, as Firehose calls it."""
    results = []
    for record in event["records"]:
        try:
            rider = json.loads(b64decode(record["data"]))
            data = (json.dumps(rider | {"rider": ""}) + "\n").encode()
            result = "Ok"
        except ValueError:
            data, result = b64decode(record["data"]), "ProcessingFailed"
        results.append({"recordId": record["recordId"], "result": result, "data": b64encode(data).decode()})
    return {"records": results}


SCENARIOS: dict[str, type[Scenario]] = {"SkiLift": SkiLift, "LongOutage": LongOutage}
