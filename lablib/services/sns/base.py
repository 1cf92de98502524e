"""What all operations of SNS share: topics and how they are found, pages of lists, limits on rates."""

from __future__ import annotations

from collections.abc import Iterable

from lablib.aws.access.decide import administrator
from lablib.aws.keys import DataKeys
from lablib.aws.lists import page_of
from lablib.aws.service import Request, Service, ServiceError, Target, TokenBucket, World, count_of, named
from lablib.kernel import Kernel
from lablib.services.sns.checks import Document, account_of, invalid, not_found, split_arn
from lablib.services.sns.delivery import Deliverer
from lablib.services.sns.events import EVENTS
from lablib.services.sns.inbox import Inbox, Inboxes
from lablib.services.sns.metrics import metrics
from lablib.services.sns.outside import ExternalEndpoints, Phones
from lablib.services.sns.quotas import QUOTAS
from lablib.services.sns.topics import Subscription, Topic

_KEY_ERRORS = {  # of KMS, and what SNS makes of each (API reference, Publish)
    "AccessDeniedException": ("KMSAccessDenied", "KMSAccessDenied"),
    "DisabledException": ("KMSDisabled", "KMSDisabled"),
    "KMSInvalidStateException": ("KMSInvalidState", "KMSInvalidState"),
    "NotFoundException": ("KMSNotFound", "KMSNotFound"),
    "ThrottlingException": ("KMSThrottling", "KMSThrottling"),
}
_PUBLISH_RATES = {  # the quota of each region; the others have the lowest
    "us-east-1": "sns.publish_rate_virginia",
    "us-west-2": "sns.publish_rate_large",
    "eu-west-1": "sns.publish_rate_large",
} | dict.fromkeys(
    (
        "us-east-2", "us-west-1", "eu-central-1", "eu-west-2", "eu-west-3", "eu-north-1", "ap-northeast-1",
        "ap-northeast-2", "ap-southeast-1", "ap-southeast-2",
    ),
    "sns.publish_rate_medium",
)  # fmt: skip


class Shared:
    """What all regions and accounts of a cloud see: subscriptions by ARN and by token, and the endpoints outside."""

    def __init__(self, kernel: Kernel) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.tokens: dict[str, Subscription] = {}
        self.inboxes = Inboxes(kernel)


class SnsBase(Service):
    """SNS in one region of one account."""

    name = "sns"
    throttle = ("Throttling", "Rate exceeded")
    access_denied = ("AuthorizationError", 403)
    https_only = True
    batches = frozenset(("PublishBatch",))
    counts = {"PublishBatch": count_of("Successful")}
    arn_parameter = "topic_arn"
    events = EVENTS
    quotas = QUOTAS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.topics: dict[str, Topic] = {}
        self.shared: Shared = world.shared.setdefault("sns", Shared(world.kernel))
        self.external = ExternalEndpoints(world, self.shared.inboxes)
        self.deliverer = Deliverer(world, self.external)
        self._data_keys = DataKeys(world, "sns", _KEY_ERRORS, ("InternalError", 500))
        self._direct: dict[str, Topic] = {}  # for publishing to an endpoint without a topic
        self._buckets: dict[str, TokenBucket] = {}
        self._subscribing: dict[str, TokenBucket] = {}
        self._unsubscribing: dict[str, TokenBucket] = {}

    @classmethod
    def missing_parameter(cls, path: str) -> ServiceError:
        if "." in path:
            return ServiceError("ValidationError", super().missing_parameter(path).message)
        return ServiceError("InvalidParameter", f"Invalid parameter: {path} Reason: no value for required parameter")

    # ---- from inside -------------------------------------------------------------------------------------------------

    def topic(self, name_or_arn: str) -> Topic:
        """The topic itself, to look into. Raises KeyError when there is none."""
        return named("topic", name_or_arn.rpartition(":")[2], self.topics)

    def inbox(self, endpoint: str) -> Inbox:
        """What an endpoint outside AWS received: a URL, an e-mail address, a phone number, a device's endpoint ARN."""
        return self.shared.inboxes[endpoint]

    def metrics(self, topic: str) -> dict[str, float]:
        """What CloudWatch would show of a topic, by its name or ARN: the sum of each metric since the run began.

        Raises ValueError when there never was such a topic.
        """
        name, trace = topic.rpartition(":")[2], self.world.trace
        if not trace.where(("TopicCreated", "Published"), name):
            raise ValueError(f"topic={topic!r}: no topic has this name; there are: {', '.join(self.topics) or 'none'}")
        return metrics(trace, name)

    @property
    def phones(self) -> Phones:
        """The account's telephones: `phones.opt_out(number)` is what an answer of STOP does."""
        return self.external.phones

    # ---- for the gateway ---------------------------------------------------------------------------------------------

    def target(self, operation: str, params: Document) -> Target:
        """A right to publish covers the batch form too (API: PublishBatch). A request about a
        subscription goes to its owner; with a token anybody may confirm."""
        action, account = "sns:Publish" if operation == "PublishBatch" else f"sns:{operation}", self.world.account
        arn = params.get("topic_arn") or params.get("target_arn") or params.get("resource_arn")
        if "subscription_arn" in params or "token" in params:
            subscription, named = params.get("subscription_arn", ""), arn or params.get("subscription_arn", "")
            known = self.shared.subscriptions.get(subscription)
            mine = "token" in params or (known is not None and known.owner == account)
            resource = _last(arn) if arn else subscription.rpartition(":")[0].rpartition(":")[2]
            return Target(resource, account if mine else _owner(named, account), (action,))
        if arn is None:
            name = str(params.get("name") or params.get("phone_number") or "")
            also = ("sns:TagResource",) if params.get("tags") else ()  # API: CreateTopic
            return Target(name, account, (action, *also), self.arn(name) if operation == "CreateTopic" else "*")
        topic = self.topics.get(arn.rpartition(":")[2])
        context = {f"sns:{key.title()}": params[key] for key in ("endpoint", "protocol") if params.get(key)}
        policy = topic.policy if topic else None
        return Target(_last(arn), _owner(arn, account), (action,), arn, policy, topic is not None, context)

    # ---- shared by the operations ------------------------------------------------------------------------------------

    def _topic(self, arn: str, parameter: str = "TopicArn") -> Topic:
        """The topic with that ARN. Raises InvalidParameter for what is no ARN of this region, NotFound."""
        parts = split_arn(arn, parameter)
        if parts[2] != "sns" or parts[3] != self.world.region:
            raise invalid(parameter)
        topic = self.topics.get(parts[5])
        if topic is None or topic.arn != arn:
            raise not_found("Topic")
        return topic

    def _owner(self, request: Request) -> tuple[str, str]:
        """The account of the caller, and its ARN."""
        principal = request.principal
        account = principal.account if principal else self.world.account
        return account, (principal or administrator(account, self.world.region)).arn

    def _limit(
        self, buckets: dict[str, TokenBucket], name: str, quota: str, request: Request, resource: str, count: int = 1
    ) -> None:
        """Count so many calls, or messages. Raises Throttling when they are too many (API reference, common errors)."""
        now, rate = self.now, self.world.quotas[quota]
        bucket = buckets.get(name)
        if bucket is None:
            bucket = buckets[name] = TokenBucket(rate, rate, now)
        if not bucket.ready(now):
            self.world.trace.add("Throttled", resource, "", request.caller, request.row, {"limit": rate, "group": name})
            raise ServiceError(*self.throttle)
        for _ in range(count):
            bucket.take()

    @property
    def _publish_rate(self) -> str:
        return _PUBLISH_RATES.get(self.world.region, "sns.publish_rate")

    def _page(self, names: Iterable[str], token: str | None) -> tuple[list[str], Document]:
        """One page of the names, and the token of the next."""
        return page_of(names, token, self.world.quotas["sns.list_page"], invalid("NextToken"))


def _last(arn: str) -> str:
    """The name of a topic, or the id of an endpoint."""
    return arn.rpartition(":")[2].rpartition("/")[2]


def _owner(arn: str, otherwise: str) -> str:
    """The account in an ARN."""
    owner = account_of(arn)
    return owner if owner.isdecimal() and len(owner) == 12 else otherwise
