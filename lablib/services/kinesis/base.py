"""What all operations of Kinesis Data Streams share: how streams are found, who may do what, and rates of calls."""

from __future__ import annotations

import inspect
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import Handler, Request, Service, ServiceError, Target, TokenBucket, World, count_of, named
from lablib.services.kinesis.checks import argument, check, in_use, not_found, too_much
from lablib.services.kinesis.fanout import Consumer
from lablib.services.kinesis.iterators import parse
from lablib.services.kinesis.stream import Stream

Document = dict[str, Any]
_RATES = {  # calls a second for an account (API reference, at each operation)
    "create_stream": 5, "delete_stream": 5, "list_streams": 5, "describe_stream": 10, "describe_stream_summary": 20,
    "describe_limits": 1, "split_shard": 5, "merge_shards": 5, "update_shard_count": 10, "add_tags_to_stream": 5,
    "remove_tags_from_stream": 5, "list_tags_for_stream": 5, "register_stream_consumer": 5,
    "deregister_stream_consumer": 5, "describe_stream_consumer": 20, "list_stream_consumers": 5,
    "increase_stream_retention_period": 5, "decrease_stream_retention_period": 5,
}  # fmt: skip


def _stored(answer: Document) -> int:
    """How many records PutRecords took: the others failed in place."""
    return len(answer["Records"]) - int(answer["FailedRecordCount"])


class KinesisBase(Service):
    """Kinesis Data Streams in one region of one account."""

    name = "kinesis"
    batches = frozenset(("PutRecords",))
    fresh_answers = frozenset(("PutRecord", "PutRecords", "GetRecords"))
    counts = {"GetRecords": count_of("Records"), "PutRecords": _stored}
    arn_parameter = "stream_arn"
    throttle = ("LimitExceededException", "Rate exceeded for account. Please try again later.")

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.streams: dict[str, Stream] = {}
        self._serial = 0
        self._iterators = 0  # how many were given out
        self._dated = math.nan, self._date(0)  # an instant, and its date
        self._rates: dict[str, TokenBucket] = {}

    # ---- from inside -------------------------------------------------------------------------------------------------

    def stream(self, name: str) -> Stream:
        """The stream itself, to look into. Raises KeyError when there is none."""
        return named("stream", name, self.streams)

    # ---- for the front door ------------------------------------------------------------------------------------------

    def operation(self, name: str) -> Handler:
        """The operation, behind what all have in common: constraints, the stream by name or ARN, the rate of calls."""
        known = self.operations.get(name)
        if known:
            return known
        handler, rate = super().operation(name), _RATES.get(name)
        about_stream = "stream" in inspect.signature(handler).parameters

        @wraps(handler)
        def checked(request: Request, **params: Any) -> Document:
            check(name, params)
            if about_stream:
                params["stream"] = self._stream(params.pop("stream_name", None), params.pop("stream_arn", None))
            if rate:
                bucket = self._rates.get(name) or self._rates.setdefault(name, TokenBucket(rate, rate, self.now))
                if not bucket.ready(self.now):
                    raise too_much(f"Rate exceeded for account {self.world.account}.")
                bucket.take()
            return handler(request, **params)

        self.operations[name] = checked
        return checked

    def check_parameters(self, name: str, params: Document) -> None:
        """An operation with a parameter `stream` takes the stream's name or ARN."""
        taken = inspect.signature(self.operation(name)).parameters
        named = ("stream_name", "stream_arn") if "stream" in taken else ()
        super().check_parameters(name, {key: value for key, value in params.items() if key not in named})

    # ---- shared by the operations ------------------------------------------------------------------------------------

    def _stream(self, name: str | None, arn: str | None) -> Stream:
        """The stream of that name or ARN. Raises InvalidArgumentException or ResourceNotFoundException."""
        if arn is not None:
            named = arn.partition(":stream/")[2]
            if name is not None and name != named:
                raise argument(f"StreamARN {arn} does not match StreamName {name}.")
            name = named
        if name is None:
            raise argument("Either StreamName or StreamARN must be provided.")
        stream = self.streams.get(name)
        if stream is None:
            raise not_found(f"Stream {name} under account {self.world.account} not found.")
        return stream

    def _check_active(self, stream: Stream) -> None:
        """Raise ResourceInUseException unless the stream is ACTIVE."""
        if stream.status != "ACTIVE":
            where = f"Stream {stream.name} under account {self.world.account}"
            raise in_use(f"{where} not ACTIVE, instead in state {stream.status}")

    def _consumer(self, arn: str | None, stream_arn: str | None = None, name: str | None = None) -> Consumer:
        """The registered consumer with that ARN, or of that name at a stream. Raises ResourceNotFoundException."""
        if arn is None and (stream_arn is None or name is None):
            raise argument("Either ConsumerARN or both StreamARN and ConsumerName must be provided.")
        named = arn.partition(":stream/")[2].partition("/")[0] if arn else None
        stream = self._stream(named, stream_arn)
        for consumer in stream.consumers.values():
            if arn in (None, consumer.arn) and name in (None, consumer.name):
                return consumer
        shown = name or str(arn).rpartition("/")[2].partition(":")[0]
        raise not_found(f"Consumer {shown}, account {self.world.account} not found.")

    def _date(self, time: float) -> datetime:
        return datetime.fromtimestamp(self.world.kernel.epoch + time, UTC)

    def _virtual(self, date: datetime | float) -> float:
        """Virtual seconds of a date that the caller gives."""
        stamp = date if isinstance(date, (int, float)) else date.timestamp()
        return float(stamp) - self.world.kernel.epoch

    # ---- lists -------------------------------------------------------------------------------------------------------

    def _page_of(self, names: Iterable[str], after: str | None, limit: int) -> tuple[list[str], Document]:
        """Up to `limit` of the names behind `after`, in order, and the token with which the list goes on."""
        left = sorted(name for name in names if after is None or name > after)
        return left[:limit], {"NextToken": self._new_token(left[limit - 1])} if len(left) > limit else {}

    def _new_token(self, text: str) -> str:
        return "AAAA" + b64encode(f"{self.now!r} {text}".encode()).decode()

    def _token(self, token: str) -> str:
        """What a token stands for. Raises InvalidArgumentException, ExpiredNextTokenException."""
        try:
            made, _, text = b64decode(token.removeprefix("AAAA"), validate=True).decode().partition(" ")
            age = self.now - float(made)
        except ValueError:
            raise argument(f"NextToken {token} is invalid.") from None
        if age > self.world.quotas["kinesis.token"]:
            raise ServiceError("ExpiredNextTokenException", "The pagination token passed to the operation is expired.")
        return text

    # ---- access policies ---------------------------------------------------------------------------------------------

    def target(self, operation: str, params: Document) -> Target:
        """Rights are asked on the stream or on the consumer (service authorization reference, Kinesis)."""
        asked = str(params.get("stream_arn") or params.get("consumer_arn") or params.get("resource_arn") or "")
        arn, name = Arn.parse(asked), params.get("stream_name")
        if not name and "shard_iterator" in params:
            iterator = parse(str(params["shard_iterator"]))
            name = iterator.stream if iterator else ""
        elif not name:
            name = asked.partition(":stream/")[2].partition("/")[0]
        name, owner, stream = str(name), arn.account if arn else self.world.account, self.streams.get(str(name))
        actions: tuple[str, ...] = (f"kinesis:{operation}",)
        reader = str(params.get("consumer_arn") or params.get("resource_arn") or "")
        if "/consumer/" in reader and stream:
            consumer = next((c for c in stream.consumers.values() if c.arn == reader), None)
            policy = consumer.policy if consumer else None
            return Target(name, owner, actions, reader, policy, consumer is not None)
        if operation == "CreateStream" and params.get("tags"):
            actions += ("kinesis:AddTagsToStream",)
        policy, of = stream.policy if stream else None, self.arn(f"stream/{name}") if name else "*"
        return Target(name, owner, actions, of, policy, stream is not None)
