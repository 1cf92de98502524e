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
# - find out why nothing arrives, though nobody got an error;
# - say what SNS keeps (nothing, with one exception), and what to put between a topic and a receiver that may be down;
# - give each receiver only what it wants: a *filter policy* (필터 정책);
# - start many programs with one upload to S3, and keep the order in a fan-out.
#
# {minutes}

# %%
import json
from contextlib import suppress
from urllib.parse import unquote_plus

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
# 1. **Break it.** Open **What if** and set *shop crashes* to 0. Play, stop, and do *Crash the shop*. Look at the next
#    order in both lanes.
# 2. **Ask why.** Click a message in a queue of the upper lane. Its life names what was published, and the other copies.
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
# ### A subscriber that comes later

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
# (One exception, today: a FIFO topic, see section 6, can keep an *archive* (보관) for up to 365 days. A queue that
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
print(cloud.explain_access(resource=fraud_arn, **question))

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
# When the error is the *other* side's, SNS tries again. A queue or a function: 100,015 times in 23 days, which is as
# good as always. E-mail, text message (SMS), mobile push: 50 times in 6 hours. A **web server** (HTTP/S): 3 times, 20
# seconds apart, unless you say otherwise; at most for an hour.

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
# **What to notice.** SNS tried four times in a minute, and forgot the order. The mail and the stock program got theirs
# in time: one subscriber that is down does not hold up the others. What each subscriber got:

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
# 5. Play, stop, and do *Take a queue's policy away*, the queue `mail`, 60 s. Who gets an error? What is lost? Then switch
#    *dead-letter queue* on.
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
# ## 6. Files, order, other regions, telephones (extra)
#
# ### One upload, many programs
#
# S3 can tell a queue that a file has come: an *event notification* (이벤트 알림). Two programs want to know: one makes
# small pictures, one reads faces. So: two rules, one for each queue?

# %%
predict("04.two-rules")

# %%
cloud.close()
cloud = Cloud(seed=2)
sns, sqs, s3 = cloud.client("sns"), cloud.client("sqs"), cloud.client("s3")
s3.create_bucket(Bucket="photos-of-spring")
bucket = "arn:aws:s3:::photos-of-spring"
arns = [
    make_queue(sqs, name, bucket, "s3.amazonaws.com")[1]
    for name in ("thumbnails", "faces")
]
photos = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}}
rules = [
    {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": photos}
    for arn in arns
]
try:
    s3.put_bucket_notification_configuration(
        Bucket="photos-of-spring",
        NotificationConfiguration={"QueueConfigurations": rules},
    )
except s3.exceptions.ClientError as error:
    print(error)

# %% [markdown]
# One event, one rule: S3 refuses two rules for the same event type when their prefixes overlap **and** their suffixes
# overlap. (`photos/` with `.jpg` and `photos/` with `.png` may stand side by side.) So the rule names a topic, and the
# topic tells everybody. Now it is the *topic* that must let S3 in. S3 asks at once, and says no: better than SNS, which
# took the queue without a policy and said nothing.
#
# The policy names the bucket **and your account**: a bucket's ARN holds no account, and a name that you give up can be
# taken by somebody else, whose events would then come to you.

# %%
topic = sns.create_topic(Name="uploads")["TopicArn"]
configuration = {
    "TopicConfigurations": [
        {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"], "Filter": photos}
    ]
}
notify = {"Bucket": "photos-of-spring", "NotificationConfiguration": configuration}
try:
    s3.put_bucket_notification_configuration(**notify)
except s3.exceptions.ClientError as error:
    print(error)
statement = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": topic,
    "Condition": {
        "ArnEquals": {"aws:SourceArn": bucket},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    },
}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
s3.put_bucket_notification_configuration(**notify)
print("now S3 may publish")

# %%
queues = {}
for name in ("thumbnails", "faces"):
    queues[name], arn = make_queue(sqs, name, topic)
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
s3.put_object(Bucket="photos-of-spring", Key="photos/first day.jpg", Body=b"...")
cloud.advance(20)
for name, url in queues.items():
    events = [json.loads(body) for body in receive(sqs, url)]
    print(
        name,
        [
            record["s3"]["object"]["key"]
            for event in events
            for record in event.get("Records", [])
        ],
    )

# %% [markdown]
# Look at the key: S3 writes it as in a URL. Forget `unquote_plus`, and your program looks for a file that does not
# exist, but only when a name has a space in it.
#
# A third program is a Lambda function (람다 함수). It has a policy too: `add_permission` writes a statement into it. And
# when a rule is made, S3 sends a *test event*, which has no `Records`:


# %%
def rename(event, context):
    """What SNS hands over: its own document, with S3's document as a text in it."""
    message = json.loads(event["Records"][0]["Sns"]["Message"])
    keys = [record["s3"]["object"]["key"] for record in message.get("Records", [])]
    print(message.get("Event") or [unquote_plus(key) for key in keys])


functions = cloud.client("lambda")
function = cloud.deploy("rename", rename)
permission = {
    "FunctionName": "rename",
    "StatementId": "uploads",
    "Action": "lambda:InvokeFunction",
}
permission |= {"Principal": "sns.amazonaws.com", "SourceArn": topic}
there = functions.exceptions.ResourceConflictException  # this cell was run before
with suppress(there):
    functions.add_permission(**permission)
sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
s3.put_bucket_notification_configuration(**notify)
s3.put_object(Bucket="photos-of-spring", Key="photos/second day.jpg", Body=b"...")
cloud.advance(20)

# %% [markdown]
# ### A fan-out in order
#
# A *FIFO topic* with FIFO queues keeps what you know from lab 03: order within a group, and no doubles.

# %%
answer = sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true"})
ordered = answer["TopicArn"]
lines = {}
for name in ("mail.fifo", "stock.fifo"):
    lines[name], arn = make_queue(sqs, name, ordered, FifoQueue="true")
    sns.subscribe(TopicArn=ordered, Protocol="sqs", Endpoint=arn, Attributes=raw)
orders = [(1, "ann", "tea"), (2, "bob", "milk"), (3, "ann", "cake")]
orders += [(3, "ann", "cake"), (4, "ann", "jam")]
for number, customer, text in orders:
    ids = {"MessageGroupId": customer, "MessageDeduplicationId": f"order-{number}"}
    sns.publish(TopicArn=ordered, Message=text, **ids)
cloud.advance(1)
for name, url in lines.items():
    print(name, receive(sqs, url))
try:
    sns.subscribe(TopicArn=ordered, Protocol="email", Endpoint="ann@example.com")
except sns.exceptions.ClientError as error:
    print(error)

# %% [markdown]
# The cake was published twice, with one deduplication id, and is in each queue once. (Run the cell again: for 5 minutes
# the topic knows all four ids, and nothing comes.) In 2023 only FIFO queues could subscribe to a FIFO topic; today
# standard queues can too ("Then and now" shows it). Web servers and e-mail still cannot. Order has its price: a FIFO
# topic took 300 messages a second in 2023, and takes 3,000 today.
#
# ### Another region, a telephone, an app
#
# A queue in Seoul can subscribe to a topic in Virginia (*cross-region delivery*, 리전 간 전송). It takes a little longer.
# You publish with a client of the topic's own region; another one does not know the topic.

# %%
seoul = cloud.client("sqs", region_name="ap-northeast-2")
news = sns.create_topic(Name="news")["TopicArn"]
for name, client in (("virginia", sqs), ("seoul", seoul)):
    sns.subscribe(
        TopicArn=news, Protocol="sqs", Endpoint=make_queue(client, name, news)[1]
    )
sent = sns.publish(TopicArn=news, Message="hello")["MessageId"]
cloud.advance(1)
start = cloud.trace.where("Published", subject=sent)[0].time
for row in cloud.trace.where("Delivered", subject=tuple(cloud.trace.children(sent))):
    print(f"{row.actor:11} after {1000 * (row.time - start):3.0f} ms")
try:
    cloud.client("sns", region_name="ap-northeast-2").publish(
        TopicArn=news, Message="hello"
    )
except sns.exceptions.ClientError as error:
    print(error)

# %% [markdown]
# Without any topic you can publish directly: to a telephone, or to one app on one device (*mobile push*, 모바일 푸시).
# In the lab these are inboxes that you can open. (Android's service is FCM, Firebase Cloud Messaging. SNS still calls the
# platform by its old name, GCM. Its credential is a *token*, the JSON of a service account: keys ended in 2024.)

# %%
sns.publish(PhoneNumber="+821012345678", Message="Your order is on its way.")
app = sns.create_platform_application(
    Name="shop",
    Platform="GCM",
    Attributes={"PlatformCredential": "the token of the service account"},
)["PlatformApplicationArn"]
phone = sns.create_platform_endpoint(
    PlatformApplicationArn=app, Token="the token of the device"
)["EndpointArn"]
notification = {"notification": {"title": "Shop", "body": "Your order is on its way."}}
push = {"default": "Your order is on its way.", "GCM": json.dumps(notification)}
sns.publish(TargetArn=phone, Message=json.dumps(push), MessageStructure="json")
cloud.advance(1)
for name, endpoint in (("telephone", "+821012345678"), ("app", phone)):
    print(f"{name:9}  {cloud.service('sns').inbox(endpoint).received[-1].body}")

# %% [markdown]
# ### Encryption and access
#
# As with queues: HTTPS on the way; on disk a topic can use a KMS key (`KmsMasterKeyId`). Who may publish and subscribe
# is said by IAM and by the topic's access policy. A program has a *role* (역할); let the shop's publish to its topic, and
# do nothing else:

# %%
with Cloud(seed=3) as firm:
    owner, iam = firm.client("sns"), firm.client("iam")
    orders_arn, prices_arn = (
        owner.create_topic(Name=name)["TopicArn"] for name in ("orders", "prices")
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    may = {"Effect": "Allow", "Action": "sns:Publish", "Resource": orders_arn}
    trust, may = (
        json.dumps({"Version": "2012-10-17", "Statement": [one]})
        for one in (trust, may)
    )
    iam.create_role(RoleName="shop", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(
        RoleName="shop", PolicyName="publish-orders", PolicyDocument=may
    )
    client = firm.client("sns", role="shop")
    client.publish(TopicArn=orders_arn, Message="order-7: salt")
    try:
        client.publish(TopicArn=prices_arn, Message="All is free today!")
    except client.exceptions.AuthorizationErrorException as error:
        print(error)

# %% [markdown]
# The refusal says who, what, and on which resource.
#
# One trap belongs here: a queue that is encrypted with the AWS managed key `alias/aws/sqs`. SNS has no right to that
# key, and nobody can give it one.

# %%
secret, secret_arn = make_queue(sqs, "secret", news, KmsMasterKeyId="alias/aws/sqs")
sns.subscribe(TopicArn=news, Protocol="sqs", Endpoint=secret_arn)
sent = sns.publish(TopicArn=news, Message="a secret")["MessageId"]
cloud.advance(1)
deliveries = tuple(cloud.trace.children(sent))
failed = cloud.trace.where("DeliveryFailed", subject=deliveries)[0]
print(cloud.trace.describe(failed))

# %% [markdown]
# Use a key of your own, and let `sns.amazonaws.com` do `kms:GenerateDataKey*` and `kms:Decrypt` in its key policy. The
# security lab goes deeper.
#
# ## 7. Exercises
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
    raw = {
        "RawMessageDelivery": "true"
    }  # the partner wants the order, not the envelope of SNS
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
# ### Exercise 4: a picture pipeline (extra)
#
# Each photo (`photos/...jpg`) that comes into `bucket` goes once to the queue `thumbnails`, once to the queue `search`,
# and once to a Lambda function (람다 함수) `catalogue`, which calls `save(key)`. Other files go nowhere. Of each thing let
# in only who must come in. `save` can fail: Lambda tries again when your function raises.
#
# A function is a subscriber like a queue, with the protocol `lambda` and its ARN as endpoint. In the lab,
# `cloud.deploy(name, handler)` makes one from `handler(event, context)` and returns its ARN. SNS passes the message in
# `event["Records"][0]["Sns"]["Message"]`. The function lets the topic in with `add_permission` of the client `lambda`.
# This account is `123456789012`.


# %%
def pipeline(cloud, bucket, save):
    """Photos of the bucket: to two queues, and to a function that saves their keys."""
    ### BEGIN SOLUTION
    sns, sqs, s3 = (cloud.client(name) for name in ("sns", "sqs", "s3"))
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    who = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
    only = {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
    statement = who | {"Action": "sns:Publish", "Resource": topic, "Condition": only}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy
    )
    for name in ("thumbnails", "search"):
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=make_queue(sqs, name, topic)[1]
        )

    def handler(event, context):
        for record in json.loads(event["Records"][0]["Sns"]["Message"]).get(
            "Records", []
        ):
            save(unquote_plus(record["s3"]["object"]["key"]))

    sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=cloud.deploy("catalogue", handler)
    )
    permission = {
        "FunctionName": "catalogue",
        "StatementId": "sns",
        "Action": "lambda:InvokeFunction",
    }
    cloud.client("lambda").add_permission(
        **permission, Principal="sns.amazonaws.com", SourceArn=topic
    )
    photos = [
        {"Name": "prefix", "Value": "photos/"},
        {"Name": "suffix", "Value": ".jpg"},
    ]
    rule = {
        "TopicArn": topic,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": photos}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [rule]}
    )
    ### END SOLUTION


# %%
exercise("04.pipeline").check(pipeline)

# %% [markdown]
# ### Exercise 5: in order, and once (extra)
#
# `events` are dicts with `id`, `customer` and `text`. Make the FIFO topic and the FIFO queues, wire them, and publish
# each event as JSON (`json.dumps(event)`). In each queue there must be each event once, those of a customer in order;
# customers do not wait for each other. Answers to `Publish` get lost, and your program can crash: then it is started
# again, with the same list. Only this topic may send to the queues.


# %%
def publisher(sns, sqs, topic_name, queue_names, events):
    """Publish every event to all queues: once, and each customer's in order."""
    ### BEGIN SOLUTION
    topic = sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"})[
        "TopicArn"
    ]
    for name in queue_names:
        _, arn = make_queue(sqs, name, topic, FifoQueue="true")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for event in events:
        sns.publish(
            TopicArn=topic,
            Message=json.dumps(event),
            MessageGroupId=event["customer"],
            MessageDeduplicationId=event["id"],
        )
    ### END SOLUTION


exercise("04.ordered").check(publisher)

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
# The clouds of this lab are those of 2023. Here is one of today, with a standard queue at a FIFO topic, and 1 MiB:

# %%
with Cloud(seed=4, limits="today") as today:
    sender, receiver = today.client("sns"), today.client("sqs")
    large = {"FifoTopic": "true", "MaximumMessageSize": "1048576"}
    films = sender.create_topic(Name="films.fifo", Attributes=large)["TopicArn"]
    url, arn = make_queue(receiver, "films", films)
    sender.subscribe(
        TopicArn=films,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    sender.publish(
        TopicArn=films,
        Message="x" * 1_048_576,
        MessageGroupId="a",
        MessageDeduplicationId="1",
    )
    print([len(body) for body in receive(receiver, url)], "bytes in a standard queue")

# %% [markdown]
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
for what, dollars in month.fanout.costs().items():
    print(f"SNS, {what:8} ${dollars / orders * 1e6:.2f} for a million orders")
dollars = (month.cost() - month.fanout.cost) / orders * 1e6
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
# - S3 has one rule for an event: let it name a topic, and let in your bucket of your account.
# - FIFO topic and FIFO queues: a fan-out with order and deduplication.
#
# Next: streams, where many readers read the same records, and can read them again.
