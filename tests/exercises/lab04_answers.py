"""Wrong answers to lab 04's exercises, as learners write them, each with what the verdict must say."""

import json
import time
import uuid
from urllib.parse import unquote, unquote_plus

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


# ---- 04.pipeline -----------------------------------------------------------------------------------------------------

_JPG_IN_PHOTOS = (("prefix", "photos/"), ("suffix", ".jpg"))


def _uploads(event):
    """The events of S3 in an event of SNS, the keys decoded."""
    for record in event["Records"]:
        for upload in json.loads(record["Sns"]["Message"]).get("Records", []):
            yield upload, unquote_plus(upload["s3"]["object"]["key"])


def _saving(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)

    return handler


def _from_bucket(bucket, account="123456789012"):
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    return condition | ({"StringEquals": {"aws:SourceAccount": account}} if account else {})


def _pipeline(
    handler=_saving,
    events=("s3:ObjectCreated:*",),
    filters=_JPG_IN_PHOTOS,
    s3_may=_from_bucket,
    queues_let_in=True,
    queue_condition=None,
    sns_may=True,
    source=True,
    subscribed=("queues", "function"),
    first="policies",
    name="catalogue",
):
    """A pipeline with one thing changed."""

    def pipeline(cloud, bucket, save):
        s3, sns, sqs, functions = (cloud.client(service) for service in ("s3", "sns", "sqs", "lambda"))
        topic_arn = sns.create_topic(Name="uploads")["TopicArn"]

        def notify():
            rules = [{"Name": kind, "Value": value} for kind, value in filters]
            rule = {"TopicArn": topic_arn, "Events": list(events), "Filter": {"Key": {"FilterRules": rules}}}
            configuration = {"TopicConfigurations": [rule]} if events else {}
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

        if first == "notification":
            notify()
        text = _policy(
            topic_arn, "", "sns:Publish", {"Service": "s3.amazonaws.com"} if s3_may else "*", s3_may and s3_may(bucket)
        )
        if s3_may is not None:
            sns.set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=text)
        for queue in ("thumbnails", "search"):
            url, arn = _queue(sqs, queue)
            if queues_let_in:
                policy = _policy(arn, topic_arn, condition=queue_condition)
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            if "queues" in subscribed:
                sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        function_arn = cloud.deploy(name, handler(save))
        if sns_may:
            right = {"StatementId": "sns", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
            functions.add_permission(FunctionName=name, **right, **({"SourceArn": topic_arn} if source else {}))
        if "function" in subscribed:
            sns.subscribe(TopicArn=topic_arn, Protocol="lambda", Endpoint=function_arn)
        notify()

    return pipeline


def _without_decoding(save):
    def handler(event, context):
        for upload, _ in _uploads(event):
            save(upload["s3"]["object"]["key"])

    return handler


def _percent_only(save):
    def handler(event, context):
        for upload, _ in _uploads(event):
            save(unquote(upload["s3"]["object"]["key"]))

    return handler


def _of_the_test_event_too(save):
    def handler(event, context):
        for upload in json.loads(event["Records"][0]["Sns"]["Message"])["Records"]:
            save(unquote_plus(upload["s3"]["object"]["key"]))

    return handler


def _as_if_from_s3(save):
    def handler(event, context):
        for upload in event["Records"]:
            save(unquote_plus(upload["s3"]["object"]["key"]))

    return handler


def _hiding_errors(save):
    def handler(event, context):
        for _, key in _uploads(event):
            try:
                save(key)
            except Exception as error:
                print("could not save", key, error)

    return handler


def _insisting(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)
            save(key)

    return handler


def _printing(save):
    def handler(event, context):
        print(list(_uploads(event)))

    return handler


def _slow(save):
    def handler(event, context):
        for _, key in _uploads(event):
            time.sleep(5)
            save(key)

    return handler


def _failing_afterwards(save):
    def handler(event, context):
        for _, key in _uploads(event):
            save(key)
            raise RuntimeError("no thumbnail")

    return handler


pipeline_without_decoding = _pipeline(_without_decoding)
pipeline_decodes_percent_only = _pipeline(_percent_only)
pipeline_stumbles_over_the_test_event = _pipeline(_of_the_test_event_too)
pipeline_reads_it_as_if_from_s3 = _pipeline(_as_if_from_s3)
pipeline_hides_errors = _pipeline(_hiding_errors)
pipeline_saves_twice = _pipeline(_insisting)
pipeline_fails_afterwards = _pipeline(_failing_afterwards)
pipeline_only_prints = _pipeline(_printing)
pipeline_is_too_slow = _pipeline(_slow)
pipeline_hears_of_puts_only = _pipeline(events=("s3:ObjectCreated:Put",))
pipeline_hears_of_deletes_too = _pipeline(events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
pipeline_has_no_rule = _pipeline(events=())
pipeline_takes_all_files = _pipeline(filters=(("prefix", "photos/"),))
pipeline_takes_all_folders = _pipeline(filters=(("suffix", ".jpg"),))
pipeline_prefix_without_slash = _pipeline(filters=(("prefix", "photos"), ("suffix", ".jpg")))
pipeline_notifies_first = _pipeline(first="notification")
pipeline_without_topic_policy = _pipeline(s3_may=None)
pipeline_open_to_all_buckets = _pipeline(s3_may=lambda bucket: {"StringEquals": {"aws:SourceAccount": "123456789012"}})
pipeline_forgets_the_account = _pipeline(s3_may=lambda bucket: _from_bucket(bucket, ""))
pipeline_without_queue_policies = _pipeline(queues_let_in=False)
pipeline_queues_open_to_all_topics = _pipeline(queue_condition={})
pipeline_may_not_invoke = _pipeline(sns_may=False)
pipeline_invoked_by_any_topic = _pipeline(source=False)
pipeline_forgets_the_function = _pipeline(subscribed=("queues",))
pipeline_calls_it_otherwise = _pipeline(name="catalog")


def pipeline_three_rules(cloud, bucket, save):
    sqs = cloud.client("sqs")
    rules = []
    for name in ("thumbnails", "search"):
        url, arn = _queue(sqs, name)
        policy = _policy(arn, "", principal={"Service": "s3.amazonaws.com"}, condition=_from_bucket(bucket))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        rules.append({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]})
    configuration = {"QueueConfigurations": rules}
    cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def pipeline_to_one_queue(cloud, bucket, save):
    url, arn = _queue(cloud.client("sqs"), "thumbnails")
    policy = _policy(arn, "", principal={"Service": "s3.amazonaws.com"}, condition=_from_bucket(bucket))
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


WRONG = [
    ("04.wiring", wiring_without_policy, ["order-1 did not come to queue 'email'", "saw no error", "It has none"]),
    ("04.wiring", wiring_for_everybody, ["An administrator of another account", "may send into queue 'email'"]),
    ("04.wiring", wiring_for_every_topic, ["A topic of another account, 444455556666, may", "Condition: none"]),
    ("04.wiring", wiring_for_every_topic_of_the_account, ["Another topic of your account, orders-test, may send"]),
    ("04.wiring", wiring_for_topics_that_begin_alike, ["orders-test, may send", r"Condition: ArnLike .*:orders\*"]),
    (
        "04.wiring",
        wiring_for_that_name_everywhere,
        ["A topic of another account", r"ArnLike .*arn:aws:sns:\*:\*:orders"],
    ),
    (
        "04.wiring",
        wiring_for_the_role_of_the_account,
        ["did not come", "statement 1 .* Principal", "sns.amazonaws.com"],
    ),
    ("04.wiring", wiring_for_the_account_that_holds_the_topic, ["did not come", 'statement "sns" .* its Principal is']),
    ("04.wiring", wiring_allows_everything, ["Your topic has to send, and nothing else", "receive messages", "Action"]),
    ("04.wiring", wiring_compares_with_a_pattern, ["did not come", r'wants "arn:aws:sns:\*:\*:orders"']),
    ("04.wiring", wiring_subscribes_the_url, ["Invalid parameter: SQS endpoint ARN", r"line \d+: .*Endpoint=url"]),
    ("04.wiring", wiring_with_the_policy_of_the_last_queue, ["queue 'email'", 'its Resource is ".*:analytics"']),
    ("04.wiring", wiring_forgets_to_subscribe, ["queue 'email': it is not subscribed to the topic"]),
    ("04.wiring", wiring_of_three_queues_by_name, ["There is no topic 'payments'", "There is 'orders'"]),
    (
        "04.wiring",
        wiring_leaves_when_the_topic_is_there,
        ["There is no queue 'email'", "1 queue, .* a crash right after"],
    ),
    ("04.wiring", wiring_with_a_new_sid_each_time, ["a different value for attribute Policy"]),
    (
        "04.wiring",
        wiring_tries_it_out,
        ["the shop has not published: 'hello, does it work", "Publish and send nothing"],
    ),
    ("04.filters", filters_over_a_hundred, ["It did not get order-1", "total is 100; wanted: > 100"]),
    ("04.filters", filters_for_a_hundred, ["It did not get order-", "wanted: 100"]),
    ("04.filters", filters_number_as_text, ["does not take the filter policy of queue 'big'", "must be numeric"]),
    ("04.filters", filters_forgets_big, ["'big' wants .* But it got order-", "Without a filter policy, all pass"]),
    ("04.filters", filters_with_tests, ["'asia' wants .* But it got order-", "a test order", "lets that pass"]),
    ("04.filters", filters_test_is_no, ["It did not get order-", 'test is missing; wanted: "no"']),
    ("04.filters", filters_test_is_not_yes, ['test is missing; wanted: anything but "yes"']),
    ("04.filters", filters_abroad_or_nowhere, ["'abroad' wants .* But it got order-", "picked up, no country"]),
    (
        "04.filters",
        filters_abroad_is_a_list,
        ["It did not get order-", 'country is "BR"; wanted: "US" or "JP" or "CN"'],
    ),
    ("04.filters", filters_abroad_without_list, ["queue 'abroad'", '"anything-but" must be an object or an array']),
    ("04.filters", filters_items_as_attribute, ["which looks at the attributes, kept it out: items is missing"]),
    ("04.filters", filters_nested_attributes, ["does not support nested filter policy"]),
    ("04.filters", filters_tags_at_the_top, ["which looks at the body, kept it out: tags is missing"]),
    ("04.filters", filters_of_the_name, ["'fragile' wants .* But it got order-", "fragile things: a novel .paper."]),
    ("04.filters", filters_coupon_as_attribute, ["looks at the attributes, kept it out: coupon is missing"]),
    ("04.filters", filters_any_spring, ["'spring' wants .* But it got order-", "coupon SPRINGTIME"]),
    ("04.filters", filters_spring_up_to_a_hundred, ["But it got order-.*total 100,", "1 order, "]),
    ("04.filters", filters_spring_one_or_the_other, ["'spring' wants .* But it got order-", r"\$or"]),
    ("04.filters", filters_an_empty_list_for_audit, ["queue 'audit'", "Empty arrays are not allowed"]),
    ("04.filters", filters_without_scope, ["For queue 'big' your function returned", "It is to be a pair"]),
    ("04.filters", filters_with_a_scope_of_its_own, ["Please use either MessageBody or MessageAttributes"]),
    ("04.filters", filters_for_another_queue, ["There is no queue 'korea'. The queues are audit, big"]),
    ("04.filters", filters_subscribes_itself, ["Your function returned None. Return a dict"]),
    ("04.flaky", flaky_dies, ["raised PartnerDown: the partner answered 500", r"line \d+: post\(body\)"]),
    ("04.flaky", flaky_deletes_first, ["order-1 never reached", "before the partner had it, and then crashed"]),
    ("04.flaky", flaky_deletes_in_any_case, ["deleted its message .* before the partner had it", "for 1 minute"]),
    ("04.flaky", flaky_keeps_it_in_memory, ["before the partner had it, and then crashed at", "empty memory"]),
    ("04.flaky", flaky_at_once_again, [r"posted 1,501 times .* once every 0\.2 s", "Leave the message in a queue"]),
    ("04.flaky", flaky_never_deletes, [r"The partner got order-1 \d times", "delete its message then"]),
    ("04.flaky", flaky_posts_the_order_only, ["post was called with the whole message", r'post\(message\["Body"\]\)']),
    ("04.flaky", flaky_keeps_for_a_minute, ["was received twice", "older than the retention period"]),
    ("04.flaky", flaky_directly, ["SNS tried 4 times", "and then dropped it: there is no dead-letter queue", "10 min"]),
    ("04.flaky", flaky_directly_for_an_hour, ["SNS tried 101 times", "down until 4250 s", "70 minutes"]),
    ("04.flaky", flaky_grave_without_policy, ["the dead-letter queue dead-letters failed: AccessDenied"]),
    ("04.flaky", flaky_grave_that_nobody_visits, ["lies in the dead-letter queue 'dead-letters'", "never received"]),
    ("04.flaky", flaky_queue_without_policy, ["order-1 did not come to queue 'partner'", "saw no error"]),
    ("04.flaky", flaky_queue_without_forwarder, ["still in queue 'partner'", "nobody carries it to the partner"]),
    ("04.flaky", flaky_gives_up_after_three, ["received 3 times, and then SQS moved it .* 'partner-dlq'"]),
    ("04.flaky", flaky_does_nothing, ["nobody was subscribed to the topic", "SNS keeps nothing"]),
    (
        "04.ordered",
        ordered_new_id_each_time,
        ["event-1 is in queue 'stock.fifo' twice", "could not know", "1 event, .* crash"],
    ),
    ("04.ordered", ordered_by_content_with_the_time, ["twice", 'ids are made from the texts, .*"sent": 16']),
    (
        "04.ordered",
        ordered_by_content_without_the_switch,
        ["ContentBasedDeduplication enabled or", r"line \d+: sns.pub"],
    ),
    ("04.ordered", ordered_id_of_the_customer, ["event-4 is not in queue", "id 'ann'", "Two events need two ids"]),
    ("04.ordered", ordered_id_of_the_text, ["event-2 is not in queue", "id 'placed'", "the send at 0.1 s"]),
    ("04.ordered", ordered_one_group, ["events of ann and bob are in one group, 'events'", "makes the other wait"]),
    ("04.ordered", ordered_a_group_for_each_event, ["of ann are in several groups, 'event-1' and 'event-4'"]),
    ("04.ordered", ordered_backwards, ["event-4 of ann stands before event-1"]),
    ("04.ordered", ordered_forgets_the_last, ["event-6 is not in queue 'stock.fifo': it was never published"]),
    ("04.ordered", ordered_sends_the_text_only, ["a message 'placed'. Publish each event as JSON"]),
    ("04.ordered", ordered_without_policy, ["event-1 did not come to queue 'stock.fifo'", "It has none"]),
    ("04.ordered", ordered_open_to_all_topics, ["A topic of another account", "may send into queue 'stock.fifo'"]),
    ("04.ordered", ordered_subscribes_afterwards, [r"published at 0\.\d\d s, but the queue was subscribed at"]),
    ("04.ordered", ordered_standard_topic, ["Invalid parameter: Topic Name"]),
    ("04.ordered", ordered_without_a_group, ["The MessageGroupId parameter is required for FIFO topics"]),
    (
        "04.ordered",
        ordered_sends_to_each_queue,
        ["event-1 was sent straight into queue 'stock.fifo'", "to the topic, once"],
    ),
    ("04.pipeline", pipeline_without_decoding, [r"save\('photos/my\+cat.jpg'\)", "unquote_plus", "2 uploads, seed 0"]),
    ("04.pipeline", pipeline_decodes_percent_only, [r"save\('photos/my\+cat.jpg'\)", "a space as '\\+'"]),
    ("04.pipeline", pipeline_stumbles_over_the_test_event, ["failed on S3's test event, KeyError: 'Records'"]),
    ("04.pipeline", pipeline_reads_it_as_if_from_s3, ["in all 3 tries. KeyError: 's3'", "SNS has wrapped it"]),
    ("04.pipeline", pipeline_hides_errors, ["your function caught the exception", "first call of save fails"]),
    ("04.pipeline", pipeline_saves_twice, ["was saved twice", "called save more than once"]),
    ("04.pipeline", pipeline_fails_afterwards, ["saved 3 times", "failed after it had saved .RuntimeError: no thumb"]),
    ("04.pipeline", pipeline_only_prints, ["ended without save"]),
    ("04.pipeline", pipeline_is_too_slow, ["Task timed out after 3.00 seconds"]),
    (
        "04.pipeline",
        pipeline_hears_of_puts_only,
        ["was copied into the bucket, and no event went", "ObjectCreated:Put"],
    ),
    ("04.pipeline", pipeline_hears_of_deletes_too, ["was deleted, and queue 'thumbnails' got a message about it"]),
    ("04.pipeline", pipeline_has_no_rule, ["has no event notification: nobody hears of an upload"]),
    (
        "04.pipeline",
        pipeline_takes_all_files,
        [r"is no \.jpg under photos/", "came to queue 'thumbnails' and", "suffix ''"],
    ),
    ("04.pipeline", pipeline_takes_all_folders, ["is no .jpg under photos/", "prefix '' and suffix '.jpg'"]),
    ("04.pipeline", pipeline_prefix_without_slash, ["'photos-old/cat.jpg' is no", "prefix 'photos' and"]),
    ("04.pipeline", pipeline_notifies_first, ["Unable to validate", "S3 tried at once, and has no right", "'uploads'"]),
    ("04.pipeline", pipeline_without_topic_policy, ["S3 tried at once", "__default_statement_ID"]),
    ("04.pipeline", pipeline_open_to_all_buckets, ["Another bucket of your account, invoices, may publish"]),
    ("04.pipeline", pipeline_forgets_the_account, ["same name in another account may publish", "no account number"]),
    ("04.pipeline", pipeline_without_queue_policies, ["did not come to queue 'thumbnails'", "It has none"]),
    ("04.pipeline", pipeline_queues_open_to_all_topics, ["may send into queue 'thumbnails'", "Let in your own topic"]),
    (
        "04.pipeline",
        pipeline_may_not_invoke,
        ["did not come to function 'catalogue'", "policy of the function decides"],
    ),
    (
        "04.pipeline",
        pipeline_invoked_by_any_topic,
        ["may invoke function 'catalogue'", "SourceArn=the ARN of your topic"],
    ),
    ("04.pipeline", pipeline_forgets_the_function, ["function 'catalogue': it is not subscribed to the topic"]),
    ("04.pipeline", pipeline_calls_it_otherwise, ["There is no function 'catalogue'. Make it: cloud.deploy"]),
    ("04.pipeline", pipeline_three_rules, ["Configurations overlap"]),
    ("04.pipeline", pipeline_to_one_queue, ["The bucket sends its events to queue 'thumbnails' itself"]),
]
