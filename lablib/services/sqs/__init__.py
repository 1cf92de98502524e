"""Amazon SQS: standard and FIFO queues.

An operation is a method; what it checks, which error it raises, and its answer follow the SQS API reference
(2012-11-05). The physics of a queue is in `standard` and `fifo`, what SQS accepts in `attributes`, moving
messages back from a dead-letter queue in `redrive`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.attributes import defaults
from lablib.aws.lists import page_of, run_batch, without_empty_lists
from lablib.aws.messages import Document, md5_of_attributes, md5_of_body, size_of
from lablib.aws.service import Request, ServiceError, Target, World, count_of
from lablib.aws.targets import queue_url as url_of
from lablib.kernel import exponential
from lablib.services.sqs import checks, permissions
from lablib.services.sqs.attributes import ATTRIBUTES, QUEUE_ATTRIBUTES, check_attributes, check_name, check_same
from lablib.services.sqs.attributes import check_principals as check_policy
from lablib.services.sqs.base import AnyQueue
from lablib.services.sqs.bill import Billed
from lablib.services.sqs.errors import (
    Refusing,
    bad_parameter,
    bad_value,
    check_range,
    missing,
    needs_deduplication_id,
    no_such_queue,
    sqs_error,
    unknown_attribute,
)
from lablib.services.sqs.events import EVENTS
from lablib.services.sqs.fifo import FifoQueue
from lablib.services.sqs.keys import QueueKeys
from lablib.services.sqs.message import SYSTEM_ATTRIBUTES
from lablib.services.sqs.polls import LongPolling
from lablib.services.sqs.quotas import QUOTAS
from lablib.services.sqs.redrive import MoveTasks, check_target
from lablib.services.sqs.standard import StandardQueue

_URL = re.compile(r"https?://[^/]+/([0-9]{12})/([^/]+)")
_ARN_FORM = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
_OPTIONAL = ["DelaySeconds", "MessageAttributes", "MessageSystemAttributes", "MessageGroupId", "MessageDeduplicationId"]


class Sqs(Refusing, Billed, LongPolling):
    """Amazon SQS in one region."""

    name, arn_parameter, throttle = "sqs", "source_arn", ("RequestThrottled", "Rate exceeded")
    access_denied, https_only, events, quotas = ("AccessDenied", 403), True, EVENTS, QUOTAS
    batches = frozenset(("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"))
    fresh_answers = batches | {"SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"}
    counts = {"ReceiveMessage": count_of("Messages"), **dict.fromkeys(batches, count_of("Successful"))}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.queues: dict[str, AnyQueue] = {}
        self._by_url: dict[str, AnyQueue] = {}
        self._targets: dict[tuple[str, str | None], Target] = {}  # of calls by a queue's URL, until something changes
        self._deleted: dict[str, float] = {}
        self._tasks = MoveTasks()
        self._data_keys = QueueKeys(world)
        self._base_url = url_of(Arn("sqs", world.region, world.account, ""))

    def target(self, operation: str, params: Document) -> Target:
        """A right covers the batch form too (API: AddPermission); tags need one of their own (API: CreateQueue)."""
        url = params.get("queue_url")
        return self._targets.get((operation, url)) or self._find_target(operation, url, params)

    def _find_target(self, operation: str, url: str | None, params: Document) -> Target:
        asked = str(url or params.get("queue_name") or params.get("source_arn", ""))
        name, parts = re.split("[/:]", asked)[-1], None if url in self._by_url else _URL.fullmatch(str(url))
        owner = params.get("queue_owner_aws_account_id") or (parts[1] if parts else self.world.account)
        also = ("sqs:TagQueue",) if operation == "CreateQueue" and params.get("tags") else ()
        actions, queue = (f"sqs:{operation.removesuffix('Batch')}", *also), self.queues.get(name)
        policy = permissions.policy_for(operation, queue, self.world.account) if queue else None
        arn = queue.arn if queue else self.arn(asked) if asked else "*"
        target = Target(name, owner, actions, arn, policy, queue is not None or not name)
        if url in self._by_url:
            self._targets[operation, url] = target
        return target

    def queue(self, name_or_url: str) -> AnyQueue:
        """The queue itself, to inspect it and to let its servers fail. Raises KeyError when there is none."""
        name = name_or_url.rpartition("/")[2]
        if name not in self.queues:
            raise KeyError(f"no queue is called {name!r}; there are: {', '.join(self.queues) or 'none'}")
        return self.queues[name]

    # ---- queues ------------------------------------------------------------------------------------------------------

    def create_queue(
        self,
        request: Request,
        *,
        queue_name: str,
        attributes: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> Document:
        quotas = self.world.quotas
        fifo = (attributes or {}).get("FifoQueue", "").lower() == "true"
        given = check_attributes(attributes or {}, quotas, fifo)
        check_name(queue_name, fifo)
        existing = self.queues.get(queue_name)
        if existing:
            check_same(existing.shown, given)
            return {"QueueUrl": self._base_url + queue_name}
        wait = quotas["sqs.recreate_wait"]
        if self.now - self._deleted.get(queue_name, -wait) < wait:
            again = "before you can create another with the same name."
            raise sqs_error("QueueDeletedRecently", f"You must wait {wait} seconds after deleting a queue {again}")
        arn = self.arn(queue_name)
        check_policy(given.get("Policy"), self.world)
        check_target(self._by_arn, given, arn, attributes, fifo)
        queue: AnyQueue = (FifoQueue if fifo else StandardQueue)(self.world, queue_name, arn, self._by_arn)
        queue.show(everything := defaults(ATTRIBUTES, quotas, "fifo" if fifo else "") | given)
        self._configure(queue, everything)
        queue.tags.update(tags or {})
        self.queues[queue_name] = self._by_url[self._base_url + queue_name] = queue
        self.world.trace.add("QueueCreated", queue_name, "", request.caller, request.row)
        return {"QueueUrl": self._base_url + queue_name}

    def delete_queue(self, request: Request, *, queue_url: str) -> Document:
        queue = self._queue(queue_url)
        self._later(self._delete, queue, request)
        return {}

    def _delete(self, queue: AnyQueue, request: Request) -> None:
        if self.queues.get(queue.name) is queue:
            queue.close()
            self._data_keys.follow(queue)
            self._targets.clear()
            del self.queues[queue.name], self._by_url[self._base_url + queue.name]
            self._deleted[queue.name] = self.now
            self.world.trace.add("QueueDeleted", queue.name, "", request.caller, request.row)

    def get_queue_url(
        self, request: Request, *, queue_name: str, queue_owner_aws_account_id: str | None = None
    ) -> Document:
        if queue_name not in self.queues or queue_owner_aws_account_id not in (None, self.world.account):
            raise no_such_queue()
        return {"QueueUrl": self._base_url + queue_name}

    def list_queues(
        self,
        request: Request,
        *,
        queue_name_prefix: str = "",
        next_token: str | None = None,
        max_results: int | None = None,
    ) -> Document:
        names = [name for name in self.queues if name.startswith(queue_name_prefix)]
        return self._page(names, "QueueUrls", next_token, max_results)

    def list_dead_letter_source_queues(
        self, request: Request, *, queue_url: str, next_token: str | None = None, max_results: int | None = None
    ) -> Document:
        arn = self._queue(queue_url).arn
        names = [name for name, queue in self.queues.items() if queue.redrive and queue.redrive.target == arn]
        return {"queueUrls": []} | self._page(names, "queueUrls", next_token, max_results)

    def _page(self, names: list[str], key: str, token: str | None, most: int | None) -> Document:
        """One page of queue URLs; a token only when the caller gave MaxResults (API: ListQueues)."""
        limit = self.world.quotas["sqs.list_page"]
        if most is not None:
            check_range(most, "MaxResults", 1, limit)
        wrong = bad_value(token, "NextToken", "Must be the NextToken of an earlier answer.")
        page, more = page_of(names, token, most or limit, wrong)
        answer: Document = {key: [self._base_url + name for name in page]} if page else {}
        return answer | (more if most is not None else {})

    def get_queue_attributes(
        self, request: Request, *, queue_url: str, attribute_names: list[str] | None = None
    ) -> Document:
        queue = self._queue(queue_url)
        for name in attribute_names or ():
            if name not in QUEUE_ATTRIBUTES:
                raise unknown_attribute(name)
        if not attribute_names:
            return {}
        everything = self._attributes(queue, request)
        chosen = {n: v for n, v in everything.items() if "All" in attribute_names or n in attribute_names}
        return {"Attributes": chosen} if chosen else {}

    def _attributes(self, queue: AnyQueue, request: Request) -> dict[str, str]:
        """All attributes of a queue. Its counters lag: they are exact after a minute of quiet (GetQueueAttributes)."""
        lag = request.chance.draw(exponential(self.world.quotas["sqs.counter_lag"]))
        counts = queue.counts(min(lag, self.world.quotas["sqs.counter_lag_max"]))
        epoch = self.world.kernel.epoch
        computed = {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": counts.visible,
            "ApproximateNumberOfMessagesNotVisible": counts.in_flight,
            "ApproximateNumberOfMessagesDelayed": counts.delayed,
            "CreatedTimestamp": int(epoch + queue.created),
            "LastModifiedTimestamp": int(epoch + queue.modified),
        }
        return {name: str(value) for name, value in computed.items()} | queue.shown

    def set_queue_attributes(self, request: Request, *, queue_url: str, attributes: dict[str, str]) -> Document:
        queue = self._queue(queue_url)
        given = check_attributes(attributes, self.world.quotas, queue.fifo, queue.shown)
        check_target(self._by_arn, given, queue.arn, attributes, queue.fifo)
        check_policy(given.get("Policy"), self.world)
        self._set(queue, given)
        return {}

    def purge_queue(self, request: Request, *, queue_url: str) -> Document:
        queue = self._queue(queue_url)
        pause = self.world.quotas["sqs.purge_interval"]
        if self.now - queue.purged < pause:
            text = f"Only one PurgeQueue operation on {queue.name} is allowed every {pause} seconds."
            raise sqs_error("PurgeQueueInProgress", text, status=403)
        queue.purged = self.now
        self._later(self._purge, queue, request)
        return {}

    def _purge(self, queue: AnyQueue, request: Request) -> None:
        self.world.trace.add("QueuePurged", queue.name, "", request.caller, request.row, queue.clear())

    def _set(self, queue: AnyQueue, attributes: dict[str, str]) -> None:
        queue.show(attributes)
        self._later(self._configure, queue, attributes)

    def _configure(self, queue: AnyQueue, attributes: dict[str, str]) -> None:
        queue.configure(attributes)
        self._targets.clear()
        self._data_keys.follow(queue)
        self.has_policies = self.has_policies or queue.policy is not None

    def _later(self, fn: Callable[..., None], *args: Any) -> None:
        """Make a change that takes AWS up to a minute to propagate."""
        delay = self.world.quotas["sqs.propagation"]
        self.world.kernel.after(delay, fn, *args) if delay else fn(*args)

    def _queue(self, queue_url: str) -> AnyQueue:
        """By its URL, whatever the host in it, or by its name alone (both recorded from AWS). NonExistentQueue."""
        queue = self._by_url.get(queue_url)
        if queue is None:
            parts = _URL.fullmatch(queue_url)
            name = parts[2] if parts else queue_url
            if (parts and parts[1] != self.world.account) or name not in self.queues:
                raise no_such_queue()
            queue = self.queues[name]
        return queue

    def _by_arn(self, arn: str) -> AnyQueue | None:
        name = arn.rpartition(":")[2]
        return self.queues.get(name) if arn == self.arn(name) else None

    # ---- tags, permissions -------------------------------------------------------------------------------------------

    def tag_queue(self, request: Request, *, queue_url: str, tags: dict[str, str]) -> Document:
        queue = self._queue(queue_url)
        if not tags:
            raise missing("Tags")
        too_many = bad_parameter(f"Too many tags added for queue {queue.name}.")
        queue.tags.add(tags, self.world.quotas["sqs.tags"], too_many)
        return {}

    def untag_queue(self, request: Request, *, queue_url: str, tag_keys: list[str]) -> Document:
        self._queue(queue_url).tags.remove(tag_keys)
        return {}

    def list_queue_tags(self, request: Request, *, queue_url: str) -> Document:
        tags = self._queue(queue_url).tags
        return {"Tags": dict(tags)} if tags else {}

    def add_permission(
        self, request: Request, *, queue_url: str, label: str, aws_account_ids: list[str], actions: list[str]
    ) -> Document:
        queue = self._queue(queue_url)
        self._set(queue, {"Policy": permissions.grant(queue, label, aws_account_ids, actions)})
        return {}

    def remove_permission(self, request: Request, *, queue_url: str, label: str) -> Document:
        queue = self._queue(queue_url)
        self._set(queue, {"Policy": permissions.revoke(queue, label)})
        return {}

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send_message(
        self,
        request: Request,
        *,
        queue_url: str,
        message_body: str,
        delay_seconds: int | None = None,
        message_attributes: Document | None = None,
        message_system_attributes: Document | None = None,
        message_group_id: str | None = None,
        message_deduplication_id: str | None = None,
    ) -> Document:
        queue = self._by_url.get(queue_url) or self._queue(queue_url)
        if queue.fifo:
            queue.throttle(request, "send", (message_group_id or "",))
        if self._data_keys.queues:
            self._data_keys.before_send(queue, request)
        more = (message_attributes, message_system_attributes, message_group_id, message_deduplication_id)
        return self._send(queue, request, message_body, delay_seconds, *more)

    def _send(
        self,
        queue: AnyQueue,
        request: Request,
        message_body: str,
        delay_seconds: int | None,
        message_attributes: Document | None,
        message_system_attributes: Document | None,
        group: str | None,
        deduplication: str | None,
    ) -> Document:
        quotas = self.world.quotas
        checks.check_body(message_body)
        if queue.fifo:
            checks.check_fifo_send(group, deduplication, delay_seconds, quotas)
        elif group is not None or deduplication is not None:
            checks.check_standard_send(group, deduplication, quotas)
        delay = queue.delay
        if delay_seconds is not None:
            delay, longest = delay_seconds, quotas["sqs.delay_max"]
            if not 0 <= delay <= longest:
                raise bad_value(delay, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {longest}.")
        header = request.trace_header
        if message_attributes:
            checks.check_message_attributes(message_attributes, quotas)
        if message_system_attributes:
            checks.check_system_attributes(message_system_attributes)
            header = message_system_attributes["AWSTraceHeader"]["StringValue"]
        size = checks.size_within(queue.message_size, message_body, message_attributes)
        new = queue.new_message(
            message_body, request.user_id, message_attributes or None, header, group or "", deduplication or ""
        )
        message = queue.send(request, new, size, delay)
        answer = {"MD5OfMessageBody": md5_of_body(message_body), "MessageId": message.id}
        if message_attributes:
            answer["MD5OfMessageAttributes"] = md5_of_attributes(message_attributes)
            message.digest = message.digest or answer["MD5OfMessageAttributes"]  # a repeated send changes nothing
        if message_system_attributes:
            answer["MD5OfMessageSystemAttributes"] = md5_of_attributes(message_system_attributes)
        if queue.fifo:
            answer["SequenceNumber"] = str(message.sequence)
        return answer

    def send_message_batch(self, request: Request, *, queue_url: str, entries: list[Document]) -> Document:
        queue = self._check_batch(queue_url, entries, "SendMessageBatchRequestEntry")
        total = sum(size_of(entry["MessageBody"], entry.get("MessageAttributes")) for entry in entries)
        longest = self.world.quotas["sqs.message_size"]
        if total > longest:
            text = f"Batch requests cannot be longer than {longest} bytes. You have sent {total} bytes."
            raise sqs_error("BatchRequestTooLong", text)
        if queue.fifo:
            if not all(entry.get("MessageGroupId") for entry in entries):
                raise bad_parameter(missing("MessageGroupId").message)
            if not queue.content_based and not all(entry.get("MessageDeduplicationId") for entry in entries):
                raise needs_deduplication_id()
            queue.throttle(request, "send", dict.fromkeys(entry["MessageGroupId"] for entry in entries))
        self._data_keys.before_send(queue, request)

        def send(entry: Document) -> Document:
            body, own = entry["MessageBody"], entry.get("MessageAttributes")
            checks.size_within(queue.message_size, body, own, "cannot be validated")
            return self._send(queue, request, body, *map(entry.get, _OPTIONAL))

        return without_empty_lists(run_batch(request, entries, send))

    def _check_batch(self, queue_url: str, entries: list[Document], kind: str) -> AnyQueue:
        queue = self._queue(queue_url)
        checks.check_entries(entries, kind, self.world.quotas["sqs.batch_entries"])
        return queue

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def receive_message(
        self,
        request: Request,
        *,
        queue_url: str,
        max_number_of_messages: int = 1,
        visibility_timeout: int | None = None,
        wait_time_seconds: int | None = None,
        attribute_names: list[str] | None = None,
        message_system_attribute_names: list[str] | None = None,
        message_attribute_names: list[str] | None = None,
        receive_request_attempt_id: str | None = None,
    ) -> Document:
        queue, quotas = self._by_url.get(queue_url) or self._queue(queue_url), self.world.quotas
        if not 1 <= max_number_of_messages <= quotas["sqs.batch_entries"]:
            check_range(max_number_of_messages, "MaxNumberOfMessages", 1, quotas["sqs.batch_entries"])
        visibility, wait = queue.visibility, queue.wait
        if visibility_timeout is not None:
            visibility = check_range(visibility_timeout, "VisibilityTimeout", 0, quotas["sqs.visibility_max"])
        if wait_time_seconds is not None:
            wait, longest = wait_time_seconds, quotas["sqs.wait_max"]
            if not 0 <= wait <= longest:
                raise bad_value(wait, "WaitTimeSeconds", f"Must be >= 0 and <= {longest}, if provided.")
        if receive_request_attempt_id is not None:
            checks.check_fifo_id(receive_request_attempt_id, "ReceiveRequestAttemptId", quotas, queue.fifo)
        system = [*(attribute_names or ()), *(message_system_attribute_names or ())]
        for name in system:
            if name not in SYSTEM_ATTRIBUTES:
                raise unknown_attribute(name)
        if queue.fifo:
            queue.throttle(request, "receive")
        if self._data_keys.queues:
            self._data_keys.before_receive(queue, request)
        messages = queue.receive(request, max_number_of_messages, visibility, wait, receive_request_attempt_id)
        if not messages:
            return {}
        if self._data_keys.queues:
            self._data_keys.received(queue, request, messages)
        epoch = self.world.kernel.epoch
        own = message_attribute_names
        return {"Messages": [m.document(queue.receipt_handle(m), epoch, system, own) for m in messages]}

    # ---- deleting, hiding --------------------------------------------------------------------------------------------

    def delete_message(self, request: Request, *, queue_url: str, receipt_handle: str) -> Document:
        queue = self._by_url.get(queue_url) or self._queue(queue_url)
        if queue.fifo:
            queue.throttle(request, "delete")
        queue.delete(request, receipt_handle)
        return {}

    def delete_message_batch(self, request: Request, *, queue_url: str, entries: list[Document]) -> Document:
        queue = self._check_batch(queue_url, entries, "DeleteMessageBatchRequestEntry")
        queue.throttle(request, "delete")

        def delete(entry: Document) -> Document:
            queue.delete(request, entry["ReceiptHandle"])
            return {}

        return without_empty_lists(run_batch(request, entries, delete))

    def change_message_visibility(
        self, request: Request, *, queue_url: str, receipt_handle: str, visibility_timeout: int
    ) -> Document:
        queue = self._queue(queue_url)
        queue.throttle(request, "change")
        return self._change_visibility(queue, request, receipt_handle, visibility_timeout)

    def _change_visibility(self, queue: AnyQueue, request: Request, handle: str, timeout: int) -> Document:
        check_range(timeout, "VisibilityTimeout", 0, self.world.quotas["sqs.visibility_max"])
        queue.change_visibility(request, handle, timeout)
        return {}

    def change_message_visibility_batch(self, request: Request, *, queue_url: str, entries: list[Document]) -> Document:
        queue = self._check_batch(queue_url, entries, "ChangeMessageVisibilityBatchRequestEntry")
        queue.throttle(request, "change")

        def change(entry: Document) -> Document:
            if "VisibilityTimeout" not in entry:
                raise missing("VisibilityTimeout")
            return self._change_visibility(queue, request, entry["ReceiptHandle"], entry["VisibilityTimeout"])

        return without_empty_lists(run_batch(request, entries, change))

    # ---- redrive -----------------------------------------------------------------------------------------------------

    def start_message_move_task(
        self,
        request: Request,
        *,
        source_arn: str,
        destination_arn: str | None = None,
        max_number_of_messages_per_second: int | None = None,
    ) -> Document:
        most = self.world.quotas["sqs.move_rate_max"]
        if max_number_of_messages_per_second is not None and not 1 <= max_number_of_messages_per_second <= most:
            name, reason = "MaxNumberOfMessagesPerSecond", f"You must enter a number that's between 1 and {most}."
            raise bad_parameter(f"Value for parameter {name} is invalid. Reason: {reason}")
        source = self._resource(source_arn, "SourceArn")
        if not any(queue.redrive and queue.redrive.target == source.arn for queue in self.queues.values()):
            raise bad_parameter("Source queue must be configured as a Dead Letter Queue.")
        target = self._resource(destination_arn, "DestinationArn") if destination_arn is not None else None
        return {"TaskHandle": self._tasks.start(source, target, max_number_of_messages_per_second, request).handle}

    def list_message_move_tasks(self, request: Request, *, source_arn: str, max_results: int = 1) -> Document:
        check_range(max_results, "MaxResults", 1, self.world.quotas["sqs.move_tasks_listed"])
        tasks = self._tasks.of(self._resource(source_arn, "SourceArn"))[:max_results]
        return {"Results": [task.describe(self.world.kernel.epoch) for task in tasks]}

    def cancel_message_move_task(self, request: Request, *, task_handle: str) -> Document:
        return {"ApproximateNumberOfMessagesMoved": self._tasks.cancel(task_handle, self._by_arn).moved}

    def _resource(self, arn: str, parameter: str) -> AnyQueue:
        if Arn.parse(arn) is None:
            raise bad_parameter(f"You must use this format to specify the {parameter}: {_ARN_FORM}")
        queue = self._by_arn(arn)
        if queue is None:
            text = f"The resource that you specified for the {parameter} parameter doesn't exist."
            raise ServiceError("ResourceNotFoundException", text, status=404)
        return queue
