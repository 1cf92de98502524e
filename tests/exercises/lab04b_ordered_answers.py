"""Wrong answers to lab 04b's fan-out in order, as learners write them, each with what the verdict must say."""

import json
import time
import uuid

from exercises.lab04_answers import make_queue, policy_for


def wire_fifo(sns, sqs, topic_name, queue_names, policy=True, **attributes):
    topic_arn = sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"} | attributes)["TopicArn"]
    for name in queue_names:
        url, arn = make_queue(sqs, name, {"FifoQueue": "true"})
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return topic_arn


def _publishing(group=lambda e: e["customer"], id=lambda e: e["id"], text=json.dumps, order=list, **wiring):
    def publisher(sns, sqs, topic_name, queue_names, events):
        topic_arn = wire_fifo(sns, sqs, topic_name, queue_names, **wiring)
        for event in order(events):
            ids = {"MessageGroupId": group(event)} | ({"MessageDeduplicationId": id(event)} if id else {})
            sns.publish(TopicArn=topic_arn, Message=text(event), **ids)

    return publisher


_BY_CONTENT = {"ContentBasedDeduplication": "true"}
ordered_new_id_each_time = _publishing(id=lambda event: str(uuid.uuid4()))
ordered_by_content_with_the_time = _publishing(
    id=None, text=lambda event: json.dumps(event | {"sent": time.time()}), **_BY_CONTENT
)
ordered_by_content_without_the_switch = _publishing(id=None)
ordered_id_is_a_hash = _publishing(id=lambda event: str(hash(event["id"])))  # once passed
ordered_id_of_the_customer = _publishing(id=lambda event: event["customer"])
ordered_id_of_the_text = _publishing(id=lambda event: event["text"])
ordered_one_group = _publishing(group=lambda event: "events")
ordered_a_group_for_each_event = _publishing(group=lambda event: event["id"])
ordered_backwards = _publishing(order=lambda events: events[::-1])
ordered_forgets_the_last = _publishing(order=lambda events: events[:-1])
ordered_sends_the_text_only = _publishing(text=lambda event: event["text"])
ordered_without_policy = _publishing(policy=False)


def ordered_open_to_all_topics(sns, sqs, topic_name, queue_names, events):
    _publishing()(sns, sqs, topic_name, queue_names, events)
    for name in queue_names:
        url, arn = make_queue(sqs, name, {"FifoQueue": "true"})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, "", condition={})})


def ordered_subscribes_afterwards(sns, sqs, topic_name, queue_names, events):
    _publishing()(sns, sqs, topic_name, [], events)
    wire_fifo(sns, sqs, topic_name, queue_names)


def ordered_standard_topic(sns, sqs, topic_name, queue_names, events):
    sns.create_topic(Name=topic_name)


def ordered_standard_queues(sns, sqs, topic_name, queue_names, events):
    sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"})
    for name in queue_names:
        make_queue(sqs, name)


def ordered_without_a_group(sns, sqs, topic_name, queue_names, events):
    topic_arn = wire_fifo(sns, sqs, topic_name, queue_names)
    for event in events:
        sns.publish(TopicArn=topic_arn, Message=json.dumps(event))


def ordered_sends_to_each_queue(sns, sqs, topic_name, queue_names, events):
    wire_fifo(sns, sqs, topic_name, [])
    for name in queue_names:
        url, _ = make_queue(sqs, name, {"FifoQueue": "true"})
        for event in events:
            ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event), **ids)


WRONG = [
    (
        "04b.ordered",
        ordered_new_id_each_time,
        ["event-1 is in queue 'stock.fifo' twice", "could not know", "1 event, .* crash"],
    ),
    ("04b.ordered", ordered_by_content_with_the_time, ["twice", 'ids are made from the texts, .*"sent": 16']),
    (
        "04b.ordered",
        ordered_by_content_without_the_switch,
        ["ContentBasedDeduplication enabled or", r"line \d+: sns.pub"],
    ),
    (
        "04b.ordered",
        ordered_id_is_a_hash,
        ["event-1 is in queue 'stock.fifo' twice", "is another number in each process", "1 event, .* crash"],
    ),
    ("04b.ordered", ordered_id_of_the_customer, ["event-4 is not in queue", "id 'ann'", "Two events need two ids"]),
    (
        "04b.ordered",
        ordered_id_of_the_text,
        ["event-2 is not in queue", "id 'placed'", "event-1  .*publisher published event-2 too with"],
    ),
    ("04b.ordered", ordered_one_group, ["events of ann and bob are in one group, 'events'", "makes the other wait"]),
    ("04b.ordered", ordered_a_group_for_each_event, ["of ann are in several groups, 'event-1' and 'event-4'"]),
    ("04b.ordered", ordered_backwards, ["event-4 of ann stands before event-1"]),
    ("04b.ordered", ordered_forgets_the_last, ["event-6 is not in queue 'stock.fifo': it was never published"]),
    ("04b.ordered", ordered_sends_the_text_only, ["a message 'placed'. Publish each event as JSON"]),
    (
        "04b.ordered",
        ordered_without_policy,
        ["event-1 did not come to queue 'stock.fifo'", "It has none", "event-1  in group ann"],
    ),
    ("04b.ordered", ordered_open_to_all_topics, ["A topic of another account", "may send into queue 'stock.fifo'"]),
    ("04b.ordered", ordered_subscribes_afterwards, [r"published at 0\.\d\d s, but the queue was subscribed at"]),
    ("04b.ordered", ordered_standard_topic, ["Invalid parameter: Topic Name", "{'FifoTopic': 'true'}"]),
    ("04b.ordered", ordered_standard_queues, ["alphanumeric", r"line \d+: make_queue", "{'FifoQueue': 'true'}"]),
    ("04b.ordered", ordered_without_a_group, ["The MessageGroupId parameter is required for FIFO topics"]),
    (
        "04b.ordered",
        ordered_sends_to_each_queue,
        ["event-1 was sent straight into queue 'stock.fifo'", "to the topic, once"],
    ),
]
