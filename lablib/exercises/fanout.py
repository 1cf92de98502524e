"""A fan-out under judgement: what came through a topic into each queue, why something did not, and who else gets in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from lablib.aws.access.decide import AccessRequest, administrator, decide
from lablib.aws.arn import ACCOUNT, Arn
from lablib.aws.service import Principal, ServiceError
from lablib.exercises.invariants import once
from lablib.exercises.stage import Problem, Stage
from lablib.gateway import pascal

FOREIGN = "444455556666"  # the account of somebody else


# ---- what came through -----------------------------------------------------------------------------------------------


def the_topic(stage: Stage, name: str) -> str:
    """The ARN of the topic that the function was to make. Raises Problem."""
    topics = stage.cloud.service("sns").topics
    if name not in topics:
        found = f" There is {', '.join(map(repr, topics))}." if topics else ""
        raise Problem(f"There is no topic {name!r} after your function returned.{found}")
    return str(topics[name].arn)


def the_queues(stage: Stage, names: Iterable[str]) -> dict[str, str]:
    """The URLs of the queues that the function was to make, by name. Raises Problem."""
    urls = {}
    for name in names:
        try:
            stage.cloud.service("sqs").queue(name)
        except KeyError:
            raise Problem(f"There is no queue {name!r} after your function returned.") from None
        urls[name] = stage.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return urls


def copies(stage: Stage) -> dict[str, dict[str, list[str]]]:
    """What SNS put into queues: for each message published (its MessageId), by the queue's name, the MessageIds there.
    They get their labels for the story.
    """
    trace = stage.trace
    found: dict[str, dict[str, list[str]]] = {}
    for sent in trace.where("Sent"):
        if sent.actor.startswith("sns/"):
            origin = trace[trace[sent.cause].cause].subject  # a call of SendMessage lies between
            found.setdefault(origin, {}).setdefault(sent.resource, []).append(sent.subject)
            stage.labels[sent.subject] = f"in {sent.resource}"
    return found


def judge_copies(stage: Stage, queues: dict[str, str]) -> None:
    """Each message that the shop has published came into each queue once, and nothing else did. Raises Problem."""
    found = copies(stage)
    for name, (message,) in stage.sent.items():
        for queue in queues:
            mine = found.get(message, {}).get(queue, [])
            if not mine:
                raise missing(stage, name, message, queue)
            if len(mine) > 1:
                raise Problem(f"{name} is in queue {queue!r} {once(len(mine))}.", [message, *mine])
    wanted = {id for message in stage.sent.values() for ids in found.get(message[0], {}).values() for id in ids}
    for queue, url in queues.items():
        for message in stage.cloud.service("sqs").queue(url).messages.values():
            if message.id not in wanted:
                raise Problem(
                    f"In queue {queue!r} is a message that the shop has not published: {text_of(message.body)!r:.60}. "
                    "Publish and send nothing yourself: a real order system would take it for an order.",
                    [message.id],
                )


def text_of(body: str) -> str:
    """What was published, from the body of a message in a queue: the envelope of SNS is taken off, if there is one."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    envelope = isinstance(document, dict) and document.keys() >= {"TopicArn", "Message"}
    return str(document["Message"]) if envelope else body


def missing(stage: Stage, name: str, message: str, place: str, kind: str = "queue") -> Problem:
    """Why a message that was published did not come to a queue (or a `kind` of other place)."""
    rows = stage.trace.where(("DeliveryFailed", "FilteredOut"), subject=message, actor=place)
    what = f"{name} did not come to {kind} {place!r}"
    if not rows:
        again = " Your function crashed before it did that, and left it out when it started again."
        return Problem(f"{what}: it is not subscribed to the topic.{again * bool(stage.setbacks)}", [message])
    last = rows[-1]
    if last.kind == "FilteredOut":
        return Problem(f"{what}: the filter policy of its subscription keeps it out ({last.detail}).", [message])
    if last.detail["reason"].startswith("AccessDenied"):
        return Problem(
            f"{what}: SNS has no right to bring it there, and the publisher saw no error. The policy of the {kind} "
            f"decides. {why_denied(stage, place)}",
            [message],
        )
    return Problem(f"{what}: SNS could not deliver it ({last.detail['reason']}).", [message])


def why_denied(stage: Stage, place: str) -> str:
    """What the front door found when it last refused somebody at this queue, topic or function: goes on after "The
    policy of the queue decides."
    """
    denied = stage.trace.where("AccessDenied", resource=place)
    why = " ".join(denied[-1].detail.splitlines()[1:]) if denied else ""
    return why.replace("There is no resource-based policy.", "It has none.").replace(
        "No resource-based policy allows it.", "It does not allow it."
    )


# ---- who else gets in ------------------------------------------------------------------------------------------------


class Stranger(NamedTuple):
    """Somebody who has no business here: in words, as policies see him, and how to keep him out."""

    who: str
    principal: Principal
    remedy: str


def service(name: str, source: Arn, account: str = ACCOUNT) -> Principal:
    """An AWS service that acts for one of its resources, in the account that the resource belongs to."""
    context = {"aws:SourceArn": str(source), "aws:SourceAccount": source.account or account}
    return Principal(source.account or account, service=name, context=context)


def people(remedy: str) -> list[Stranger]:
    """Who is no AWS service."""
    intern = f"arn:aws:iam::{ACCOUNT}:role/intern"
    session = intern.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/monday"
    return [
        Stranger(f"An administrator of another account, {FOREIGN},", administrator(FOREIGN), remedy),
        Stranger("A role of your account that has no rights at all", Principal(ACCOUNT, session, intern), remedy),
    ]


def other_topics(topic_arn: str, remedy: str) -> list[Stranger]:
    """Topics that are easily taken for this one."""
    own = _arn(topic_arn)
    stem, dot, fifo = own.resource.partition(".")
    strangers = {
        f"A topic of another account, {FOREIGN},": own._replace(account=FOREIGN),
        f"Another topic of your account, {stem}-test{dot}{fifo},": own._replace(resource=f"{stem}-test{dot}{fifo}"),
        "The topic of the same name in another region, eu-west-1,": own._replace(region="eu-west-1"),
    }
    return [Stranger(who, service("sns.amazonaws.com", arn), remedy) for who, arn in strangers.items()]


def _arn(text: str) -> Arn:
    found = Arn.parse(text)
    assert found, text
    return found


def judge_closed(
    stage: Stage, what: str, to: str, operation: str, params: dict[str, Any], strangers: Iterable[Stranger]
) -> None:
    """None of these strangers may do `what` ("send into queue 'email'"): call an operation of the resource `to` (an
    ARN). They knock at the front door. Raises Problem.
    """
    for who, principal, remedy in strangers:
        if why := _gets_in(stage, _arn(to), operation, params, principal):
            raise Problem(f"{who} may {what}. {why} {remedy}")


def _gets_in(stage: Stage, to: Arn, operation: str, params: dict[str, Any], principal: Principal) -> str:
    """Which statement of the resource's policy lets this principal in; empty when he is refused."""
    owner = stage.cloud.service(to.service, to.region, to.account)
    try:
        stage.cloud.gateway.call_service(to, operation, params, principal=principal, caller="stranger", cause=-1)
    except ServiceError as error:
        if error.shape == owner.access_denied[0]:
            return ""
    target = owner.target(pascal(operation), params)
    context = {**target.context, **principal.context}
    decision = decide(AccessRequest(target.actions[0], target.arn, principal, to.account, context), target.policy)
    cited = decision.cited[0]
    conditions = (f"{c.name} {c.key} {', '.join(c.values)}" for c in cited.statement.conditions)
    return f"S{str(cited)[1:]} allows it; its Condition: {' and '.join(conditions) or 'none'}."


def judge_door(stage: Stage, queue: str, url: str, topic_arn: str) -> None:
    """Only this topic may send into the queue, and it may do nothing else there. Raises Problem."""
    arn = stage.cloud.service("sqs").queue(url).arn
    spam = {"queue_url": url, "message_body": "spam"}
    if queue.endswith(".fifo"):
        spam |= {"message_group_id": "spam", "message_deduplication_id": "spam"}
    only_sns = 'Let in SNS, and nobody else: "Principal": {"Service": "sns.amazonaws.com"}.'
    own = 'Let in your own topic only: "Condition": {"ArnEquals": {"aws:SourceArn": the ARN of your topic}}.'
    bucket = service("s3.amazonaws.com", Arn("s3", "", "", "invoices"))
    strangers = [
        *people(only_sns),
        Stranger("A bucket of your account, invoices,", bucket, only_sns),
        *other_topics(topic_arn, own),
    ]
    judge_closed(stage, f"send into queue {queue!r}", arn, "send_message", spam, strangers)
    least = 'All that a topic needs is "Action": "sqs:SendMessage".'
    itself = service("sns.amazonaws.com", _arn(topic_arn))
    topic = Stranger("Your topic has to send, and nothing else. But it", itself, least)
    judge_closed(stage, f"receive messages from queue {queue!r}", arn, "receive_message", {"queue_url": url}, [topic])
