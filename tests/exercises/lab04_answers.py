"""Wrong answers to lab 04's exercises, as learners write them, each with what the verdict must say."""

import json
import time
import uuid

# ---- 04.wiring -------------------------------------------------------------------------------------------------------


def _policy(arn, topic_arn, action="sqs:SendMessage", principal=None, condition=None):
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"Service": "sns.amazonaws.com"},
        "Action": action,
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}} if condition is None else condition,
    }
    if not statement["Condition"]:
        del statement["Condition"]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _queue(sqs, name, attributes=None):
    url = sqs.create_queue(QueueName=name, Attributes=attributes or {})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _wiring(allow):
    """A wiring where `allow(sqs, url, arn, topic_arn)` lets the topic in."""

    def wire(sns, sqs, topic_name, queue_names):
        topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
        for name in queue_names:
            url, arn = _queue(sqs, name)
            allow(sqs, url, arn, topic_arn)
            sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

    return wire


def _allowing(**parts):
    def allow(sqs, url, arn, topic_arn):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn, **parts)})

    return _wiring(allow)


def _matching(operator, pattern):
    return _allowing(condition={operator: {"aws:SourceArn": pattern}})


wiring_without_policy = _wiring(lambda sqs, url, arn, topic_arn: None)
wiring_for_everybody = _allowing(principal="*", condition={})
wiring_for_every_topic = _allowing(condition={})
wiring_for_every_topic_of_the_account = _allowing(condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})
wiring_for_topics_that_begin_alike = _wiring(
    lambda sqs, url, arn, topic_arn: sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"Policy": _policy(arn, "", condition={"ArnLike": {"aws:SourceArn": topic_arn + "*"}})},
    )
)
wiring_for_that_name_everywhere = _wiring(
    lambda sqs, url, arn, topic_arn: sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "Policy": _policy(
                arn, "", condition={"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:" + topic_arn.rpartition(":")[2]}}
            )
        },
    )
)
wiring_for_the_role_of_the_account = _allowing(principal={"AWS": "123456789012"}, condition={})
wiring_for_the_account_that_holds_the_topic = _wiring(
    lambda sqs, url, arn, topic_arn: sqs.add_permission(
        QueueUrl=url, Label="sns", AWSAccountIds=["123456789012"], Actions=["SendMessage"]
    )
)
wiring_allows_everything = _allowing(action="sqs:*")
wiring_compares_with_a_pattern = _matching("StringEquals", "arn:aws:sns:*:*:orders")


def wiring_subscribes_the_url(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        url, arn = _queue(sqs, name)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=url)


def wiring_with_the_policy_of_the_last_queue(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    urls = []
    for name in queue_names:
        url, arn = _queue(sqs, name)
        urls.append(url)
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    for url in urls:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})


def wiring_forgets_to_subscribe(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        url, arn = _queue(sqs, name)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})


def wiring_of_three_queues_by_name(sns, sqs, topic_name, queue_names):
    _allowing()(sns, sqs, "orders", ["email", "stock", "analytics"])


def wiring_leaves_when_the_topic_is_there(sns, sqs, topic_name, queue_names):
    topics = [topic["TopicArn"].rpartition(":")[2] for topic in sns.list_topics()["Topics"]]
    if topic_name not in topics:
        _allowing()(sns, sqs, topic_name, queue_names)


def wiring_with_a_new_sid_each_time(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        arn = topic_arn.replace(":sns:", ":sqs:").replace(topic_name, name)
        policy = json.loads(_policy(arn, topic_arn))
        policy["Statement"][0]["Sid"] = uuid.uuid4().hex
        _queue(sqs, name, {"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)


def wiring_tries_it_out(sns, sqs, topic_name, queue_names):
    _allowing()(sns, sqs, topic_name, queue_names)
    sns.publish(TopicArn=sns.create_topic(Name=topic_name)["TopicArn"], Message="hello, does it work?")


# ---- 04.filters ------------------------------------------------------------------------------------------------------

_RIGHT = {
    "audit": None,
    "big": ({"total": [{"numeric": [">=", 100]}]}, "MessageAttributes"),
    "asia": ({"country": ["KR", "JP"], "test": [{"exists": False}]}, "MessageAttributes"),
    "abroad": ({"country": [{"anything-but": ["KR"]}]}, "MessageAttributes"),
    "fragile": ({"items": {"tags": ["fragile"]}}, "MessageBody"),
    "spring": ({"coupon": [{"prefix": "SPRING-"}], "total": [{"numeric": [">=", 20, "<", 100]}]}, "MessageBody"),
}


def _filters(left_out="", **others):
    def filters():
        return {queue: entry for queue, entry in (_RIGHT | others).items() if queue != left_out}

    return filters


def _attributes(**policy):
    return policy, "MessageAttributes"


def _body(**policy):
    return policy, "MessageBody"


filters_over_a_hundred = _filters(big=_attributes(total=[{"numeric": [">", 100]}]))
filters_for_a_hundred = _filters(big=_attributes(total=[100]))
filters_number_as_text = _filters(big=_attributes(total=[{"numeric": [">=", "100"]}]))
filters_forgets_big = _filters(left_out="big")
filters_with_tests = _filters(asia=_attributes(country=["KR", "JP"]))
filters_test_is_no = _filters(asia=_attributes(country=["KR", "JP"], test=["no"]))
filters_test_is_not_yes = _filters(asia=_attributes(country=["KR", "JP"], test=[{"anything-but": ["yes"]}]))
filters_abroad_or_nowhere = _filters(abroad=_attributes(country=[{"anything-but": ["KR"]}, {"exists": False}]))
filters_abroad_is_a_list = _filters(abroad=_attributes(country=["US", "JP", "CN"], total=[{"numeric": ["<", 1000]}]))
filters_abroad_without_list = _filters(abroad=_attributes(country={"anything-but": "KR"}))
filters_items_as_attribute = _filters(fragile=_attributes(items=["fragile"]))
filters_nested_attributes = _filters(fragile=_attributes(items={"tags": ["fragile"]}))
filters_tags_at_the_top = _filters(fragile=_body(tags=["fragile"]))
filters_of_the_name = _filters(fragile=_body(items={"name": ["vase", "lamp", {"prefix": "fragile"}]}))
filters_coupon_as_attribute = _filters(spring=_attributes(coupon=[{"prefix": "SPRING-"}]))
filters_any_spring = _filters(
    spring=_body(coupon=[{"prefix": "SPRING"}], total=[{"numeric": [">=", 20, "<", 100]}])
)  # fmt: skip
filters_spring_up_to_a_hundred = _filters(
    spring=_body(coupon=[{"prefix": "SPRING-"}], total=[{"numeric": [">=", 20, "<=", 100]}])
)
filters_spring_one_or_the_other = _filters(
    spring=_body(**{"$or": [{"coupon": [{"prefix": "SPRING-"}]}, {"total": [{"numeric": [">=", 20, "<", 100]}]}]})
)
filters_an_empty_list_for_audit = _filters(audit=_attributes(total=[]))
filters_without_scope = _filters(big={"total": [{"numeric": [">=", 100]}]})
filters_with_a_scope_of_its_own = _filters(big=({"total": [{"numeric": [">=", 100]}]}, "Attributes"))
filters_for_another_queue = _filters(korea=_attributes(country=["KR"]))


def filters_subscribes_itself():
    print(_RIGHT)


# ---- 04.flaky --------------------------------------------------------------------------------------------------------


def _subscribed_queue(sns, sqs, topic_arn, name="partner", attributes=None, **parts):
    url, arn = _queue(sqs, name, attributes)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn, **parts)})
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return url


def _forwarding(forward, attributes=None):
    """A queue in between; `forward(post, body, delete)` for each message."""

    def deliver(sns, sqs, topic_arn, url, post):
        queue_url = _subscribed_queue(sns, sqs, topic_arn, attributes=attributes)
        while True:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                forward(post, message["Body"], lambda target=target: sqs.delete_message(**target))

    return deliver


def _post_and_delete(post, body, delete):
    try:
        post(body)
        delete()
    except Exception:
        pass


@_forwarding
def flaky_dies(post, body, delete):
    post(body)
    delete()


@_forwarding
def flaky_deletes_first(post, body, delete):
    delete()
    _post_and_delete(post, body, lambda: None)


@_forwarding
def flaky_deletes_in_any_case(post, body, delete):
    try:
        post(body)
    except Exception:
        print("the partner is down")
    delete()


@_forwarding
def flaky_keeps_it_in_memory(post, body, delete):
    delete()
    while True:
        try:
            return post(body)
        except Exception:
            time.sleep(60)


@_forwarding
def flaky_at_once_again(post, body, delete):
    while True:
        try:
            post(body)
            return delete()
        except Exception:
            pass


@_forwarding
def flaky_never_deletes(post, body, delete):
    _post_and_delete(post, body, lambda: None)


@_forwarding
def flaky_posts_the_order_only(post, body, delete):
    _post_and_delete(post, json.loads(body), delete)


flaky_keeps_for_a_minute = _forwarding(_post_and_delete, {"MessageRetentionPeriod": "60"})


def _direct(**more):
    def deliver(sns, sqs, topic_arn, url, post):
        attributes = {name: make(sqs, topic_arn) for name, make in more.items()}
        sns.subscribe(TopicArn=topic_arn, Protocol="https", Endpoint=url, Attributes=attributes)

    return deliver


def _for_an_hour(sqs, topic_arn):
    delays = {"minDelayTarget": 36, "maxDelayTarget": 36, "numRetries": 100}
    return json.dumps({"healthyRetryPolicy": delays})


def _grave(policy):
    def make(sqs, topic_arn):
        url, arn = _queue(sqs, "dead-letters")
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
        return json.dumps({"deadLetterTargetArn": arn})

    return make


flaky_directly = _direct()
flaky_directly_for_an_hour = _direct(DeliveryPolicy=_for_an_hour)
flaky_grave_without_policy = _direct(RedrivePolicy=_grave(False))
flaky_grave_that_nobody_visits = _direct(RedrivePolicy=_grave(True))


def flaky_queue_without_policy(sns, sqs, topic_arn, url, post):
    _, arn = _queue(sqs, "partner")
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)


def flaky_queue_without_forwarder(sns, sqs, topic_arn, url, post):
    _subscribed_queue(sns, sqs, topic_arn)


def flaky_gives_up_after_three(sns, sqs, topic_arn, url, post):
    _, grave = _queue(sqs, "partner-dlq")
    redrive = json.dumps({"deadLetterTargetArn": grave, "maxReceiveCount": 3})
    _forwarding(_post_and_delete, {"RedrivePolicy": redrive})(sns, sqs, topic_arn, url, post)


def flaky_does_nothing(sns, sqs, topic_arn, url, post):
    print(sns.list_topics())


# ---- 04.ordered ------------------------------------------------------------------------------------------------------


def _wire_fifo(sns, sqs, topic_name, queue_names, policy=True, **attributes):
    topic_arn = sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"} | attributes)["TopicArn"]
    for name in queue_names:
        url, arn = _queue(sqs, name, {"FifoQueue": "true"})
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return topic_arn


def _publishing(group=lambda e: e["customer"], id=lambda e: e["id"], text=json.dumps, order=list, **wiring):
    def publisher(sns, sqs, topic_name, queue_names, events):
        topic_arn = _wire_fifo(sns, sqs, topic_name, queue_names, **wiring)
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
        url, arn = _queue(sqs, name, {"FifoQueue": "true"})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, "", condition={})})


def ordered_subscribes_afterwards(sns, sqs, topic_name, queue_names, events):
    _publishing()(sns, sqs, topic_name, [], events)
    _wire_fifo(sns, sqs, topic_name, queue_names)


def ordered_standard_topic(sns, sqs, topic_name, queue_names, events):
    sns.create_topic(Name=topic_name)


def ordered_without_a_group(sns, sqs, topic_name, queue_names, events):
    topic_arn = _wire_fifo(sns, sqs, topic_name, queue_names)
    for event in events:
        sns.publish(TopicArn=topic_arn, Message=json.dumps(event))


def ordered_sends_to_each_queue(sns, sqs, topic_name, queue_names, events):
    _wire_fifo(sns, sqs, topic_name, [])
    for name in queue_names:
        url, _ = _queue(sqs, name, {"FifoQueue": "true"})
        for event in events:
            ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event), **ids)


WRONG = [
    ("04.wiring", wiring_without_policy, []),
    ("04.wiring", wiring_for_everybody, []),
    ("04.wiring", wiring_for_every_topic, []),
    ("04.wiring", wiring_for_every_topic_of_the_account, []),
    ("04.wiring", wiring_for_topics_that_begin_alike, []),
    ("04.wiring", wiring_for_that_name_everywhere, []),
    ("04.wiring", wiring_for_the_role_of_the_account, []),
    ("04.wiring", wiring_for_the_account_that_holds_the_topic, []),
    ("04.wiring", wiring_allows_everything, []),
    ("04.wiring", wiring_compares_with_a_pattern, []),
    ("04.wiring", wiring_subscribes_the_url, []),
    ("04.wiring", wiring_with_the_policy_of_the_last_queue, []),
    ("04.wiring", wiring_forgets_to_subscribe, []),
    ("04.wiring", wiring_of_three_queues_by_name, []),
    ("04.wiring", wiring_leaves_when_the_topic_is_there, []),
    ("04.wiring", wiring_with_a_new_sid_each_time, []),
    ("04.wiring", wiring_tries_it_out, []),
    *[("04.filters", fn, []) for name, fn in list(globals().items()) if name.startswith("filters_")],
    *[("04.flaky", fn, []) for name, fn in list(globals().items()) if name.startswith("flaky_")],
    *[("04.ordered", fn, []) for name, fn in list(globals().items()) if name.startswith("ordered_")],
]
