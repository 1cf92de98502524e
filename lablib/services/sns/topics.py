"""Topics and their subscriptions: attributes, access policies, filters, retries."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lablib.aws.arn import Arn, domain_of
from lablib.aws.deduplication import Deduplication
from lablib.aws.lists import Tags
from lablib.aws.service import Principal, TokenBucket, World
from lablib.aws.targets import target_name
from lablib.services.sns.checks import Document
from lablib.services.sns.metrics import INVALID_ATTRIBUTES
from lablib.services.sns.retries import effective_policy, retry_delays

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy
    from lablib.services.sns.delivery import Delivery
    from lablib.services.sns.filters import FilterPolicy
    from lablib.services.sns.messages import Message

TOPIC_ACTIONS = (  # what a topic's policy may allow or deny
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


class Topic:
    """A topic. `direct`: the one that an endpoint has to itself, for publishing to it without a topic."""

    direct = False

    def __init__(self, world: World, name: str, arn: str) -> None:
        self.world = world
        self.name = name
        self.arn = arn
        self.fifo = name.endswith(".fifo")
        self.attributes: dict[str, str] = {}
        self.tags = Tags()
        self.subscriptions: dict[str, Subscription] = {}
        self.endpoints: dict[tuple[str, str], Subscription] = {}  # by protocol and endpoint
        self.removed = 0  # subscriptions that were deleted
        self.deleted = False
        self.caller = f"sns/{name}"
        self.url = f"https://sns.{world.region}.{domain_of(world.region)}/"
        context = {"aws:SourceArn": arn, "aws:SourceAccount": world.account}
        self.principal = Principal(account=world.account, service="sns.amazonaws.com", context=context)
        self.sequence = 10_000_000_000_000_000_000
        self.groups: dict[str, TokenBucket] = {}  # how many messages each group may still publish; "" is the topic
        self.repeats: Deduplication[Message] = Deduplication(world, "sns.fifo_deduplication")
        self._policy: Policy | None = None  # made when it is asked for
        self.configure({})

    def configure(self, attributes: dict[str, str]) -> None:
        """Set attributes that were checked; an empty value removes one."""
        self.attributes = {name: value for name, value in (self.attributes | attributes).items() if value}
        if "Policy" in attributes:
            self._policy = None
            if self.attributes.get("Policy"):
                _ = self.policy  # the roles that it names are those of now
        self.content_based = self.attributes.get("ContentBasedDeduplication") == "true"
        self.group_scope = self.attributes.get("FifoThroughputScope") == "MessageGroup"
        self.message_size = int(self.attributes.get("MaximumMessageSize") or self.world.quotas["sns.message_size"])

    @property
    def policy_text(self) -> str:
        """Its access policy: the one that was set, else the default of every topic."""
        return self.attributes.get("Policy") or json.dumps(self.default_policy())

    def default_policy(self) -> Document:
        """It allows the owner's account (recorded from AWS)."""
        statement = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [f"SNS:{action}" for action in TOPIC_ACTIONS],
            "Resource": self.arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": self.world.account}},
        }
        return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}

    @property
    def policy(self) -> Policy:
        """Its access policy, parsed."""
        from lablib.aws.access.decide import Policy
        from lablib.aws.access.identities import bound

        if self._policy is None:
            self._policy = bound(Policy.parse(self.policy_text, name=self.name), self.world)
        return self._policy

    def count(self, confirmed: bool) -> int:
        """How many of its subscriptions are confirmed, or are not."""
        return sum(one.confirmed == confirmed for one in self.subscriptions.values())

    def describe(self) -> dict[str, str]:
        """What GetTopicAttributes answers."""
        http = effective_policy(self.attributes.get("DeliveryPolicy"))["http"]
        return {
            "DisplayName": "",
            "Policy": self.policy_text,
            "Owner": self.world.account,
            "TopicArn": self.arn,
            "SubscriptionsConfirmed": str(self.count(True)),
            "SubscriptionsPending": str(self.count(False)),
            "SubscriptionsDeleted": str(self.removed),
            "EffectiveDeliveryPolicy": json.dumps({"http": http}, separators=(",", ":")),
        } | self.attributes


class Subscription:
    """An endpoint that gets what is published to a topic.

    `attributes` holds what was set; delivery reads `filter`, `raw` and `dead_letter_queue`, made of it. `lines` are the
    deliveries that wait for their turn, for each message group of a FIFO topic.
    """

    def __init__(self, topic: Topic, arn: str, protocol: str, endpoint: str, owner: str, principal: str) -> None:
        self.topic = topic
        self.arn = arn
        self.protocol = protocol
        self.endpoint = endpoint
        self.owner = owner
        self.principal = principal
        self.target = Arn.parse(endpoint) if protocol in ("sqs", "lambda", "firehose", "application") else None
        self.name = target_name(self.target) if self.target else endpoint
        self.confirmed = True
        self.authenticated = False  # only its owner and the topic's may remove it
        self.deleted = False
        self.token = ""
        self.attributes: dict[str, str] = {}
        self.filter: FilterPolicy | None = None
        self.raw = False
        self.dead_letter_queue: Arn | None = None
        self.lines: dict[str, deque[Delivery]] = {}
        self.next_at = 0.0  # when the next delivery may begin, for an endpoint with a limit on deliveries a second
        self.random = topic.world.chance.stream(f"sns/{topic.name}/{self.name}").random
        self.configure({})

    @property
    def in_order(self) -> bool:
        """Does a failed delivery delay the later ones of its group? Those of FIFO topics do."""
        return self.topic.fifo

    def configure(self, attributes: dict[str, str]) -> None:
        """Set attributes that were checked; an empty value removes one."""
        self.attributes = {name: value for name, value in (self.attributes | attributes).items() if value}
        self.raw = self.attributes.get("RawMessageDelivery") == "true"
        redrive = self.attributes.get("RedrivePolicy")
        self.dead_letter_queue = Arn.parse(json.loads(redrive)["deadLetterTargetArn"]) if redrive else None
        if attributes.keys() & {"FilterPolicy", "FilterPolicyScope"}:
            self.filter = None
            if text := self.attributes.get("FilterPolicy"):
                from lablib.services.sns.filters import FilterPolicy

                self.filter = FilterPolicy.parse(text, self.scope)

    @property
    def scope(self) -> str:
        """What its filter policy looks at."""
        return self.attributes.get("FilterPolicyScope", "MessageAttributes")

    def refusal(self, message: Message) -> str:
        """Why its filter policy rejects a message; empty when it accepts it."""
        why = self.filter.matches(message.attributes, message.text) if self.filter else ""
        if why and self.scope == "MessageAttributes" and message.broken_attributes:
            return f"{INVALID_ATTRIBUTES}: {', '.join(message.broken_attributes)} must be a JSON array; {why}"
        return why

    @property
    def policy(self) -> Document:
        """How deliveries to it are retried and throttled: its own policy over the topic's over the defaults."""
        own, topics = self.attributes.get("DeliveryPolicy"), self.topic.attributes.get("DeliveryPolicy")
        return effective_policy(topics, own)["subscription"]

    @property
    def rate(self) -> float:
        """How many deliveries a second it takes; 0 for no limit. That of mail holds for each address (assumed)."""
        limit: Any = None
        if self.protocol in ("http", "https"):
            limit = (self.policy["throttlePolicy"] or {}).get("maxReceivesPerSecond")
        elif self.protocol in ("email", "email-json"):
            limit = self.topic.world.quotas["sns.email_rate"]
        return limit or 0

    def delays(self) -> Iterator[float]:
        """How long SNS waits before each retry of one delivery, with jitter."""
        policy = self.policy["healthyRetryPolicy"] if self.protocol in ("http", "https") else None
        jitter = self.topic.world.quotas["sns.retry_jitter"]
        for delay in retry_delays(self.protocol, policy):
            yield round(delay * (1 + jitter * (2 * self.random() - 1)), 6) if delay else 0.0

    def describe(self) -> dict[str, str]:
        """What GetSubscriptionAttributes answers."""
        facts = {
            "SubscriptionArn": self.arn,
            "TopicArn": self.topic.arn,
            "Protocol": self.protocol,
            "Endpoint": self.endpoint,
            "Owner": self.owner,
            "SubscriptionPrincipal": self.principal,
            "PendingConfirmation": "false" if self.confirmed else "true",
            "ConfirmationWasAuthenticated": "true" if self.authenticated else "false",
            "RawMessageDelivery": "true" if self.raw else "false",
        }
        if self.protocol in ("http", "https"):
            facts["EffectiveDeliveryPolicy"] = json.dumps(self.policy, separators=(",", ":"))
        if self.filter:
            facts["FilterPolicyScope"] = self.scope
        return facts | {n: v for n, v in self.attributes.items() if n != "FilterPolicyScope" or self.filter}

    def entry(self) -> Document:
        """How lists show it: without an ARN until it is confirmed."""
        return {
            "SubscriptionArn": self.arn if self.confirmed else "PendingConfirmation",
            "Owner": self.owner,
            "Protocol": self.protocol,
            "Endpoint": self.endpoint,
            "TopicArn": self.topic.arn,
        }
