"""What a delivery stream of Data Firehose did: CloudWatch's measures, read from the trace of one run."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from lablib.kernel import Row, Trace
from lablib.measures.series import Series, ages, percentile, steps

_COMES = ("RecordAccepted", "RecordTaken")
_GOES = ("RecordDelivered", "RecordDropped", "RecordFailed", "RecordLost")


class Deliveries:
    """The records of the delivery stream `name`, and how they were delivered, up to the time `until`."""

    def __init__(self, trace: Trace, name: str, until: float) -> None:
        self._until = until
        self._rows = trace.where((*_COMES, *_GOES, "BatchDelivered", "DeliveryFailed"), name)

    def _of(self, *kinds: str) -> list[Row]:
        return [row for row in self._rows if row.kind in kinds]

    @property
    def data_freshness(self) -> Series:
        """The age of the oldest record that is not delivered yet (DeliveryToS3.DataFreshness), in seconds."""
        changes = [(row.time, row.subject, row.kind in _COMES) for row in self._of(*_COMES, *_GOES)]
        return Series("data_freshness", "age of oldest record", "s", *ages(changes, self._until), "line")

    @property
    def buffered(self) -> Series:
        """The bytes that were accepted and are not delivered yet."""
        sizes = {row.subject: row.detail for row in self._of(*_COMES)}
        changes = [(r.time, sizes[r.subject] * (1 if r.kind in _COMES else -1)) for r in self._of(*_COMES, *_GOES)]
        return Series("buffered", "buffered", "bytes", *steps(changes, self._until))

    def success(self, period: float = 60.0) -> Series:
        """The share of attempts that succeeded in each `period` of seconds in which there was one
        (DeliveryToS3.Success)."""
        found: dict[int, list[bool]] = {}
        for row in self._of("BatchDelivered", "DeliveryFailed"):
            found.setdefault(int(row.time / period), []).append(row.kind == "BatchDelivered")
        times = [number * period for number in found]
        values = [sum(done) / len(done) for done in found.values()]
        t, y = [*times, self._until], [*values, values[-1] if values else 0.0]
        return Series("success", "successful attempts", "", array("d", t), array("d", y))

    @property
    def latencies(self) -> list[float]:
        """For each delivered record, the seconds from its arrival until it was delivered."""
        arrived = {row.subject: row.time for row in self._of(*_COMES)}
        return [row.time - arrived[row.subject] for row in self._of("RecordDelivered")]

    @property
    def median_latency(self) -> float:
        """The median of the latencies; nan without any."""
        return percentile(self.latencies, 50)

    def count(self, *kinds: str) -> int:
        """How many records had this happen to them, such as "RecordDelivered" or "RecordLost"."""
        return len(self._of(*kinds))

    def objects(self) -> Iterable[Row]:
        """The rows of the batches that were delivered: `detail` has to, records, bytes, attempts and age."""
        return self._of("BatchDelivered")
