"""Wrong answers to lab 04's exercises on what reaches whom, as learners write them, each with what the verdict must
say.
"""

import json
import uuid

# ---- 04.wiring -------------------------------------------------------------------------------------------------------


def policy_for(arn, topic_arn, action="sqs:SendMessage", principal=None, condition=None):
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


def make_queue(sqs, name, attributes=None):
    url = sqs.create_queue(QueueName=name, Attributes=attributes or {})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _wiring(allow):
    """A wiring where `allow(sqs, url, arn, topic_arn)` lets the topic in."""

    def wire(sns, sqs, topic_name, queue_names):
        topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
        for name in queue_names:
            url, arn = make_queue(sqs, name)
            allow(sqs, url, arn, topic_arn)
            sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

    return wire


def _allowing(**parts):
    def allow(sqs, url, arn, topic_arn):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn, **parts)})

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
        Attributes={"Policy": policy_for(arn, "", condition={"ArnLike": {"aws:SourceArn": topic_arn + "*"}})},
    )
)
wiring_for_that_name_everywhere = _wiring(
    lambda sqs, url, arn, topic_arn: sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "Policy": policy_for(
                arn, "", condition={"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:" + topic_arn.rpartition(":")[2]}}
            )
        },
    )
)
wiring_for_the_account_itself = _allowing(principal={"AWS": "123456789012"}, condition={})
wiring_by_add_permission = _wiring(
    lambda sqs, url, arn, topic_arn: sqs.add_permission(
        QueueUrl=url, Label="sns", AWSAccountIds=["123456789012"], Actions=["SendMessage"]
    )
)
wiring_allows_everything = _allowing(action="sqs:*")
wiring_compares_with_a_pattern = _matching("StringEquals", "arn:aws:sns:*:*:orders")


def wiring_subscribes_the_url(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        url, arn = make_queue(sqs, name)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=url)


def wiring_with_the_policy_of_the_last_queue(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    urls = []
    for name in queue_names:
        url, arn = make_queue(sqs, name)
        urls.append(url)
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    for url in urls:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})


def wiring_forgets_to_subscribe(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        url, arn = make_queue(sqs, name)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})


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
        policy = json.loads(policy_for(arn, topic_arn))
        policy["Statement"][0]["Sid"] = uuid.uuid4().hex
        make_queue(sqs, name, {"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)


def wiring_tries_it_out(sns, sqs, topic_name, queue_names):
    _allowing()(sns, sqs, topic_name, queue_names)
    sns.publish(TopicArn=sns.create_topic(Name=topic_name)["TopicArn"], Message="hello, does it work?")


def wiring_passes_over_queues_that_are_there(sns, sqs, topic_name, queue_names):
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        if not sqs.list_queues(QueueNamePrefix=name).get("QueueUrls"):
            url, arn = make_queue(sqs, name)
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
            sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)


def wiring_waits_for_ever(sns, sqs, topic_name, queue_names):
    _allowing()(sns, sqs, topic_name, queue_names)
    while len(sns.list_subscriptions()["Subscriptions"]) <= len(queue_names):
        pass


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
filters_big_without_list = _filters(big=_attributes(total={"numeric": [">=", 100]}))
filters_spring_without_list = _filters(
    spring=_body(coupon=[{"prefix": "SPRING-"}], total={"numeric": [">=", 20, "<", 100]})
)
filters_two_halves_of_a_range = _filters(
    spring=_body(coupon=[{"prefix": "SPRING-"}], total=[{"numeric": [">=", 20]}, {"numeric": ["<", 100]}])
)
filters_none_for_asia = _filters(asia=None)
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
        wiring_for_the_account_itself,
        ["did not come", "statement 1 .* Principal", "sns.amazonaws.com"],
    ),
    ("04.wiring", wiring_by_add_permission, ["did not come", 'statement "sns" .* its Principal is']),
    ("04.wiring", wiring_allows_everything, ["Your topic has to send, and nothing else", "receive messages", "Action"]),
    ("04.wiring", wiring_compares_with_a_pattern, ["did not come", r'wants "arn:aws:sns:\*:\*:orders"']),
    ("04.wiring", wiring_subscribes_the_url, ["Invalid parameter: SQS endpoint ARN", r"line \d+: .*Endpoint=url"]),
    ("04.wiring", wiring_with_the_policy_of_the_last_queue, ["queue 'email'", 'its Resource is ".*:analytics"']),
    ("04.wiring", wiring_forgets_to_subscribe, ["queue 'email': it is not subscribed to the topic"]),
    ("04.wiring", wiring_of_three_queues_by_name, ["There is no topic 'payments'", "There is 'orders'"]),
    (
        "04.wiring",
        wiring_leaves_when_the_topic_is_there,
        ["There is no queue 'email'", "1 queue, .* a crash during call"],
    ),
    ("04.wiring", wiring_with_a_new_sid_each_time, ["a different value for attribute Policy"]),
    (
        "04.wiring",
        wiring_tries_it_out,
        ["the shop has not published: 'hello, does it work", "Publish and send nothing"],
    ),
    (
        "04.wiring",
        wiring_passes_over_queues_that_are_there,
        [
            "'email': it is not subscribed",
            "left it out when it started again",
            "wire calls .*: gone before",
            "wire crashed",
            "wire started again",
        ],
    ),
    ("04.wiring", wiring_waits_for_ever, [r"wire made [\d,]+ calls in \d+ virtual seconds.*Does a loop never end\?"]),
    ("04.filters", filters_over_a_hundred, ["It did not get order-", "total is 100; wanted: > 100"]),
    ("04.filters", filters_for_a_hundred, ["It did not get order-", "wanted: 100"]),
    ("04.filters", filters_number_as_text, ["does not take the filter policy of queue 'big'", "must be numeric"]),
    ("04.filters", filters_forgets_big, ["'big' wants .* But it got order-", "Your dict has no entry for 'big'"]),
    ("04.filters", filters_none_for_asia, ["'asia' wants .* But it got order-", "Your dict says None for 'asia'"]),
    (
        "04.filters",
        filters_big_without_list,
        [r'not support nested filter policy\. A rule stands in a list: {"total": \[{"numeric": \[">=", 100\]}\]}\.'],
    ),
    ("04.filters", filters_spring_without_list, ["'spring'", r'A rule stands in a list: {"total": \[{"numeric": ']),
    ("04.filters", filters_with_tests, ["'asia' wants .* But it got order-", "a test order", "lets that pass"]),
    ("04.filters", filters_test_is_no, ["It did not get order-", 'test is missing; wanted: "no"']),
    ("04.filters", filters_two_halves_of_a_range, ["But it got order-", "Of the rules in a list one is enough"]),
    ("04.filters", filters_test_is_not_yes, ['test is missing; wanted: anything but "yes"']),
    ("04.filters", filters_abroad_or_nowhere, ["'abroad' wants .* But it got order-", "picked up, no country"]),
    (
        "04.filters",
        filters_abroad_is_a_list,
        ["It did not get order-", 'country is "(BR|DE|KE|JM)"; wanted: "US" or "JP" or "CN"'],
    ),
    (
        "04.filters",
        filters_abroad_without_list,
        ["queue 'abroad'", '"anything-but" must be an object or an array', 'A rule stands in a list: {"country": '],
    ),
    ("04.filters", filters_items_as_attribute, ["which looks at the attributes, kept it out: items is missing"]),
    (
        "04.filters",
        filters_nested_attributes,
        ["does not support nested filter policy. Attributes have no keys inside", "MessageBody"],
    ),
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
]
