"""The scenario of lab 05: trucks that send their positions into a stream of shards, and applications that read it."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import Any

from lablib.actors.application import Application
from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.aws.event import Event
from lablib.aws.service import ServiceError
from lablib.cloud import Cloud
from lablib.gateway import AnswerLost
from lablib.kernel import Row
from lablib.scenarios.actions import Targets, action
from lablib.scenarios.missions import Curve, Met, all_busy, met_unless, mission, most_busy
from lablib.scenarios.param import choice, number, seconds, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage, always
from lablib.scenarios.stages import CONSUMERS, CRASHES, RESTART, SPREAD, WORK, shard_capacity
from lablib.texts import counted

STREAM = "positions"

# ---- what a run tells ------------------------------------------------------------------------------------------------


def shares(run: Run) -> dict[str, float]:
    """The part of all records that each shard took, by its name in the trace."""
    counts = Counter(row.resource for row in run.trace.where("RecordPut"))
    return {shard: count / counts.total() for shard, count in sorted(counts.items())}


def jumps_back(run: Run) -> list[Row]:
    """The positions that reached the map after a newer one of the same truck: their rows WorkEnded, in order."""
    return [run.trace[row] for row in run.measures.jumps_back(run.sender)]


def delays(run: Run, reader: str) -> list[float]:
    """Seconds from a record's arrival until a reader of that name ("dashboard-1") had it, for all that it read."""
    arrived: dict[str, list[float]] = defaultdict(list)
    for row in run.trace.where("RecordPut"):
        arrived[row.resource].append(row.time)
    found: list[float] = []
    for row in run.trace.where(("RecordsRead", "RecordsPushed")):
        if row.actor.rpartition(".")[0] == reader:
            first, count = row.detail[:2]
            found += [row.time - time for time in arrived[row.resource][first : first + count]]
    return found


def twice(run: Run) -> int:
    """Positions that were worked on more than once."""
    done = Counter(row.subject for row in run.trace.where("WorkEnded"))
    return sum(count > 1 for count in done.values())


# ---- missions --------------------------------------------------------------------------------------------------------


def _taken(run: Run) -> Counter[str]:
    """The bytes that each shard took."""
    found: Counter[str] = Counter()
    for row in run.trace.where("RecordPut"):
        found[row.resource] += row.detail[1]
    return found


def _refused(run: Run) -> int:
    return len(run.trace.where("WriteThrottled"))


@mission("05.six", "shards", "consumers")
def six_at_work(run: Run) -> Met:
    """More than five workers work at the same time."""
    return all_busy(run, 6)


@mission("05.hot", "key", "hot", "every")
def one_shard_full(run: Run) -> Met:
    """One shard refuses records while the whole stream takes less than half of what it could."""
    refused = run.trace.where("WriteThrottled")
    if not refused:
        most = max(_taken(run).values(), default=0) / (run.quotas["kinesis.shard_write"] * run.until)
        return f"no shard refused a record, the busiest took {100 * most:.2g} % of what it could"
    taken = _taken(run).total()
    limit = run.quotas["kinesis.shard_write"] * run.scenario.values()["shards"] * run.until
    return refused[0].time if taken < limit / 2 else f"the stream took {100 * taken / limit:.2g} % of what it could"


@mission("05.cure", "hot", "every", "key")
def cured(run: Run) -> Met:
    """One truck sends more than a shard takes, and nothing is refused."""
    values = run.scenario.values()
    load = values["hot"] * max(
        values["size"] / run.quotas["kinesis.shard_write"], 1 / run.quotas["kinesis.shard_records"]
    )
    near = {
        f"truck-1 sends {100 * load / values['every']:.2g} % of what a shard takes": load <= values["every"],
        f"{counted(_refused(run), 'record')} refused": _refused(run),
    }
    return met_unless(run, near)


@mission("05.again", "crash", "checkpoint", "shards")
def done_twice(run: Run) -> Met:
    """After a crash at least five positions are drawn a second time, and none is missing."""
    put = {row.subject for row in run.trace.where("RecordPut") if row.time < run.until - 30}
    drawn = {row.subject for row in run.trace.where("WorkEnded")}
    near = {
        "no worker crashed": not run.trace.where("Crashed"),
        "it counts without a replay": run.trace.where("Rewound"),
        f"{counted(twice(run), 'position')} drawn twice; crash a worker in the middle of a read": twice(run) < 5,
        f"{counted(len(put - drawn), 'position')} missing": put - drawn,
    }
    return met_unless(run, near)


@mission("05.replay", "replay")
def replayed(run: Run) -> Met:
    """Every position of the first half minute is drawn twice, and the stream still has them all."""
    first = {row.subject for row in run.trace.where("RecordPut") if row.time < 30}
    count: Counter[str] = Counter()
    for row in run.trace.where("WorkEnded"):
        count[row.subject] += 1
        if first and all(count[subject] > 1 for subject in first):
            return row.time
    again = sum(count[subject] > 1 for subject in first)
    late = "; do it earlier" if run.trace.where("Rewound") else ""
    return f"{again} of the {len(first)} positions were drawn a second time{late}"


# ---- the scenario ----------------------------------------------------------------------------------------------------


class TruckStream(Scenario):
    """Trucks send their positions into a stream, and workers draw them on a map.

    The partition key of a position decides into which shard it falls. A shard takes 1 MiB and 1,000 records a second,
    and is read by one worker. Records stay: dashboards read the same shards, each from a position of its own. The same
    seed brings the same positions and the same work.
    """

    duration = 90.0
    services = ("kinesis",)
    unit = "record"
    curve = Curve("behind", "positions not yet drawn")
    heavy = ("trucks", "every", "size", "hot")
    missions = (six_at_work, done_twice, replayed, one_shard_full, cured)

    shards: int = whole(5, 1, 20, "shards", aws="ShardCount", help="The shards with which the stream begins.")
    key: str = choice("truck", "constant", "random", aws="PartitionKey").says(
        "partition key", "The key of a position: the truck's id, the same for all, or a random one."
    )
    trucks: int = whole(100, 1, 200, "trucks", help="Trucks on the road.")
    every: float = seconds(5.0, 1.0, 60.0, step=0.5, live=True).says(
        "a position every", "How often a truck sends its position."
    )
    size: int = whole(12_000, 10, 100_000, "bytes", log=True, step=None, help="The size of a position.")
    hot: float = number(1.0, 1.0, 100.0, "times", step=1, live=True, log=True).says(
        "hot truck", "Truck-1 sends so many positions where the others send one."
    )
    consumers: int = CONSUMERS.but(default=5, high=20, unit="workers").says(
        "workers", "Programs of the application that draws the map."
    )
    work: float = WORK.but(default=0.15, high=10.0, help="Half of the positions take less than this, half take more.")
    spread: float = SPREAD.but(default=2.0)
    batch_size: int = whole(1000, 1, 10_000, "records", aws="Limit", log=True, step=None).says(
        "records a read", "How many records a worker asks for in one read."
    )
    checkpoint: int = whole(10, 1, 1000, "records", log=True, step=None).says(
        "checkpoint every", "After so many records a worker notes how far it is, and at the end of each read."
    )
    crashes: float = CRASHES.but(high=0.1, step=0.005).says(
        "crashes", "The chance that a worker crashes while it works on a position."
    )
    restart: float = RESTART
    dashboards: int = whole(0, 0, 6, "dashboards", help="Further applications that read every shard, and only look.")
    pipes: str = choice("shared", "own", aws="SubscribeToShard").says(
        "dashboards read by", "Shared: they poll, and share 2 MiB/s and five reads a second. Own: enhanced fan-out."
    )
    polls: float = number(1.0, 0.2, 5.0, "a second", step=0.2).says(
        "polls", "How often a dashboard polls each shard, when it shares."
    )

    def lens(self, run: Run) -> dict[str, Any]:
        """The map that the workers draw. Each truck has a hue."""
        return {"painter": "map", "hues": "sender"}

    def results(self, run: Run) -> dict[str, int]:
        """The shards, and what became of order and repetition."""
        found = {
            "most workers at work": most_busy(run),
            "records refused": sum(row.detail for row in run.trace.where("WriteThrottled")),
            "positions lost": len(run.trace.where("PositionLost")),
            "jumps back": len(jumps_back(run)),
            "positions drawn twice": twice(run),
            "share of the busiest shard, %": round(100 * max(shares(run).values(), default=0)),
        }
        reads = {"reads refused": len(run.trace.where("ReadThrottled"))}
        return found | (reads if run.scenario.values()["dashboards"] else {})

    def assume(self) -> dict[str, float]:
        return {"kinesis.create_time": 0.0}

    def bytes_stored(self, until: float, bursts: int) -> float:
        """What the trucks send: the shards may accept it all."""
        return ((self.trucks - 1 + self.hot) / self.every * until + bursts) * self.size

    def build(self, cloud: Cloud) -> Stage:
        return _StreamStage(cloud, self)


class _StreamStage(Stage):
    worker = "worker"
    events = (
        Event(
            "PositionLost",
            "{actor} gave up a position that the stream had refused",
            label="lost",
            notable="{actor} gives up a position that the stream refused: it is lost.",
            series="all",
            counts="lost",
            big=True,
        ),
        Event("LeaseTaken", "{actor} reads {resource} from here on"),
        Event("Rewound", "the application begins at the oldest record again", label="replay",
              notable="The application goes back to the oldest records.", big=True),
    )  # fmt: skip

    def __init__(self, cloud: Cloud, scenario: TruckStream) -> None:
        super().__init__(cloud, scenario)
        self.kinesis = cloud.direct("kinesis")
        self._sent: Counter[str] = Counter()
        self.ask("kinesis", "create_stream", stream_name=STREAM, shard_count=scenario.shards)
        self.stream = cloud.service("kinesis").stream(STREAM)
        self.application = Application(cloud.kernel, cloud.trace, self.kinesis, STREAM, self.values, self.draw)
        self.place("workers", "Workers", "consumer", "worker-*")
        for n in range(1, scenario.dashboards + 1):
            self.place(f"dashboard-{n}", f"Dashboard {n}", "consumer", f"dashboard-{n}.*")
        rate = always(lambda: scenario.trucks / self.values["every"])
        self.front_end(self.handle, rate, to=[], steady=True, label="Trucks", match="truck-*")
        self.show_shards()
        if scenario.pipes == "own":
            cloud.kernel.after(0.0, self._register)  # as soon as the stream is active
        self.fleet("worker", "Workers", self.application.serve, on=self._first, id="workers", gives_back=False)

    # ---- shards ------------------------------------------------------------------------------------------------------

    def show_shards(self) -> None:
        """Give each shard that has none a place, and readers. What feeds it changes with it: one that is closed gets
        nothing more.
        """
        for shard in self.stream.shards.values():
            name = f"{STREAM}/{shard.id}"
            if shard.id not in self.application.leases:
                self.application.add_shard(shard.id, shard.parents)
                self._first = self.place(name, f"Shard {shard.number}", "shard", name)
                self.link("front-end", name, capacity=shard_capacity(self.cloud, self.values["size"]), unit="records/s")
                self.link(name, "workers")
                for n in range(1, self.values["dashboards"] + 1):
                    read = self._subscribe if self.values["pipes"] == "own" else self._poll
                    self.link(name, f"dashboard-{n}")
                    self.cloud.spawn(read, n, shard.id, name=f"dashboard-{n}.{shard.number}")
            elif shard.end is not None:
                self.unlink("front-end", name)

    def open_shards(self) -> list[str]:
        """The shards that can be split now."""
        return [f"shard-{shard.number}" for shard in self.stream.open_shards]

    def possible_shards(self) -> list[str]:
        """All that there could be."""
        return [f"shard-{n}" for n in range(64)]

    @action(
        "Split a shard",
        "It takes half a minute. Then the shard is closed, and two new ones take half of its range each.",
        targets=Targets(open_shards, possible_shards),
    )
    def split(self, shard: str) -> None:
        """Split a shard in the middle of its range. Nothing happens while another is split."""
        found = next((s for s in self.stream.open_shards if f"shard-{s.number}" == shard), None)
        if found and self.stream.status == "ACTIVE":
            middle = str((found.low + found.high + 1) // 2)
            self.ask(
                "kinesis", "split_shard", stream_name=STREAM, shard_to_split=found.id, new_starting_hash_key=middle
            )
            self.cloud.kernel.after(self.cloud.quotas["kinesis.reshard_time"], self.show_shards)

    # ---- trucks ------------------------------------------------------------------------------------------------------

    def handle(self, number: int) -> None:
        """The trucks take turns, so that each sends at its own moment of the interval. The hot one sends more."""
        truck = (number - 1) % self.values["trucks"]
        self._send(truck, int(self.values["hot"]) if truck == 0 else 1)

    def handle_burst(self, keys: list[str]) -> None:
        """The trucks have come out of a tunnel: each sends what it has kept, one position after the other."""
        trucks = self.values["trucks"]
        for truck in range(min(trucks, len(keys))):
            self._send(truck, len(keys[truck::trucks]))

    def _send(self, truck: int, count: int) -> None:
        name = f"truck-{truck + 1}"
        self.cloud.spawn(self._drive, name, count, name=name)

    def _drive(self, truck: str, count: int) -> None:
        """Send positions one after the other. One that is refused three times is given up."""
        for _ in range(count):
            self._sent[truck] += 1
            data = f"{truck}:{self._sent[truck]}".encode().ljust(self.values["size"], b".")
            params: dict[str, Any] = {"StreamName": STREAM, "Data": data, "PartitionKey": self._key(truck)}
            if call_with_retries(self.cloud.kernel, self.kinesis.put_record, **params) is None:
                self.cloud.trace.add("PositionLost", actor=truck)

    def _key(self, truck: str) -> str:
        kinds = {"truck": truck, "constant": "trucks"}
        return kinds.get(self.values["key"]) or self.cloud.chance.uuid("keys")

    # ---- readers -----------------------------------------------------------------------------------------------------

    def draw(self, worker: Worker, record: dict[str, Any], row: int) -> None:
        """Draw a position on the map. The worker may crash meanwhile."""
        number = record["SequenceNumber"]
        keyed, kernel = self.cloud.chance.keyed, self.cloud.kernel
        time, crash = self.work_seconds(record["Data"].decode().rstrip(".")), None
        if keyed("crash", f"{number}/{row}") < self.values["crashes"]:
            crash = kernel.after(round(time * keyed("moment of the crash", number), 6), self.crash, worker.name)
        try:
            worker.work(worker.name, number, row, time)
        finally:
            if crash:
                crash.cancel()

    def _poll(self, dashboard: int, shard: str) -> None:
        """Look at what a shard has, again and again."""
        kernel, iterator = self.cloud.kernel, ""
        where = {"StreamName": STREAM, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        while True:
            try:
                iterator = iterator or self.kinesis.get_shard_iterator(**where)["ShardIterator"]
                answer = self.kinesis.get_records(ShardIterator=iterator)
                iterator = answer.get("NextShardIterator", "")
                if not iterator:
                    return
            except (ServiceError, AnswerLost):
                pass
            kernel.sleep(1 / self.values["polls"])

    def _register(self) -> None:
        """As many at a time as AWS takes: five calls a second, five consumers in CREATING."""
        for n in range(1, self.values["dashboards"] + 1):
            params = {"stream_arn": self.stream.arn, "consumer_name": f"dashboard-{n}"}
            ask = partial(self.ask, "kinesis", "register_stream_consumer", **params)
            if n > 5:
                self.cloud.kernel.after((n - 1) // 5 * self._registering, ask)
            else:
                ask()

    @property
    def _registering(self) -> float:
        """Seconds until the next can be registered."""
        return max(1.0, self.cloud.quotas["kinesis.register_time"])

    def _subscribe(self, dashboard: int, shard: str) -> None:
        """Take what a shard sends, and subscribe again when a subscription is over."""
        kernel, start = self.cloud.kernel, {"Type": "TRIM_HORIZON"}
        kernel.sleep(2 * self._registering)
        consumer = self.stream.consumers[f"dashboard-{dashboard}"]
        while True:
            try:
                answer = self.kinesis.subscribe_to_shard(
                    ConsumerARN=consumer.arn, ShardId=shard, StartingPosition=start
                )
                for event in answer["EventStream"]:
                    news = event["SubscribeToShardEvent"]
                    start = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": news["ContinuationSequenceNumber"]}
                    if "ChildShards" in news:
                        return
            except (ServiceError, AnswerLost):
                kernel.sleep(1.0)

    @action("Replay", "The workers forget how far they were, and begin at the oldest record again.", at="workers")
    def replay(self) -> None:
        """Rewind the application."""
        self.cloud.trace.add("Rewound", STREAM)
        self.application.rewind()


SCENARIOS: dict[str, type[Scenario]] = {"TruckStream": TruckStream}
