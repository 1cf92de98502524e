"""The exercises of labs 04 and 04b: what is special about them. What all exercises promise is in test_answers.py."""

import json

import pytest
from exercises import lab04_answers as answers
from exercises import lab04_delivery_answers as delivery
from exercises import lab04b_answers as pipelines
from exercises import lab04b_ordered_answers as ordered

from lablib.exercises import all_exercises, exercise
from lablib.exercises.wiring import text_of

WRONG = [*answers.WRONG, *delivery.WRONG, *pipelines.WRONG, *ordered.WRONG]
pytestmark = pytest.mark.usefixtures("own_home")
LAB = [e.id for e in all_exercises() if e.id.startswith("04")]


@pytest.mark.parametrize("id", LAB)
def test_wrong_answers_of_an_exercise_get_different_sentences(id):
    alike = {  # the same mistake, made in another way
        delivery.flaky_keeps_it_in_memory,
        pipelines.pipeline_decodes_percent_only,
        pipelines.pipeline_notifies_first,
        pipelines.pipeline_three_rules,
    }
    mine = [fn for wrong, fn, _ in WRONG if wrong == id and fn not in alike]
    sentences = [exercise(id).check(fn).text.splitlines()[1] for fn in mine]
    assert len(set(sentences)) == len(sentences)


# ---- other ways that are right too -----------------------------------------------------------------------------------


def _lets_in(statement):
    def allow(sqs, url, arn, topic_arn):
        policy = {"Version": "2012-10-17", "Statement": statement(arn, topic_arn)}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    return answers._wiring(allow)


def _allow(arn, condition, principal=None, action="SQS:SendMessage"):
    who = principal or {"Service": "sns.amazonaws.com"}
    return {"Effect": "Allow", "Principal": who, "Action": action, "Resource": arn, "Condition": condition}


@pytest.mark.parametrize(
    "statement",
    [
        lambda arn, topic: _allow(arn, {"StringEquals": {"aws:SourceArn": topic}}),
        lambda arn, topic: _allow(arn, {"ArnLike": {"AWS:SourceArn": [topic]}}),
        lambda arn, topic: _allow(arn, {"ArnEquals": {"aws:SourceArn": topic}}, "*"),  # nobody else has that SourceArn
        lambda arn, topic: _allow("*", {"ArnEquals": {"aws:SourceArn": topic}}),
        lambda arn, topic: [
            _allow(arn, {"StringEquals": {"aws:SourceAccount": "123456789012"}}),
            _allow(arn, {"ArnNotEquals": {"aws:SourceArn": topic}}, "*") | {"Effect": "Deny"},
        ],
    ],
    ids=["string", "like", "anybody in its name", "any resource", "deny the others"],
)
def test_a_policy_is_judged_by_who_gets_in_and_not_by_its_text(statement):
    assert exercise("04.wiring").check(_lets_in(statement))


def test_raw_delivery_and_a_policy_given_at_birth_are_right_too():
    def wire(sns, sqs, topic_name, queue_names):
        topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
        for name in queue_names:
            arn = topic_arn.replace(":sns:", ":sqs:").replace(topic_name, name)
            sqs.create_queue(QueueName=name, Attributes={"Policy": answers.policy_for(arn, topic_arn)})
            raw = {"RawMessageDelivery": "true"}
            sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=raw)

    assert exercise("04.wiring").check(wire)


@pytest.mark.parametrize(
    "others",
    [
        {"big": answers._body(total=[{"numeric": [">=", 100]}])},
        {"audit": ({}, "MessageAttributes")},
        {"asia": answers._attributes(country=[{"prefix": "KR"}, {"prefix": "JP"}], test=[{"exists": False}])},
        {"abroad": answers._attributes(country=[{"anything-but": "KR"}])},
    ],
    ids=["total is in the body too", "an empty policy", "prefixes", "one value"],
)
def test_other_filters_with_the_same_effect_are_right(others):
    assert exercise("04.filters").check(answers._filters(**others))


def test_no_entry_means_no_filter_policy():
    assert exercise("04.filters").check(answers._filters(left_out="audit"))


def test_the_form_of_a_filter_is_checked_before_it_is_tried():
    assert "is no JSON" in exercise("04.filters").check(answers._filters(big=answers._attributes(total={1}))).text


def test_a_dead_letter_queue_that_somebody_empties_loses_nothing():
    def deliver(sns, sqs, topic_arn, url, post):
        delivery.flaky_grave_that_nobody_visits(sns, sqs, topic_arn, url, post)
        queue_url, _ = answers.make_queue(sqs, "dead-letters")
        while True:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                order = json.loads(message["Body"])["Message"]  # SNS puts what it gave up on there in its envelope
                delivery.post_and_delete(post, order, lambda target=target: sqs.delete_message(**target))

    assert exercise("04.flaky").check(deliver)


def test_a_partner_is_not_blamed_when_it_was_there_all_the_time():
    verdict = exercise("04.flaky").check(delivery.flaky_queue_without_forwarder)
    assert "was down" not in verdict.text
    assert "answers 500" not in verdict.text


def test_publishing_in_batches_and_by_content_is_right_too():
    def publisher(sns, sqs, topic_name, queue_names, events):
        attributes = {"ContentBasedDeduplication": "true"}
        topic_arn = ordered.wire_fifo(sns, sqs, topic_name, queue_names, **attributes)
        left = list(events)
        while left:
            batch = {}
            for event in left:
                batch.setdefault(event["customer"], event)
            entries = [
                {"Id": e["id"], "Message": json.dumps(e), "MessageGroupId": e["customer"]} for e in batch.values()
            ]
            answer = sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=entries)
            done = {entry["Id"] for entry in answer["Successful"]}
            left = [event for event in left if event["id"] not in done]

    assert exercise("04b.ordered").check(publisher)


def test_a_crash_of_the_publisher_is_told():
    story = exercise("04b.ordered").check(ordered.ordered_new_id_each_time).replay().story
    assert "publisher crashed" in story
    assert story.count("published to orders.fifo by publisher") == 2


def test_the_story_of_a_repetition_shows_the_two_events_only():
    story = exercise("04b.ordered").check(ordered.ordered_id_of_the_text).replay().story
    assert "publisher published event-2 too with the deduplication id 'placed'" in story
    assert "event-3" not in story
    assert "once more" not in story


def test_an_event_that_is_published_again_in_a_batch_is_told_from_the_others():
    def publisher(sns, sqs, topic_name, queue_names, events):
        topic_arn = ordered.wire_fifo(sns, sqs, topic_name, queue_names)
        keys = [{"MessageGroupId": e["customer"], "MessageDeduplicationId": e["text"] + e["customer"]} for e in events]
        keys[-1] = keys[0]
        entries = [{"Id": e["id"], "Message": json.dumps(e)} | key for e, key in zip(events, keys, strict=True)]
        sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=entries)

    verdict = exercise("04b.ordered").check(publisher)
    assert "event-6 is not in queue 'stock.fifo'. SNS took it for a repetition" in verdict.text
    assert "published event-6 too with the deduplication id 'placedann'" in verdict.text


def test_a_refused_event_keeps_its_own_label():
    replay = exercise("04b.ordered").check(ordered.ordered_without_policy).replay()
    groups = {replay.labels[row.subject]: row.detail for row in replay.trace.where("JoinedGroup", "orders.fifo")}
    assert groups == {f"event-{n + 1}": ("ann", "bob", "eve")[n % 3] for n in range(6)}


def test_a_story_has_no_whole_message_ids():
    replay = exercise("04b.ordered").check(ordered.ordered_new_id_each_time).replay()
    ids = [row.subject for row in replay.trace.where("Sent")]
    assert ids and not any(id in replay.story for id in ids)
    assert all(id[-8:] not in replay.story for id in ids), "each has a name: the verdict calls it so"
    assert replay.story.count("event-1 in stock.fifo  sent to stock.fifo") == len(ids) == 2


def test_the_hints_of_the_pipeline_name_what_each_arrow_needs():
    hints = exercise("04b.pipeline").hints
    words = ("aws:SourceAccount", "lambda:InvokeFunction", "StatementId", "test event")
    assert not any(word in hints[0] for word in words)
    assert all(word in " ".join(hints[1:]) for word in words)


def test_the_function_may_have_a_queue_of_its_own_in_front():
    def pipeline(cloud, bucket, save):
        def handler(event, context):
            for record in event["Records"]:
                pipelines._saving(save)({"Records": [{"Sns": {"Message": record["body"]}}]}, context)

        sns, sqs, functions = cloud.client("sns"), cloud.client("sqs"), cloud.client("lambda")
        pipelines._pipeline(subscribed=("queues",), sns_may=False)(cloud, bucket, save)
        cloud.deploy("catalogue", handler)
        topic_arn = sns.list_topics()["Topics"][0]["TopicArn"]
        delivery.subscribed_queue(sns, sqs, topic_arn, "for-the-catalogue")
        source = topic_arn.replace(":sns:", ":sqs:").replace("uploads", "for-the-catalogue")
        functions.create_event_source_mapping(FunctionName="catalogue", EventSourceArn=source, BatchSize=1)

    assert exercise("04b.pipeline").check(pipeline)


def test_the_pipeline_passes_other_files_by_filter_policies_too():
    def pipeline(cloud, bucket, save):
        pipelines._pipeline(filters=())(cloud, bucket, save)
        sns = cloud.client("sns")
        key = [{"wildcard": "photos/*.jpg"}]
        policy = json.dumps({"Records": {"s3": {"object": {"key": key}}}})
        topic_arn = sns.list_topics()["Topics"][0]["TopicArn"]
        for subscription in sns.list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]:
            for name, value in (("FilterPolicyScope", "MessageBody"), ("FilterPolicy", policy)):
                target = {"SubscriptionArn": subscription["SubscriptionArn"], "AttributeName": name}
                sns.set_subscription_attributes(**target, AttributeValue=value)

    assert exercise("04b.pipeline").check(pipeline)


def test_something_else_in_a_queue_of_the_pipeline_is_told():
    def pipeline(cloud, bucket, save):
        pipelines._pipeline()(cloud, bucket, save)
        url, _ = answers.make_queue(cloud.client("sqs"), "search")
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody="hello?")

    assert (
        "In queue 'search' is a message that is no event of S3: 'hello?'"
        in exercise("04b.pipeline").check(pipeline).text
    )


@pytest.mark.parametrize("body", ["order-1", "[]", '{"Message": "x"}', '"text"', '{"order": 1}'])
def test_only_an_envelope_of_sns_is_taken_off(body):
    assert text_of(body) == body
    assert text_of(json.dumps({"TopicArn": "arn", "Message": body})) == body
