"""Event notifications of S3: the rules of a bucket, the documents S3 writes, and their way to the destinations.

Sources: S3 user guide, "Amazon S3 Event Notifications" and the pages under it (event types, filtering by key name,
event message structure); texts of errors as recorded from AWS by public test suites or as users report them. An event
comes usually within seconds, at least once, in any order; the latency and the share of duplicates are assumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from lablib.aws.access.document import SOURCE_IP
from lablib.aws.arn import Arn
from lablib.aws.dates import iso
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.aws.targets import hand_over, reason, target_name
from lablib.kernel import lognormal
from lablib.services.s3.store import Bucket, Stored, invalid, malformed

Document = dict[str, Any]

_EVENTS = {
    "ReducedRedundancyLostObject": (),
    "ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "ObjectRestore": ("Post", "Completed", "Delete"),
    "Replication": (
        "OperationFailedReplication",
        "OperationNotTracked",
        "OperationMissedThreshold",
        "OperationReplicatedAfterThreshold",
    ),
    "LifecycleTransition": (),
    "IntelligentTiering": (),
    "ObjectAcl": ("Put",),
    "LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "ObjectTagging": ("Put", "Delete"),
}
EVENTS = frozenset(
    f"s3:{kind}{':' if one else ''}{one}" for kind, ones in _EVENTS.items() for one in ((*ones, "*") if ones else ("",))
) - {"s3:ObjectAcl:*"}
_KINDS = {  # list in the configuration: key of the ARN, service of the ARN, its name in errors
    "TopicConfigurations": ("TopicArn", "sns", "Topic"),
    "QueueConfigurations": ("QueueArn", "sqs", "Queue"),
    "LambdaFunctionConfigurations": ("LambdaFunctionArn", "lambda", "CloudFunction"),
}
_OVERLAP = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
_AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
    "overlapping for the same event type."
)
# How the texts about a destination call it (recorded from AWS), and what they say of a missing permission (for queues
# and topics as users report it).
_WORDS = {
    "sqs": ("queue", "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"),
    "sns": ("topic", "Permissions on the destination topic do not allow S3 to publish notifications from this bucket"),
    "lambda": ("Lambda", "Not authorized to invoke function [{}]"),
}
_UNABLE = "Unable to validate the following destination configurations"


@dataclass(frozen=True, slots=True)
class Rule:
    """One configuration: these events of keys with this prefix and suffix go to `destination`."""

    id: str
    destination: Arn
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""
    filters: tuple[str, ...] = ()  # which of the two were given, empty ones too

    @property
    def target(self) -> str:
        """The destination's name: queue, topic or function."""
        return target_name(self.destination)

    def wants(self, event: str, key: str) -> bool:
        """Is it for this event of this key? A filter sees the key as events show it, URL-encoded."""
        if not any(_shares(f"s3:{event}", own) for own in self.events):
            return False
        return encoded(key).startswith(self.prefix) and encoded(key).endswith(self.suffix)

    def overlaps(self, other: Rule) -> bool:
        """Could one event be for both?"""
        if not any(_shares(a, b) for a in self.events for b in other.events):
            return False
        prefixes = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        return prefixes and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))


def _shares(a: str, b: str) -> bool:
    return a == b or (b.endswith("*") and a.startswith(b[:-1])) or (a.endswith("*") and b.startswith(a[:-1]))


def encoded(key: str) -> str:
    """A key as an event has it: "a b@c" is "a+b%40c"."""
    return quote_plus(key, safe="/*", errors="replace")


# ---- rules ----------------------------------------------------------------------------------------------------------


def read_rules(configuration: Document, bucket: Bucket, new_id: Iterator[str], most: int) -> list[Rule]:
    """The rules of a NotificationConfiguration. Raises InvalidArgument for what S3 does not accept."""
    rules = []
    for kind, (arn_key, service, name) in _KINDS.items():
        for document in configuration.get(kind, ()):
            arn = _destination(document[arn_key], service, name, bucket)
            if not document["Events"]:
                raise malformed()
            for event in document["Events"]:
                if event not in EVENTS:
                    raise invalid("A specified event is not supported for notifications.", "Event", event)
            given = _filters(document.get("Filter", {}).get("Key", {}).get("FilterRules", ()))
            filters = (given.get("prefix", ""), given.get("suffix", ""), tuple(given))
            rules.append(Rule(document.get("Id") or next(new_id), arn, tuple(document["Events"]), *filters))
    if len(rules) > most:
        raise invalid(f"A bucket can have at most {most} notification configurations.")
    if len({rule.id for rule in rules}) < len(rules):
        raise invalid("Same ID used for multiple configurations. IDs must be unique")
    for index, rule in enumerate(rules):
        for other in rules[:index]:
            if rule.overlaps(other):
                filtered = any((rule.prefix, rule.suffix, other.prefix, other.suffix))
                raise invalid(_AMBIGUOUS if filtered else _OVERLAP)
    return rules


def _destination(text: str, service: str, name: str, bucket: Bucket) -> Arn:
    arn = Arn.parse(text)
    if arn is None or arn.service != service or not arn.region or not arn.account:
        raise invalid("The ARN could not be parsed", name, text)
    if arn.region != bucket.region:
        raise invalid(
            "A specified destination is in a different region than the bucket. You must use a destination that resides "
            "in the same region as the bucket."
        )
    if service != "lambda" and arn.resource.endswith(".fifo"):
        raise invalid(_UNABLE, text, "FIFO topics and queues are not supported as destinations")
    return arn


def _filters(rules: Any) -> dict[str, str]:
    filters: dict[str, str] = {}
    for rule in rules:
        name = rule.get("Name", "").lower()
        if name not in ("prefix", "suffix"):
            raise invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", rule.get("Name", ""))
        if name in filters:
            raise invalid(f"Cannot specify more than one {name} rule in a filter.")
        if len(rule.get("Value", "").encode()) > 1024:
            raise invalid("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")
        filters[name] = rule.get("Value", "")
    return filters


def show_rules(rules: Iterable[Rule]) -> Document:
    """The rules as GetBucketNotificationConfiguration gives them."""
    answer: Document = {}
    for kind, (arn_key, service, _) in _KINDS.items():
        for rule in rules:
            if rule.destination.service == service:
                document: Document = {"Id": rule.id, arn_key: str(rule.destination), "Events": list(rule.events)}
                filters = [{"Name": name.title(), "Value": getattr(rule, name)} for name in rule.filters]
                if filters:
                    document["Filter"] = {"Key": {"FilterRules": filters}}
                answer.setdefault(kind, []).append(document)
    return answer


# ---- delivery -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an object: `name` such as "ObjectCreated:Put", `row` the trace's row of it."""

    name: str
    bucket: Bucket
    key: str
    row: int
    caller: str
    sequencer: str
    time: float
    stored: Stored | None = None  # None: it was removed
    trace_header: str = ""


def _named(destination: Arn) -> str:
    """A destination as errors name it: a function with its version, of which there is none."""
    return f"{destination}, null" if destination.service == "lambda" else str(destination)


class Deliveries:
    """Delivers the events of S3 to their destinations, each on its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        quotas = world.quotas
        self._latency = lognormal(quotas["s3.event_median"], quotas["s3.event_p95"])

    def announce(self, event: Event) -> None:
        """Deliver an event to every destination whose rule matches."""
        for rule in event.bucket.rules:
            if rule.wants(event.name, event.key):
                text = json.dumps(self._document(event, rule), separators=(",", ":"))
                stream = self._world.chance.stream(f"s3/{event.bucket.name}")
                for _ in range(1 + stream.coin(self._world.quotas["s3.event_duplicates"])):
                    about = (event.bucket.name, f"{event.key} to {rule.target}", rule.target)
                    row = self._world.trace.add("EventStarted", *about, event.row)
                    self._world.kernel.after(stream.draw(self._latency), self._deliver, event, rule, text, row)

    def test(self, bucket: Bucket, rules: Iterable[Rule], row: int) -> None:
        """Check all destinations: with a test event, or for a function whether S3 may invoke it. Raises
        InvalidArgument, which says of each what is wrong there."""
        refused = {_named(rule.destination): why for rule in rules if (why := self._test(bucket, rule, row))}
        details: dict[str, str] = {}
        for number, (arn, why) in enumerate(refused.items(), 1):
            details |= {f"ArgumentName{number}": arn, f"ArgumentValue{number}": why}
        if details:
            raise ServiceError("InvalidArgument", _UNABLE, details=details)

    def _test(self, bucket: Bucket, rule: Rule, row: int) -> str:
        """Why a destination cannot be used; empty when it can."""
        document = {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": iso(self._world.kernel.epoch + self._world.kernel.now),
            "Bucket": bucket.name,
            **self._request(),
        }
        try:
            self._send(bucket, rule, json.dumps(document, separators=(",", ":")), row, test=True)
        except (ServiceError, AnswerLost) as error:
            service = rule.destination.service  # of a function it is never told whether there is one
            words, denied = _WORDS[service], service == "lambda" or getattr(error, "status", 403) == 403
            return words[1].format(rule.destination) if denied else f"The destination {words[0]} does not exist"
        return ""

    def _deliver(self, event: Event, rule: Rule, text: str, row: int, attempt: int = 1) -> None:
        world, bucket = self._world, event.bucket
        about = (bucket.name, f"{event.key} to {rule.target}", rule.target)
        try:
            answer = self._send(bucket, rule, text, row, trace_header=event.trace_header)
        except (ServiceError, AnswerLost) as error:
            hopeless = isinstance(error, ServiceError) and error.sender_fault
            if hopeless or attempt > world.quotas["s3.event_retries"]:
                world.trace.add("EventDropped", *about, row, reason(error))
            else:
                world.kernel.after(world.quotas["s3.event_retry"], self._deliver, event, rule, text, row, attempt + 1)
        else:
            detail = {"event": event.name} | ({"as": answer["MessageId"]} if "MessageId" in answer else {})
            world.trace.add("EventDelivered", *about, row, detail)

    def _send(
        self, bucket: Bucket, rule: Rule, text: str, row: int, test: bool = False, trace_header: str = ""
    ) -> Document:
        return hand_over(
            self._world,
            rule.destination,
            text,
            principal=bucket.principal,
            caller=f"s3/{bucket.name}",
            cause=row,
            subject="Amazon S3 Notification",
            dry_run=test,
            trace_header=trace_header,
        )

    def _request(self) -> Document:
        id = self._world.chance.uuid("s3/requests").replace("-", "").upper()
        return {"RequestId": id[16:], "HostId": id}

    def _document(self, event: Event, rule: Rule) -> Document:
        request = self._request()
        stored = event.stored
        about: Document = {"key": encoded(event.key)}
        if stored:
            about |= {"size": len(stored.body), "eTag": stored.etag}
        owner = f"A{int(event.bucket.account):013d}"
        record = {
            "eventVersion": self._world.quotas["s3.event_version"],
            "eventSource": "aws:s3",
            "awsRegion": event.bucket.region,
            "eventTime": iso(self._world.kernel.epoch + event.time),
            "eventName": event.name,
            "userIdentity": {"principalId": f"AWS:{event.caller}"},
            "requestParameters": {"sourceIPAddress": SOURCE_IP},
            "responseElements": {"x-amz-request-id": request["RequestId"], "x-amz-id-2": request["HostId"]},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": rule.id,
                "bucket": {
                    "name": event.bucket.name,
                    "ownerIdentity": {"principalId": owner},
                    "arn": event.bucket.arn,
                },
                "object": about | {"sequencer": event.sequencer},
            },
        }
        return {"Records": [record]}
