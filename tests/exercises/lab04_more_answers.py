"""More answers to the exercises of labs 04 and 04b, wrong and right, as a first-time learner wrote them."""

import hashlib
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus

import boto3
from exercises.lab04_answers import _allowing, _attributes, _body, _filters, _matching, make_queue, policy_for
from exercises.lab04_delivery_answers import _forwarding, post_and_delete, subscribed_queue
from exercises.lab04b_answers import _from_bucket, _pipeline, _uploads
from exercises.lab04b_ordered_answers import _publishing, wire_fifo

# ---- 04.wiring -------------------------------------------------------------------------------------------------------


def _wiring(open_queue):
    """A wiring where `open_queue(sqs, name, topic_arn)` makes a queue, lets the topic in, and returns the ARN."""

    def wire(sns, sqs, topic_name, queue_names):
        topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
        for name in queue_names:
            sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=open_queue(sqs, name, topic_arn))

    return wire


def _let_in(sqs, name, topic_arn):
    url, arn = make_queue(sqs, name)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
    return arn


wiring_topic_as_principal = _allowing(principal={"AWS": "arn:aws:sns:us-east-1:123456789012:orders"})
wiring_for_all_that_end_alike = _matching("StringLike", "*:orders")


@_wiring
def wiring_policy_for_new_queues_only(sqs, name, topic_arn):
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    except sqs.exceptions.QueueDoesNotExist:
        url, arn = make_queue(sqs, name)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
        return arn


@_wiring
def wiring_begins_with_a_delete(sqs, name, topic_arn):
    try:
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        pass
    return _let_in(sqs, name, topic_arn)


@_wiring
def wiring_policy_from_the_beginning(sqs, name, topic_arn):
    arn = topic_arn.replace(":sns:", ":sqs:").rpartition(":")[0] + f":{name}"
    sqs.create_queue(QueueName=name, Attributes={"Policy": policy_for(arn, topic_arn)})
    return arn


def wiring_of_the_resource(sns, sqs, topic_name, queue_names):
    topic = boto3.resource("sns").create_topic(Name=topic_name)
    for name in queue_names:
        queue = boto3.resource("sqs").create_queue(QueueName=name)
        arn = queue.attributes["QueueArn"]
        queue.set_attributes(Attributes={"Policy": policy_for(arn, topic.arn)})
        topic.subscribe(Protocol="sqs", Endpoint=arn)


# ---- 04.filters ------------------------------------------------------------------------------------------------------

filters_over_ninety_nine = _filters(big=_attributes(total=[{"numeric": [">", 99]}]))
filters_asia_by_its_ends = _filters(
    asia=_attributes(country=[{"suffix": "R"}, {"suffix": "P"}], test=[{"exists": False}])
)
filters_asia_in_the_body = _filters(asia=_body(country=["KR", "JP"], test=[{"exists": False}]))
filters_asia_or_no_test = _filters(
    asia=_attributes(**{"$or": [{"country": ["KR", "JP"]}, {"test": [{"exists": False}]}]})
)
filters_abroad_not_with_a_k = _filters(abroad=_attributes(country=[{"anything-but": {"prefix": "K"}}]))
filters_abroad_not_asia = _filters(abroad=_attributes(country=[{"anything-but": ["KR", "JP"]}]))
filters_items_in_a_list = _filters(fragile=_body(items=[{"tags": ["fragile"]}]))
filters_not_fragile_too = _filters(fragile=_body(items={"tags": [{"suffix": "fragile"}]}))
filters_spring_in_whole_dollars = _filters(spring=_body(coupon=[{"prefix": "SPRING-"}], total=list(range(20, 100))))
filters_spring_one_rule_each = _filters(
    spring=_body(coupon=[{"prefix": "SPRING-"}], total=[{"numeric": [">=", 20]}, {"numeric": ["<", 100]}])
)
filters_big_in_two_rules = _filters(big=_body(total=[{"numeric": [">", 100]}, 100]))

# ---- 04.flaky --------------------------------------------------------------------------------------------------------


def _polling(open_queue):
    """A function that carries what is in the queue that `open_queue(sns, sqs, topic_arn)` makes."""

    def deliver(sns, sqs, topic_arn, url, post):
        queue_url = open_queue(sns, sqs, topic_arn)
        while True:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                post_and_delete(post, message["Body"], lambda target=target: sqs.delete_message(**target))

    return deliver


@_polling
def flaky_another_queue_each_time(sns, sqs, topic_arn):
    return subscribed_queue(sns, sqs, topic_arn, name=f"partner-{uuid.uuid4()}")


@_polling
def flaky_begins_with_a_purge(sns, sqs, topic_arn):
    queue_url = subscribed_queue(sns, sqs, topic_arn)
    sqs.purge_queue(QueueUrl=queue_url)
    return queue_url


@_polling
def flaky_keeps_for_an_hour(sns, sqs, topic_arn):
    return subscribed_queue(sns, sqs, topic_arn, attributes={"MessageRetentionPeriod": "3600"})


@_forwarding
def flaky_five_tries(post, body, delete):
    for _ in range(5):
        try:
            post(body)
            break
        except Exception:
            pass
    delete()


@_polling
def flaky_hides_for_an_hour(sns, sqs, topic_arn):  # once failed: there was no time for a second try
    return subscribed_queue(sns, sqs, topic_arn, attributes={"VisibilityTimeout": "3600"})


def flaky_ten_threads(sns, sqs, topic_arn, url, post):
    queue_url = subscribed_queue(sns, sqs, topic_arn)

    def carry(message):
        target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
        post_and_delete(post, message["Body"], lambda: sqs.delete_message(**target))

    ask = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
    with ThreadPoolExecutor(10) as pool:
        while True:
            list(pool.map(carry, sqs.receive_message(**ask).get("Messages", [])))


# ---- 04b.pipeline ----------------------------------------------------------------------------------------------------


def _with_each(use):
    """A pipeline whose function calls `use(save, key)` for each upload, with the key as S3 wrote it."""

    def handling(save):
        def handler(event, context):
            for upload, _ in _uploads(event):
                use(save, upload["s3"]["object"]["key"])

        return handler

    return _pipeline(handling)


pipeline_replaces_the_plus = _with_each(lambda save, key: save(key.replace("+", " ")))
pipeline_decodes_twice = _with_each(lambda save, key: save(unquote_plus(unquote_plus(key))))
pipeline_saves_the_file_name = _with_each(lambda save, key: save(unquote_plus(key).split("/")[-1]))
pipeline_in_small_letters = _with_each(lambda save, key: save(unquote_plus(key).lower()))  # once passed
pipeline_in_a_thread = _with_each(lambda save, key: threading.Thread(target=save, args=[unquote_plus(key)]).start())
pipeline_suffix_without_dot = _pipeline(filters=(("prefix", "photos/"), ("suffix", "jpg")))  # once passed
pipeline_buckets_that_begin_alike = _pipeline(  # once passed
    s3_may=lambda bucket: {
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}*"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
)
pipeline_of_another_account = _pipeline(s3_may=lambda bucket: _from_bucket(bucket, "111122223333"))
pipeline_four_events = _pipeline(
    events=[f"s3:ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload")]
)


def _remembering(save):
    done = set()

    def handler(event, context):
        for _, key in _uploads(event):
            if key not in done:
                done.add(key)
                save(key)

    return handler


pipeline_remembers_first = _pipeline(_remembering)

# ---- 04b.ordered -----------------------------------------------------------------------------------------------------


def ordered_counts_from_nothing(sns, sqs, topic_name, queue_names, events):
    numbers = {event["id"]: str(n) for n, event in enumerate(events)}
    _publishing(id=lambda event: numbers[event["id"]])(sns, sqs, topic_name, queue_names, events)


ordered_id_of_customer_and_text = _publishing(
    id=lambda event: hashlib.md5((event["customer"] + event["text"]).encode()).hexdigest()
)
ordered_by_the_ids_as_texts = _publishing(order=lambda events: sorted(events, key=lambda event: event["id"]))
ordered_prints_the_dict = _publishing(text=str)


def ordered_at_once(sns, sqs, topic_name, queue_names, events):
    topic_arn = wire_fifo(sns, sqs, topic_name, queue_names)

    def publish(event):
        ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
        sns.publish(TopicArn=topic_arn, Message=json.dumps(event), **ids)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, events))


WRONG = [
    ("04.wiring", wiring_topic_as_principal, [r"Statement\[0\].Principal.AWS: is 'arn:aws:sns", "12 digits"]),
    ("04.wiring", wiring_for_all_that_end_alike, ["A topic of another account", r"StringLike aws:SourceArn \*:orders"]),
    ("04.wiring", wiring_policy_for_new_queues_only, ["order-1 did not come", "It has none", "a crash during call 4"]),
    ("04.wiring", wiring_begins_with_a_delete, ["QueueDeletedRecently", "wait 60 seconds"]),
    ("04.filters", filters_over_ninety_nine, ["'big' wants", r"But it got order-\d+ \(total 99\.99"]),
    ("04.filters", filters_asia_by_its_ends, ["'asia' wants", "But it got", "lets that pass.*suffix"]),
    ("04.filters", filters_asia_in_the_body, ["looks at the body, kept it out: country is missing"]),
    ("04.filters", filters_asia_or_no_test, ["'asia' wants", "But it got", r"lets that pass: {'\$or'"]),
    (
        "04.filters",
        filters_abroad_not_with_a_k,
        ["'abroad' wants .* It did not get", 'wanted: anything but prefix "K"'],
    ),
    ("04.filters", filters_abroad_not_asia, ["It did not get", 'country is "JP"; wanted: anything but "KR", "JP"']),
    ("04.filters", filters_items_in_a_list, ["does not take the filter policy of queue 'fragile'", "match type tags"]),
    ("04.filters", filters_not_fragile_too, ["'fragile' wants", "But it got", "not fragile"]),
    ("04.filters", filters_spring_in_whole_dollars, ["'spring' wants .* It did not get", r"total is \d\d\.\d"]),
    ("04.filters", filters_spring_one_rule_each, ["'spring' wants", "But it got", "lets that pass"]),
    ("04.flaky", flaky_another_queue_each_time, ["After the crash at 60 s", "a name that is the same at each start"]),
    ("04.flaky", flaky_begins_with_a_purge, ["forwarder emptied queue 'partner' at 65", "it was in there"]),
    ("04.flaky", flaky_keeps_for_an_hour, ["at 3660 s it was older than the retention period"]),
    ("04.flaky", flaky_five_tries, ["forwarder deleted its message", "before the partner had it", "down until 110 s"]),
    ("04b.pipeline", pipeline_replaces_the_plus, [r"called save\('photos/.*%", "unquote_plus"]),
    ("04b.pipeline", pipeline_decodes_twice, [r"save\('photos/a b \(1\).jpg'\)", "decoded twice", "decode it once"]),
    ("04b.pipeline", pipeline_saves_the_file_name, [r"save\('cat.jpg'\)", "no such key. Give it the whole key"]),
    (
        "04b.pipeline",
        pipeline_in_small_letters,
        [r"save\('photos/img_0042 copy.jpg'\)", "the whole key, as S3 wrote it"],
    ),
    ("04b.pipeline", pipeline_in_a_thread, ["save failed in a thread of its own", "let its exception out"]),
    ("04b.pipeline", pipeline_suffix_without_dot, ["'photos/how-to-jpg' is no .jpg under photos/", "suffix 'jpg'"]),
    ("04b.pipeline", pipeline_buckets_that_begin_alike, ["Another bucket of your account, holiday-photos-2,"]),
    ("04b.pipeline", pipeline_of_another_account, ["S3 tried at once", 'wants "111122223333", and the request has']),
    ("04b.pipeline", pipeline_remembers_first, ["was not saved: save failed once", "Let it out"]),
    ("04b.ordered", ordered_counts_from_nothing, ["event-2 is not in queue", "id '0' of an earlier one"]),
    ("04b.ordered", ordered_id_of_customer_and_text, ["is not in queue", "took it for a repetition", "need two ids"]),
    ("04b.ordered", ordered_at_once, ["event-4 of ann stands before event-1", "in the order of the list"]),
    ("04b.ordered", ordered_by_the_ids_as_texts, ["event-10 of ann stands before event-7"]),
    ("04b.ordered", ordered_prints_the_dict, [r"In queue 'stock.fifo' is a message \"{'id'", r"json.dumps\(event\)"]),
]
RIGHT = [
    ("04.wiring", wiring_policy_from_the_beginning),
    ("04.wiring", wiring_of_the_resource),
    ("04.filters", filters_big_in_two_rules),
    ("04.flaky", flaky_hides_for_an_hour),
    ("04.flaky", flaky_ten_threads),
    ("04b.pipeline", pipeline_four_events),
]
