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
# # Lab 04b: one upload, many programs
#
# First do lab 04. This lab takes its topic to where most topics stand: behind a **bucket** (버킷) of S3, the place of
# files. And it keeps the order in a fan-out.
#
# After this lab you can
#
# - start many programs with one upload: *event notification* (이벤트 알림);
# - say what becomes of a message when two programs share a queue, and why a bucket wants a topic;
# - let in exactly who must come in: S3 to the topic, the topic to queues and to a function;
# - see a loop coming: a program that writes where it listens;
# - fan out in order, with a FIFO topic.
#
# {minutes}

# %%
import json
from contextlib import suppress
from urllib.parse import unquote_plus

from lablib import Cloud, exercise, workbench
from lablib.scenarios.lab04b import Uploads, worked
from lablib.workbench import predict

# %% [markdown]
# ## 1. One upload, two programs
#
# Visitors upload photos into a bucket. Two programs want to work on **each** photo: `resize` makes a small
# picture of it (a *thumbnail*), `faces` looks for faces. S3 can tell of each new file. The first idea: it tells a queue,
# and both programs poll that queue.

# %%
predict("04b.shared")

# %% [markdown]
# ### Look
#
# The same photos twice. Below, the bucket tells one queue. Above, it tells a topic, and each program has a queue of its
# own. Press **Play** (or the space bar), and look at the board on the right: a column is a photo. (The message that waits
# below before the first photo is a *test event*: S3 tries whether the queue lets it in. There is no photo in it.)

# %%
bench = workbench(Uploads, seed=7, way="one queue", compare={"way": "a topic"})
bench

# %%
for way in ("one queue", "a topic"):
    count = worked(Uploads(way=way).run(seed=7))
    print(
        f"{way:10} done by both programs: {count['all']:2}, by one: {count['some']:2},",
        f"still on their way: {count['open']}",
    )

# %% [markdown]
# **What to notice.** Consumers of one queue *share* its messages. That is right for two workers of one program, and wrong
# for two programs. Nobody gets an error: each program is busy, and each has only a part of the photos.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first. Then run the cell of the workbench again: its settings are as at first, and what you have met
# stays met.
#
# 1. **Hold one program up.** Open **What if**, play, stop, and do *Freeze a consumer*, `faces-1`, 60 s, and then the same
#    with `faces-2`. What waits in the upper lane? Who gets the photos of that minute in the lower one?
# 2. **Feed the loop.** Set *small pictures go to* to "photos/". Watch the queues. Then set it back.
# 3. **Add a function.** Set *the bucket tells* to "a topic", and switch *function catalogue* on: it needs no queue. Play,
#    stop at about 60 s, and do *Catalogue is away*, 90 s. Lambda tries again after one minute, and after two more. Which photos are entered late? Now 240 s.
#
# **What to notice.** In the loop each small picture is a new file under `photos/`, so the bucket tells of it, and a small
# picture of the small picture is made. Nothing fails, and the bill grows. (Lambda stops functions that call each other in a circle;
# a circle through your own program is stopped by nobody.) And a function without a queue in front of it has three
# tries, and then the event is gone.
#
# ## 2. From the bucket to the programs
#
# Now build it. Two functions that you know from lab 04:


# %%
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


# %% [markdown]
# You could think of a third way: no topic, but **two rules** of the bucket, one for each queue.

# %%
predict("04b.two-rules")

# %%
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
# ## 3. A fan-out in order
#
# A *FIFO topic* with FIFO queues keeps what you know from lab 03: order within a group, and no doubles.

# %%
cloud = Cloud(seed=3)
sns, sqs = cloud.client("sns"), cloud.client("sqs")
raw = {"RawMessageDelivery": "true"}
answer = sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true"})
ordered = answer["TopicArn"]
lines = {}
for name in ("mail.fifo", "stock.fifo"):
    lines[name], arn = make_queue(sqs, name, ordered, FifoQueue="true")
    sns.subscribe(TopicArn=ordered, Protocol="sqs", Endpoint=arn, Attributes=raw)
orders = [(1, "ann", "tea"), (2, "bob", "milk"), (3, "ann", "cake")]
orders += [(3, "ann", "cake"), (4, "ann", "jam")]


def publish_all():
    for number, customer, text in orders:
        ids = {"MessageGroupId": customer, "MessageDeduplicationId": f"order-{number}"}
        sns.publish(TopicArn=ordered, Message=text, **ids)


# %%
predict("04b.again")

# %%
publish_all()
cloud.advance(60)
publish_all()  # the program has crashed, and begins again
cloud.advance(1)
for name, url in lines.items():
    print(name, receive(sqs, url))
try:
    sns.subscribe(TopicArn=ordered, Protocol="email", Endpoint="ann@example.com")
except sns.exceptions.ClientError as error:
    print(error)

# %% [markdown]
# **What to notice.** Ann's orders are in her order, and each order is in each queue once. The topic takes a repetition
# (`Publish` succeeds) and stores nothing; it knows an id for five minutes. Mail and web servers cannot subscribe: they
# could not keep the order. In 2023 only FIFO queues could; today standard queues can too, as below. Order has its price:
# a FIFO topic took 300 messages a second in 2023, and takes 3,000 today.
#
# ### Today (extra)
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
# ## 4. Exercises
#
# Write the function, then run the check. If you are stuck: `exercise("04b.pipeline").hint()`.
#
# ### Exercise 1: a picture pipeline
#
# Each photo (`photos/...jpg`) that comes into `bucket` goes once to the queue `thumbnails`, once to the queue `search`,
# and once to a Lambda function (람다 함수) `catalogue`, which calls `save(key)`. Other files go nowhere. Of each thing let
# in only who must come in. `save` can fail: Lambda tries again when your function raises.
#
# A function is a subscriber like a queue, with the protocol `lambda` and its ARN as endpoint. In the lab,
# `cloud.deploy(name, handler)` makes one from `handler(event, context)` and returns its ARN. SNS passes the message in
# `event["Records"][0]["Sns"]["Message"]`. The function lets the topic in with `add_permission` of the client `lambda`.
# This account is `123456789012`.
#
# Begin with the topic and its policy; the next cell is for all the rest.


# %%
def topic_for(sns, bucket):
    """A topic to which this bucket may publish, and nobody else: its ARN."""
    ### BEGIN SOLUTION
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy
    )
    return topic
    ### END SOLUTION


# %%
def pipeline(cloud, bucket, save):
    """Photos of the bucket: to two queues, and to a function that saves their keys."""
    ### BEGIN SOLUTION
    sns, sqs, s3 = (cloud.client(name) for name in ("sns", "sqs", "s3"))
    topic = topic_for(sns, bucket)
    for name in ("thumbnails", "search"):
        arn = make_queue(sqs, name, topic)[1]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def handler(event, context):
        message = json.loads(event["Records"][0]["Sns"]["Message"])
        for record in message.get("Records", []):
            save(unquote_plus(record["s3"]["object"]["key"]))

    function = cloud.deploy("catalogue", handler)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    may = {"FunctionName": "catalogue", "StatementId": "sns", "SourceArn": topic}
    may |= {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    cloud.client("lambda").add_permission(**may)
    photos = [("prefix", "photos/"), ("suffix", ".jpg")]
    only = {"FilterRules": [{"Name": name, "Value": value} for name, value in photos]}
    events = ["s3:ObjectCreated:*"]
    rule = {"TopicArn": topic, "Events": events, "Filter": {"Key": only}}
    told = {"TopicConfigurations": [rule]}
    call = {"Bucket": bucket, "NotificationConfiguration": told}
    s3.put_bucket_notification_configuration(**call)
    ### END SOLUTION


# %%
exercise("04b.pipeline").check(pipeline)

# %% [markdown]
# ### Exercise 2: in order, and once
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


exercise("04b.ordered").check(publisher)

# %% [markdown]
# ## 5. Another region, a telephone, an app (extra)
#
# A queue in Seoul can subscribe to a topic in Virginia (*cross-region delivery*, 리전 간 전송). It takes a little longer.
# You publish with a client of the topic's own region; another one does not know the topic.

# %%
cloud = Cloud(seed=4)
sns, sqs = cloud.client("sns"), cloud.client("sqs")
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
# ## 6. Encryption and access (extra)
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
cloud = Cloud(seed=5)
sns, sqs = cloud.client("sns"), cloud.client("sqs")
news = sns.create_topic(Name="news")["TopicArn"]
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

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **How soon S3 tells.** AWS gives no figure that it keeps; the model's seconds are assumed.
# - **Events twice, or out of order.** S3 promises at least once. An event has a `sequencer` by which you can sort.
# - **EventBridge**, to which a bucket can send all its events, for rules of another kind.
#
# ## What to remember
#
# - Consumers of one queue share its messages. Two programs need two queues, and a topic before them.
# - S3 has one rule for an event: let it name a topic, and let in your bucket *of your account*.
# - Do not write where you listen.
# - A function that a topic calls has three tries. A queue in front of it keeps for days.
# - FIFO topic and FIFO queues: a fan-out with order and deduplication.
#
# Next: streams, where many readers read the same records, and can read them again.
