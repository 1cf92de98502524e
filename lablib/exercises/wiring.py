"""A fan-out under judgement: what came through a topic into each queue, why something did not, and who else gets in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from lablib.aws.access.decide import AccessRequest, administrator, decide
from lablib.aws.arn import ACCOUNT, Arn
from lablib.aws.event import RETRYING
from lablib.aws.service import Principal, ServiceError, pascal
from lablib.exercises.case import cut
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import once

FOREIGN = "444455556666"  # the account of somebody else


# ---- what came through -----------------------------------------------------------------------------------------------


def topic_made(stage: Stage, name: str) -> str:
    """The ARN of the topic that the function was to make. Raises Problem."""
    topics = stage.cloud.service("sns").topics
    if name not in topics:
        found = f" There is {', '.join(map(repr, topics))}." if topics else ""
        raise Problem(f"There is no topic {name!r} after your function returned.{found}")
    return str(topics[name].arn)


def queues_made(stage: Stage, names: Iterable[str]) -> dict[str, str]:
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
    for sent in trace.where(trace.kinds(lambda event: event.counts == "sent")):
        if sent.actor.startswith("sns/"):
            origin = trace.parent(trace.parent(sent.subject))  # a delivery lies between
            found.setdefault(origin, {}).setdefault(sent.resource, []).append(sent.subject)
            stage.labels[sent.subject] = f"in {sent.resource}"
    return found


def one_copy_each(stage: Stage) -> Iterator[Problem]:
    """Each message that the shop has published came into each queue once, and nothing else did. `stage.given`: the
    topic's ARN, and the URLs of the queues by name.
    """
    found, (_, queues, *_) = copies(stage), stage.given
    for name, (message,) in stage.sent.items():
        for queue in queues:
            mine = found.get(message, {}).get(queue, [])
            if not mine:
                yield missing(stage, name, message, queue)
            if len(mine) > 1:
                yield Problem(f"{name} is in queue {queue!r} {once(len(mine))}.", [message, *mine])
    wanted = {id for message in stage.sent.values() for ids in found.get(message[0], {}).values() for id in ids}
    for queue, url in queues.items():
        for message in stage.cloud.service("sqs").queue(url).messages.values():
            if message.id not in wanted:
                yield Problem(
                    f"In queue {queue!r} is a message that the shop has not published: {cut(text_of(message.body))}. "
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
    kinds = stage.trace.kinds(lambda event: event.state == RETRYING or event.ends == "filtered out")
    rows = stage.trace.where(kinds, subject=tuple(stage.trace.children(message)), actor=place)
    what = f"{name} did not come to {kind} {place!r}"
    if not rows:
        again = " Your function crashed before it did that, and left it out when it started again."
        return Problem(f"{what}: it is not subscribed to the topic.{again * bool(stage.crash_rows)}", [message])
    last = rows[-1]
    if stage.trace.events[last.kind].ends:
        return Problem(f"{what}: the filter policy of its subscription keeps it out ({last.detail}).", [message])
    if last.detail["reason"].startswith("AccessDenied"):
        return Problem(
            f"{what}: SNS has no right to bring it there, and the publisher saw no error. The policy of the {kind} "
            f"decides. {why_denied(stage, place)}",
            [message],
        )
    return Problem(f"{what}: SNS could not deliver it ({last.detail['reason']}).", [message])


def why_denied(stage: Stage, place: str) -> str:
    """What was found when somebody was last refused at this queue, topic or function: goes on after "The
    policy of the queue decides."
    """
    denied = stage.trace.where("AccessDenied", resource=place)
    why = " ".join(denied[-1].detail.splitlines()[1:]) if denied else ""
    return why.replace("There is no resource-based policy.", "It has none.").replace(
        "No resource-based policy allows it.", "It does not allow it."
    )


# ---- who else gets in ------------------------------------------------------------------------------------------------


class Intruder(NamedTuple):
    """Somebody who has no business here: in words, as policies see them, and how to keep them out."""

    who: str
    principal: Principal
    remedy: str


def service(name: str, source: Arn, account: str = ACCOUNT) -> Principal:
    """An AWS service that acts for one of its resources, in the account that the resource belongs to."""
    context = {"aws:SourceArn": str(source), "aws:SourceAccount": source.account or account}
    return Principal(source.account or account, service=name, context=context)


def people(remedy: str) -> list[Intruder]:
    """Who is no AWS service."""
    intern = f"arn:aws:iam::{ACCOUNT}:role/intern"
    session = intern.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/monday"
    return [
        Intruder(f"An administrator of another account, {FOREIGN},", administrator(FOREIGN), remedy),
        Intruder("A role of your account that has no rights at all", Principal(ACCOUNT, session, intern), remedy),
    ]


def other_topics(topic_arn: str, remedy: str) -> list[Intruder]:
    """Topics that are easily taken for this one."""
    own = _arn(topic_arn)
    stem, dot, fifo = own.resource.partition(".")
    intruders = {
        f"A topic of another account, {FOREIGN},": own._replace(account=FOREIGN),
        f"Another topic of your account, {stem}-test{dot}{fifo},": own._replace(resource=f"{stem}-test{dot}{fifo}"),
        "The topic of the same name in another region, eu-west-1,": own._replace(region="eu-west-1"),
    }
    return [Intruder(who, service("sns.amazonaws.com", arn), remedy) for who, arn in intruders.items()]


def topic_itself(topic_arn: str) -> Principal:
    """SNS, for this topic."""
    return service("sns.amazonaws.com", _arn(topic_arn))


def _arn(text: str) -> Arn:
    found = Arn.parse(text)
    assert found, text
    return found


def check_refused(
    stage: Stage, what: str, to: str, operation: str, params: dict[str, Any], intruders: Iterable[Intruder]
) -> Iterator[Problem]:
    """None of these intruders may do `what` ("send into queue 'email'"): call an operation of the resource `to` (an
    ARN).
    """
    for who, principal, remedy in intruders:
        if why := _gets_in(stage, _arn(to), operation, params, principal):
            yield Problem(f"{who} may {what}. {why} {remedy}")


def _gets_in(stage: Stage, to: Arn, operation: str, params: dict[str, Any], principal: Principal) -> str:
    """Which statement of the resource's policy lets this principal in; empty when it is refused."""
    owner = stage.cloud.service(to.service, to.region, to.account)
    try:
        stage.cloud.gateway.call_service(to, operation, params, principal=principal, caller="intruder", cause=-1)
    except ServiceError as error:
        if error.shape == owner.access_denied[0]:
            return ""
    target = owner.target(pascal(operation), params)
    context = {**target.context, **principal.context}
    decision = decide(AccessRequest(target.actions[0], target.arn, principal, to.account, context), target.policy)
    cited = decision.cited[0]
    conditions = (f"{c.name} {c.key} {', '.join(c.values)}" for c in cited.statement.conditions)
    return f"S{str(cited)[1:]} allows it; its Condition: {' and '.join(conditions) or 'none'}."


def nobody_else_sends(stage: Stage) -> Iterator[Problem]:
    """Only the topic may send into the queues, and it may do nothing else there. `stage.given` as above."""
    topic, queues, *_ = stage.given
    for name in queues:
        yield from check_queue_policy(stage, name, topic)


def check_queue_policy(stage: Stage, queue: str, topic_arn: str) -> Iterator[Problem]:
    """Only this topic may send into the queue, and it may do nothing else there."""
    arn = stage.cloud.service("sqs").queue(queue).arn
    spam = {"queue_url": queue, "message_body": "spam"}
    if queue.endswith(".fifo"):
        spam |= {"message_group_id": "spam", "message_deduplication_id": "spam"}
    only_sns = 'Let in SNS, and nobody else: "Principal": {"Service": "sns.amazonaws.com"}.'
    own = 'Let in your own topic only: "Condition": {"ArnEquals": {"aws:SourceArn": the ARN of your topic}}.'
    bucket = service("s3.amazonaws.com", Arn("s3", "", "", "invoices"))
    intruders = [
        *people(only_sns),
        Intruder("A bucket of your account, invoices,", bucket, only_sns),
        *other_topics(topic_arn, own),
    ]
    yield from check_refused(stage, f"send into queue {queue!r}", arn, "send_message", spam, intruders)
    least = 'All that a topic needs is "Action": "sqs:SendMessage".'
    topic = Intruder("Your topic has to send, and nothing else. But it", topic_itself(topic_arn), least)
    what, ask = f"receive messages from queue {queue!r}", {"queue_url": queue}
    yield from check_refused(stage, what, arn, "receive_message", ask, [topic])
