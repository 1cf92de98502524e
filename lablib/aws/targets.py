"""Handing something to a queue, a topic, a function or a delivery stream by its ARN: how SNS, S3, Lambda deliver."""

from __future__ import annotations

from typing import Any

from lablib.aws.arn import Arn, domain_of
from lablib.aws.messages import Document
from lablib.aws.service import AnswerLost, Principal, ServiceError, World

RIGHTS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}  # what it takes to do so


def queue_url(queue: Arn) -> str:
    """The URL of a queue."""
    return f"https://sqs.{queue.region}.{domain_of(queue.region)}/{queue.account}/{queue.resource}"


def target_name(target: Arn) -> str:
    """How the trace calls it: the name of the queue, topic or function, or of the device behind an endpoint."""
    return target.resource.rpartition(":")[2].rpartition("/")[2]


def hand_over(
    world: World,
    to: Arn,
    text: str | bytes,
    *,
    principal: Principal,
    caller: str,
    cause: int,
    attributes: dict[str, Document] | None = None,
    subject: str = "",
    ids: tuple[str, str] = ("", ""),
    dry_run: bool = False,
    trace_header: str = "",
) -> Document:
    """Send a message to a queue, publish it to a topic, put it into a delivery stream, or invoke a function with it as
    an event, without waiting.

    `principal`, `caller` and `cause` are those of `ServiceCalls.call_service`. Message `attributes`, a `subject`, and
    `ids` (of group and deduplication) go to targets that accept them. `dry_run`: a function is only asked whether it
    could be invoked. `trace_header` goes with the request. Raises ServiceError, and AnswerLost.
    """
    more: dict[str, Any] = {"message_attributes": attributes} if attributes else {}
    if to.service == "sqs":
        operation, params = "send_message", {"queue_url": queue_url(to), "message_body": text, **more}
        if ids[0]:
            params |= {"message_group_id": ids[0], "message_deduplication_id": ids[1]}
    elif to.service == "sns":
        operation, params = "publish", {"topic_arn": str(to), "message": text, **more}
        if subject:
            params["subject"] = subject
    elif to.service == "firehose":
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        operation, params = "put_record", {"delivery_stream_name": target_name(to), "record": {"Data": data}}
    else:
        payload = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        kind = "DryRun" if dry_run else "Event"
        operation, params = "invoke", {"function_name": str(to), "invocation_type": kind, "payload": payload}
    call = world.gateway.call_service
    return call(to, operation, params, principal=principal, caller=caller, cause=cause, trace_header=trace_header)


def reason(error: ServiceError | AnswerLost, lost: str = "no answer") -> str:
    """Why a target refused something, in a word: the error's code, or `lost`."""
    return error.code if isinstance(error, ServiceError) else lost
