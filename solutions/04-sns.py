# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 04: SNS fan-out
#
# First do lab 01. Labs 02 and 03 help: the queues of this lab behave as you saw there.
#
# After this lab you can
#
# - tell many receivers of one event with a single call: *publish* (발행), *topic* (주제), *subscription* (구독), *fan-out*
#   (팬아웃);
# - find out why a message does not arrive;
# - say what SNS keeps, and what to put between a topic and a receiver that may be down;
# - give each receiver only what it wants: a *filter policy* (필터 정책).
#
# {minutes}

# %%
import json

from lablib import Action, Cloud, exercise, limits, views, workbench
from lablib.scenarios.lab04 import FanOut, known, told
from lablib.workbench import predict

# %% [markdown]
# ## 1. Tell everybody
#
# A shop takes an order. The mail program, the stock program and a partner must know of it, and analytics wants to know
# of big orders. So for each order the shop's program makes three or four calls, one to each receiver.

# %%
predict("04.half-way")

# %% [markdown]
# ### Look
#
# Two lanes with **the same orders and the same crashes**. Below, the shop calls one receiver after the other. Above, it
# publishes once, to a topic, and the topic passes copies on. Press **Play** (or the space bar).

# %%
bench = workbench(
    FanOut, seed=7, way="one by one", shop_crashes=0.2, compare={"way": "by topic"}
)
bench

# %%
alone = FanOut(way="one by one", shop_crashes=0.2).run(seed=7)
topical = FanOut(way="by topic", shop_crashes=0.2).run(seed=7)
for name, run in (("one by one", alone), ("topic", topical)):
    count = told(run)
    print(
        f"{name:10}  known to all: {count['all']}, to some: {count['some']},",
        f"to nobody: {count['nobody']}",
    )

# %% [markdown]
# **What to notice.** The same crashes, but with one call there is no *between*: an order is known to all or to nobody.
# When nobody knows it, the customer gets an error and orders again. When only some know it, nobody tries again, and
# nobody notices, until the customer calls. (One crash is left: after the call, before the customer hears of it. The
# customer orders again, and there are two orders. Against this, an order has a number, the same at the second try.)
#
# Here is an order that only some know:

# %%
order = next(
    order
    for order, who in known(alone).items()
    if 0 < len(who & {"mail", "stock", "partner"}) < 3
)
for row in alone.trace.where(actor=f"shop/{order}"):
    if row.kind in ("Ordered", "Sent", "Crashed"):
        print(f"{row.time:6.2f} s  {alone.trace.describe(row)}")
print(f"{order} is known to: {', '.join(sorted(known(alone)[order]))}")

# %% [markdown]
# There is a second reason, and in the long run it weighs more: that shop must know *who wants what*. For each new
# receiver somebody must change the shop, test it, and bring out a new version.
#
# (A topic does not make *everything* one step. A shop that writes an order into its database and then publishes can
# crash between these two. For that there are other means, such as publishing from the database's own log.)
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first. Then run the cell of the workbench again: its settings are as at first, and what you have met
# stays met.
#
# 1. **Break it.** Open **What if** and set *shop crashes* to 0. Play, stop, and do *Crash the shop*. Look at the next
#    order in both lanes.
# 2. **Ask why.** Click a message in a queue of the upper lane. Its life names the original, which was published. Click
#    that: it names all copies.
# 3. **Add a receiver.** Switch *analytics comes later* on, stop at about 100 s, and do *Add analytics*. Which orders
#    does it get? What had to change in the shop, in which lane?
#
# ## 2. Your first topic
#
# A **topic** has *subscriptions*. What is published to it goes to each of them. From a program (with an SDK, as here) it
# takes three calls: make a topic, subscribe, publish. A queue is a good subscriber: the message waits there until
# somebody has time. For each queue do three things: make it, **let the topic in** (its access policy), subscribe it.

# %%
cloud = Cloud(seed=1)
sns, sqs = cloud.client("sns"), cloud.client("sqs")
topic = sns.create_topic(Name="orders")["TopicArn"]


def make_queue(sqs, name, source, service="sns.amazonaws.com", **attributes):
    """A queue that lets `source` in: its URL and its ARN."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = answer["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


# %%
mail, mail_arn = make_queue(sqs, "mail", topic)
stock, stock_arn = make_queue(sqs, "stock", topic)
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mail_arn)
raw = {"RawMessageDelivery": "true"}
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=stock_arn, Attributes=raw)

sent = sns.publish(TopicArn=topic, Subject="New order", Message="order-1: tea")
cloud.advance(1)


def receive(sqs, url):
    """What is in a queue. It is deleted."""
    bodies = []
    while found := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    ).get("Messages"):
        for message in found:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


print(*receive(sqs, mail), *receive(sqs, stock), sep="\n\n")

# %% [markdown]
# **What to notice.** The queue `mail` got an *envelope*: JSON, with the message inside, its subject, its time, its
# topic. The queue `stock` asked for *raw delivery* (원시 전송) and got the message as it is. Forget that once, and the
# consumer tries to read an order and finds an envelope.
#
# One publish, two messages, each with its own MessageId and its own life:

# %%
print(cloud.explain(sent["MessageId"]))

# %% [markdown]
# `Publish` returned when SNS had stored the message. It did not wait for anybody.
#
# ### A subscriber that comes later (extra)

# %%
predict("04.late")

# %%
fraud, fraud_arn = make_queue(sqs, "fraud", topic)
sns.subscribe(
    TopicArn=topic,
    Protocol="sqs",
    Endpoint=fraud_arn,
    Attributes={"RawMessageDelivery": "true"},
)
sns.publish(TopicArn=topic, Message="order-2: cake")
print("fraud:", receive(sqs, fraud), " stock:", receive(sqs, stock))

# %% [markdown]
# (One exception, today: a FIFO topic, see lab 04b, can keep an *archive* (보관) for up to 365 days. A queue that
# subscribes later can have it replayed.)
#
# ## 3. The policy that is missing
#
# Somebody makes a queue `labels` in a hurry, and subscribes it. The access policy of the queue is forgotten.

# %%
labels = sqs.create_queue(QueueName="labels")["QueueUrl"]
answer = sqs.get_queue_attributes(QueueUrl=labels, AttributeNames=["QueueArn"])
labels_arn = answer["Attributes"]["QueueArn"]
answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=labels_arn)
subscription = answer["SubscriptionArn"]

# %%
predict("04.missing-policy")

# %%
sent = sns.publish(TopicArn=topic, Message="order-3: milk")
print("Publish was answered with HTTP", sent["ResponseMetadata"]["HTTPStatusCode"])
print("labels:", receive(sqs, labels))

# %% [markdown]
# Where do you find out? **First**, the topic's metrics: `NumberOfNotificationsFailed`. Set an alarm on it.

# %%
for name, value in cloud.service("sns").metrics("orders").items():
    if value:
        print(f"{name:30} {value:g}")

# %% [markdown]
# **Second**, ask who may do what. In the lab there is a short way to ask (AWS has the *policy simulator* and CloudTrail
# for it):

# %%
question = {
    "action": "sqs:SendMessage",
    "service": "sns.amazonaws.com",
    "source_arn": topic,
}
print(cloud.explain_access(resource=labels_arn, **question))
print()
print(cloud.explain_access(resource=stock_arn, **question))

# %% [markdown]
# **Third**, a *dead-letter queue* (배달 못한 편지 대기열) of the **subscription**. It catches what could not be delivered.
# It belongs to the subscription, not to the queue, and it must let the topic in, like any other queue.

# %%
dead, dead_arn = make_queue(sqs, "orders-dlq", topic)
redrive = json.dumps({"deadLetterTargetArn": dead_arn})
sns.set_subscription_attributes(
    SubscriptionArn=subscription, AttributeName="RedrivePolicy", AttributeValue=redrive
)
sent = sns.publish(TopicArn=topic, Message="order-4: bread")
print([json.loads(body)["Message"] for body in receive(sqs, dead)])
print(cloud.explain(sent["MessageId"]))

# %% [markdown]
# **What to notice.** There was one attempt. An error that is *your* side's (no right, a queue that was deleted) will be
# the same in a minute, so SNS does not try again. Order 3 is lost; order 4 is safe, because of the dead-letter queue.
#
# ## 4. SNS keeps nothing
#
# When the error is the *other* side's, SNS tries again. How long, depends on who the other side is. The partner is a **web
# server** (HTTP/S).

# %%
predict("04.down")

# %%
ways = {
    "web server": FanOut(outage=120.0),
    "web server, 10 retries": FanOut(outage=120.0, retries=10),
    "web server, dead-letter queue": FanOut(outage=120.0, dead_letters=True),
    "a queue between": FanOut(outage=120.0, partner="queue"),
}
away = {name: scenario.run(seed=7) for name, scenario in ways.items()}
for name, run in away.items():
    have = sum("partner" in who for who in known(run).values())
    print(
        f"{name:30} {len(known(run))} orders, partner has {have},",
        f"dead letters: {run.measures.dead}",
    )

# %%
run = away["web server"]
print(run.explain(run.trace.parent(run.trace.where("DeliveryDropped")[0].subject)))

# %% [markdown]
# **What to notice.** SNS tried four times in a minute, and forgot the order: a web server is tried again 3 times, 20
# seconds apart, unless you say otherwise; at most for an hour. (E-mail, text message (SMS), mobile push: 50 times in 6
# hours. A queue or a function: 100,015 times in 23 days, which is as good as always.) The mail and the stock program got
# theirs in time: one subscriber that is down does not hold up the others. What each subscriber got:

# %%
away["web server, dead-letter queue"].measures.fanout.table()

# %% [markdown]
# More retries help for an hour at most. The dead-letter queue keeps the orders, but somebody must take them from there
# to the partner. With **a queue between** the topic and a program that calls the partner, an order waits for up to 14
# days, and is tried again by itself: its visibility timeout ends, as in lab 02.

# %%
lengths = [0, 30, 60, 90, 120, 180, 240, 300]


def lost(length, **more):
    run = FanOut(outage=float(length), consumers=1, **more).run(seed=7, until=480)
    return sum("partner" not in who for who in known(run).values())


curves = {
    "web server, 3 retries": [lost(n) for n in lengths],
    "web server, 10 retries": [lost(n, retries=10) for n in lengths],
    "a queue between": [lost(n, partner="queue") for n in lengths],
}
views.sweep(
    lengths,
    curves,
    x_title="the partner is away for (s)",
    y_title="orders that the partner never gets",
)

# %% [markdown]
# > **Between a topic and a receiver that can be down, put a queue.** That is what "SNS + SQS fan-out" means: decoupled,
# > and nothing is lost.
#
# ### Try it (in the workbench above)
#
# 4. Set *receivers are told* to "by topic" and *partner is away for* to 120 s. Press **A|B** beside *partner gets it by*:
#    one lane has the web server, the other a queue. Watch what stays at the topic: each mark waits for its next attempt.
# 5. Set *partner is away for* to 0 again. Play, stop, and do *Take a queue's policy away*, the queue `mail`, 60 s. Who
#    gets an error? What is lost? Then switch *dead-letter queue* on.
# 6. Stop the time and do *Partner is slow*: it takes each order, but answers after 20 s. SNS waits for 15 s.

# %%
slow = FanOut().run(seed=7, actions=[Action("partner_slow", 60.0, value=60.0)])
timeouts = [
    row
    for row in slow.trace.where("DeliveryFailed")
    if row.detail["reason"] == "Timeout"
]
print(
    len(timeouts),
    "answers came too late;",
    "SNS sent each of these orders again, though the partner had it",
)
print(slow.explain(slow.trace.parent(timeouts[0].subject)))

# %% [markdown]
# So a web server that is called by SNS must be idempotent (멱등), and quick: take the order, answer, then work.
#
# ### First, say yes (extra)
#
# Who did not ask must confirm the subscription (구독 확인): a web server, an e-mail address, and any endpoint of another
# account. SNS sends a *token*, which is good for two days. Without it nothing is delivered.

# %%
web = "https://partner.example/orders"
inbox = cloud.service("sns").inbox(web)
print(sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=web)["SubscriptionArn"])
sns.publish(TopicArn=topic, Message="order-5: jam")
cloud.advance(1)
request = json.loads(inbox.received[0].body)
print(request["Type"], "with the token", request["Token"][:12], "...")
sns.confirm_subscription(
    TopicArn=topic, Token=request["Token"]
)  # the partner does this, or opens the SubscribeURL
sns.publish(TopicArn=topic, Message="order-6: rice")
cloud.advance(1)
print([json.loads(arrival.body)["Message"] for arrival in inbox.received[1:]])

# %% [markdown]
# Order 5 never came: there was no subscription yet.
#
# ## 5. Only what you want
#
# A subscription without a filter policy gets **everything**. With one it gets the messages that match. The policy looks
# at the message's *attributes* (속성).

# %%
wishes = {
    "all": None,
    "cheap": {"total": [{"numeric": ["<", 50]}]},
    "cashless": {"payment": [{"anything-but": "cash"}]},
    "gifts": {"wrapping": [{"exists": True}], "payment": ["card", "points"]},
}
shop = sns.create_topic(Name="sales")["TopicArn"]
urls = {}
for name, wish in wishes.items():
    urls[name], arn = make_queue(sqs, name, shop)
    attributes = {"RawMessageDelivery": "true"} | (
        {"FilterPolicy": json.dumps(wish)} if wish else {}
    )
    sns.subscribe(TopicArn=shop, Protocol="sqs", Endpoint=arn, Attributes=attributes)

# %%
predict("04.filter")


# %%
def sell(text, **attributes):
    """Publish an order: numbers become attributes of type Number."""
    kinds = {str: "String", int: "Number"}
    typed = {
        name: {"DataType": kinds[type(v)], "StringValue": str(v)}
        for name, v in attributes.items()
    }
    answer = sns.publish(TopicArn=shop, Message=text, MessageAttributes=typed)
    return answer["MessageId"]


tea = sell("tea", total="12", payment="card")
sell("cake", total=20, payment="cash")
sell("sofa", total=480, payment="card")
sell("vase", total=120, payment="points", wrapping="paper")
sell("sample")
for name, url in urls.items():
    print(f"{name:8}", sorted(receive(sqs, url)))
print(cloud.explain(tea))

# %% [markdown]
# **What to notice.** All keys of a policy must match; within a list, one alternative is enough. An attribute that is
# missing matches `{"exists": false}` and nothing else, not even `anything-but`. A message that has no attributes *at
# all*, like the sample, matches no policy, not even `{"exists": false}`. A message that is filtered out is no failure:
# no retry, no dead letter, only the metric `NumberOfNotificationsFilteredOut`.
#
# | in the list of a key | matches |
# | --- | --- |
# | `"red"`, `20` | exactly this text, or this number |
# | `{"prefix": "SUMMER"}`, `{"suffix": ".png"}` | a text that begins so, or ends so |
# | `{"equals-ignore-case": "red"}` | `RED`, `Red`, `red` |
# | `{"anything-but": ["red", "blue"]}` | a value that is none of these |
# | `{"numeric": [">", 0, "<=", 5]}` | a number in this range; also with `=` or with one end |
# | `{"exists": true}`, `{"exists": false}` | a key that is there, or is not there |
# | `{"cidr": "10.0.0.0/24"}` | an IP address of this block |
#
# In the place of a key, `"$or": [{...}, {...}]` wants one of several policies. (`suffix`, `equals-ignore-case` and
# `$or` came in November 2023.)
#
# ### What stands in the body, and two mistakes (extra)
#
# Since November 2022 a policy can look at the *body* instead, when that is JSON. It has the shape of the body, and goes
# into lists by itself:

# %%
toys, arn = make_queue(sqs, "toys", shop)
attributes = {
    "FilterPolicyScope": "MessageBody",
    "FilterPolicy": json.dumps({"items": {"kind": ["toy"]}}),
}
sns.subscribe(
    TopicArn=shop,
    Protocol="sqs",
    Endpoint=arn,
    Attributes=attributes | {"RawMessageDelivery": "true"},
)
sell(
    json.dumps({"items": [{"kind": "book", "price": 20}, {"kind": "toy", "price": 9}]})
)
sell(json.dumps({"items": [{"kind": "book", "price": 12}]}))
print(receive(sqs, toys))

# %% [markdown]
# A policy with a mistake is refused. A policy that is right and does not say what you mean is not: test it.

# %%
for policy in (
    {"total": {"numeric": [">", 100]}},
    {"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]},
):
    try:
        sns.subscribe(
            TopicArn=shop,
            Protocol="sqs",
            Endpoint=stock_arn,
            Attributes={"FilterPolicy": json.dumps(policy)},
        )
    except sns.exceptions.ClientError as error:
        print(error)

# %% [markdown]
# The first is the commonest mistake: a rule stands in a list, `{"total": [{"numeric": [">", 100]}]}`. Without the list,
# SNS takes it for a policy that is nested.
#
# ## 6. Exercises
#
# Write the function, then run the check. If you are stuck: `exercise("04.wiring").hint()`.
#
# ### Exercise 1: a fan-out, and nobody else
#
# Make the topic and the queues, and wire them: what is published to the topic comes into each queue, once. **Only this
# topic** may send to the queues: no other topic, no other account, nobody else. Your function may crash after any of its
# calls and is then called again; that must do no harm. Do not use `make_queue`: write it once yourself.


# %%
def wire(sns, sqs, topic_name, queue_names):
    """A topic, its queues, and a policy that lets in this topic and nobody else."""
    ### BEGIN SOLUTION
    topic = sns.create_topic(Name=topic_name)["TopicArn"]
    for name in queue_names:
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = found["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    ### END SOLUTION


exercise("04.wiring").check(wire)

# %% [markdown]
# ### Exercise 2: filters (extra)
#
# A shop publishes orders. A message has the attributes `total` (Number), `country` (String; not there when the customer
# picks the order up) and, for tests of the shop, `test` (String, `"yes"`). Its body is JSON: `order`, `total`, `items`
# (a list; each item has a `name` and a list of `tags`), and `coupon`, if there was one.
#
# | queue | is to get |
# | --- | --- |
# | `audit` | every order |
# | `big` | orders with a total of 100 or more |
# | `asia` | orders to KR or JP, but no test orders |
# | `abroad` | orders to any country but KR |
# | `fragile` | orders with an item that has the tag `fragile` |
# | `spring` | orders with a coupon that begins with `SPRING-` and a total from 20 to under 100 |
#
# Return a dict: for each queue a pair of its filter policy (a dict) and the policy's scope, `"MessageAttributes"` or
# `"MessageBody"`; or `None` for no policy.


# %%
def filters():
    """For each queue a filter policy and its scope, or None."""
    ### BEGIN SOLUTION
    return {
        "audit": None,
        "big": ({"total": [{"numeric": [">=", 100]}]}, "MessageAttributes"),
        "asia": (
            {"country": ["KR", "JP"], "test": [{"exists": False}]},
            "MessageAttributes",
        ),
        "abroad": ({"country": [{"anything-but": ["KR"]}]}, "MessageAttributes"),
        "fragile": ({"items": {"tags": ["fragile"]}}, "MessageBody"),
        "spring": (
            {
                "coupon": [{"prefix": "SPRING-"}],
                "total": [{"numeric": [">=", 20, "<", 100]}],
            },
            "MessageBody",
        ),
    }
    ### END SOLUTION


exercise("04.filters").check(filters)

# %% [markdown]
# ### Exercise 3: a partner who is away
#
# Orders are published to `topic_arn`. A partner wants each of them at `url`, but his web server answers 500 for up to 70
# minutes at a time. No order may be lost. Two ways lead to him: SNS can call `url` (the partner confirms a subscription
# by himself), or your program calls `post(body)`, which raises an exception when the partner answers with an error.
# Your program runs for ever, can crash at any moment, and is then started again. The partner puts up with an order that
# he gets twice, not with thousands of calls while he is away.


# %%
def deliver(sns, sqs, topic_arn, url, post):
    """Let each order reach the partner, whatever happens."""
    ### BEGIN SOLUTION
    queue, arn = make_queue(sqs, "partner", topic_arn)
    raw = {"RawMessageDelivery": "true"}  # the order itself, without SNS's envelope
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=raw)
    while True:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get(
            "Messages", []
        ):
            try:
                post(message["Body"])
            except Exception:
                continue  # it comes back when its visibility timeout ends
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    ### END SOLUTION


exercise("04.flaky").check(deliver)

# %% [markdown]
# ## Build your own (extra)
#
# A workbench is made of parts: controls, picture, curves. Each can be put wherever you like, and each setting can be
# observed. This page counts the orders that are only half known.

# %%
from ipywidgets import HTML, HBox, VBox

own = workbench(FanOut, seed=7, way="one by one", shop_crashes=0.2)
half = HTML()


def count(change=None):
    half.value = f"<b>{told(own.run)['some']} orders that only some know</b>"


own.observe(count, "run")
count()
VBox(
    [
        HBox([own.control("way"), own.control("shop_crashes"), half]),
        own.stage,
        own.figure,
    ]
)

# %% [markdown]
# ## Then and now (extra)
#
# What has changed since 2023:

# %%
limits("sns", changed=True)

# %% [markdown]
# Two numbers of 2023 still hold: 12.5 million subscriptions a topic, and 100,000 topics an account. A message may
# have 256 KB, as in 2023, until you set the topic's `MaximumMessageSize` higher. And what is no number:
#
# | | 2023 | today |
# | --- | --- | --- |
# | what a topic keeps | nothing | a FIFO topic: an archive for up to 365 days, with replay |
# | `MessageGroupId` on a standard topic | refused | handed on to standard queues, for *fair queues* |
#
# ## What the model leaves out (extra)
#
# - **How long a delivery takes.** AWS gives no figure; the model's median is 20 ms, and 80 ms more to another region.
# - **The signature.** An envelope has one, and it is an opaque text here. A real web server must check it.
# - **How a filter policy spreads.** On AWS a new policy needs up to 15 minutes to be in force everywhere.
# - **Archive and replay** of FIFO topics, what *fair queues* do with the group id, and subscriptions of **Amazon Data
#   Firehose** (the protocol `firehose`: messages go to S3 or a database in batches).
# - **CloudWatch and CloudTrail.** `metrics` shows sums at once. A later lab has the metrics as they really come.
# - **Text messages.** Prices, carriers and the rules of countries.
#
# ## Cost (extra)

# %%
month = FanOut().run(seed=7).measures
orders = len(month.fanout.published)
for what, dollars in month.bill()["sns"].items():
    print(f"SNS, {what:8} ${dollars / orders * 1e6:.2f} for a million orders")
dollars = sum(month.bill()["sqs"].values()) / orders * 1e6
print(f"SQS           ${dollars:.2f} for a million orders")

# %% [markdown]
# Publishing costs the same for one subscriber and for a million. Then each *delivery* has its price: to queues and
# functions SNS charges nothing (but the queue's requests cost what they always cost), to web servers 60 cents a million,
# by e-mail 20 dollars a million; the price of a text message depends on the country. A filter policy saves the
# deliveries that it keeps out. (The first million of publishes a month is free, and is not taken off.)
#
# ## What to remember
#
# - Publish once, to a topic. Who tells each receiver himself will crash half way, and must know all receivers.
# - Topic plus queues: each subscriber has its own copy, its own pace, its own trouble. A new one changes no publisher.
# - A queue must let the topic in. When it does not, nobody gets an error: watch `NumberOfNotificationsFailed`, and give
#   each subscription a dead-letter queue.
# - SNS keeps nothing (but the archive of a FIFO topic). It tries a web server for a minute, for an hour at most. A
#   queue between keeps for days.
# - No filter policy: everything. With one: only what matches, and types count.
#
# Next: lab 04b, where one upload starts many programs, and a fan-out keeps the order.
