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
# # Lab 03: FIFO queues
#
# First do lab 01. Lab 02 (the visibility timeout) helps.
#
# After this lab you can
#
# - say what a *FIFO queue* (FIFO 대기열) promises that a standard queue does not, and what it costs;
# - choose a *message group* (메시지 그룹), so that order is kept where it is needed, and only there;
# - send a message again without a double: *deduplication* (중복 제거);
# - say what "*exactly-once processing*" (정확히 한 번 처리) does not promise;
# - find out why a FIFO queue is "stuck", and free it.
#
# {minutes}

# %%
import json
import time

from lablib import Cloud, exercise, limits, views, workbench
from lablib.gateway import Fault
from lablib.scenarios.lab03 import Trucks, at_work, jumps_back
from lablib.workbench import predict

# %% [markdown]
# ## 1. Trucks that jump back
#
# Twelve trucks send their GPS position every two seconds. Eight consumers take the positions from one queue and draw
# them on a map. When an old position is drawn after a newer one of the same truck, the truck *jumps back*.

# %%
predict("03.jumps")

# %% [markdown]
# ### Look
#
# Two lanes with **the same trucks, the same positions, the same work**. One queue is standard, the other is FIFO: *first
# in, first out* (선입선출). Press **Play** (or the space bar).

# %%
bench = workbench(Trucks, seed=7, queue_type="standard", compare={"queue_type": "fifo"})
bench

# %%
standard = Trucks(queue_type="standard").run(seed=7)
fifo = Trucks(queue_type="fifo").run(seed=7)
for name, run in (("standard", standard), ("FIFO", fifo)):
    print(
        f"{name:9} {run.measures.done} drawn, {run.measures.duplicates()} came twice,",
        f"{len(jumps_back(run))} jumps back",
    )

# %% [markdown]
# **What to notice.** Both queues do the same work in the same time. The standard queue delivers some positions twice,
# and the *order* (순서) is lost for two reasons: the queue hands out positions in roughly the order of sending only; and
# two consumers that have two positions of one truck do not wait for each other. (The model's servers fail far more often
# than those of AWS, so that you see duplicates within a minute.)
#
# Two positions that came too late, the first by a copy that came back, the second by long work: the truck's next
# position was drawn meanwhile.

# %%
jumps = [row.subject for row in jumps_back(standard)]
overtaken = next(
    subject
    for subject in jumps
    if len(standard.trace.where("Received", subject=subject)) == 1
)
print(standard.explain(jumps[0]), standard.explain(overtaken), sep="\n\n")

# %% [markdown]
# ## 2. Message groups
#
# A FIFO queue does not keep *everything* in order. Each message has a **message group id**. Within a group: strict
# order, and **nobody gets the next message while one is in flight**. Between groups: no order, no waiting.
#
# In the run above, the group id was the truck's id. Now all positions are in one group.

# %%
predict("03.one-group")

# %%
for group in ("one", "truck", "random"):
    run = Trucks(group=group).run(seed=7)
    print(
        f"{group:7} {at_work(run)} at work, {run.measures.done:3} drawn,",
        f"{len(jumps_back(run))} jumps back",
    )

# %% [markdown]
# **What to notice.** One group for all keeps everything in order, and the *throughput* (처리량) is that of one consumer:
# the queue grows and grows. A random id uses all consumers, and keeps nothing in order: you could have taken a
# standard queue. The truck's id does both: order where it is needed, and only there.
#
# > The group id answers one question: **which messages must wait for each other?**

# %%
sizes = [1, 2, 4, 6, 8, 12, 16]
groups = {"one group": "one", "a group for each truck": "truck"}
drawn = {
    text: [Trucks(group=g, consumers=n).run(seed=7).measures.throughput for n in sizes]
    for text, g in groups.items()
}
views.sweep(sizes, drawn, x_title="consumers", y_title="positions drawn a second")

# %% [markdown]
# **What to notice.** With a group for each truck, six consumers do all that arrives, and twelve groups could keep twelve
# at work. With one group the second consumer already changes nothing.
#
# ### One slow truck
#
# The positions of truck 1 now take six times the work, longer than it takes the next one to come.

# %%
predict("03.slow")


# %%
def waiting(run):
    """How many positions of truck 1, and of all others, are not drawn at the end."""
    sent = {row.subject: row.actor for row in run.trace.where("Sent")}
    left = set(sent) - {row.subject for row in run.trace.where("Deleted")}
    mine = sum(sent[subject] == "truck-1" for subject in left)
    return mine, len(left) - mine


for group in ("truck", "one"):
    for slow in (1.0, 6.0):
        mine, others = waiting(Trucks(group=group, slow=slow).run(seed=7))
        print(
            f"group {group:5}  truck 1 takes {slow:g} times the work:"
            f"  {mine:2} of its positions wait, and {others:3} of the others"
        )

# %% [markdown]
# **What to notice.** Five positions of the other trucks are just being drawn when the run ends, with a slow truck and
# without one. In one group each position waits for all that were sent before it, whosever they are: most of them wait
# also without a slow truck. With it, all others wait longer, too.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first. Then run the cell of the workbench again: its settings are as at first, and what you have met
# stays met.
#
# 1. Open **What if**, and set *message group* to "one". How many consumers work in the FIFO lane? Set it back to "truck".
# 2. Play, stop while a consumer of the FIFO lane has a position, and do *Crash a consumer* with that consumer. Its truck
#    stands still on the map until the visibility timeout ends (30 s). All others go on. Click a position that waits: its
#    card says why.
# 3. Set *consumers* to 40. Why do most of them have nothing to do? Twelve groups can keep at most twelve at work.
# 4. Set *trucks* to 100 and *consumers* to 100. That is the course's example: **100 trucks, one FIFO queue, group id =
#    truck id, up to 100 consumers.** A later lab puts the same trucks on a Kinesis stream with 5 shards.

# %%
hundred = Trucks(trucks=100, consumers=100).run(seed=7)
print(hundred)
print(
    at_work(hundred),
    "consumers at work at the same time,",
    len(jumps_back(hundred)),
    "jumps back",
)

# %% [markdown]
# Why not all 100? The trucks send 50 positions a second, and a position is about one second of work: so some 50
# consumers are at work, now more, now fewer. A hundred groups *allow* a hundred consumers; there must be work for them,
# too. Set *work time* to 2 s, and all of them are at work.
#
# ## 3. Your first FIFO queue, and why it is stuck
#
# The name ends in `.fifo`, and the type is chosen when the queue is created, once and for all. What if you forget
# something? Read the errors: you will meet them again.

# %%
cloud = Cloud(seed=1)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
url = answer["QueueUrl"]
tries = {
    "no .fifo": lambda: sqs.create_queue(
        QueueName="orders", Attributes={"FifoQueue": "true"}
    ),
    "no group": lambda: sqs.send_message(QueueUrl=url, MessageBody="tea"),
    "no deduplication id": lambda: sqs.send_message(
        QueueUrl=url, MessageBody="tea", MessageGroupId="ann"
    ),
    "a delay": lambda: sqs.send_message(
        QueueUrl=url,
        MessageBody="tea",
        MessageGroupId="ann",
        MessageDeduplicationId="1",
        DelaySeconds=5,
    ),
}
for name, call in tries.items():
    try:
        call()
    except sqs.exceptions.ClientError as error:
        print(f"{name}: {error}\n")

# %% [markdown]
# A single message cannot be delayed: it would come out of order. A *delay queue* delays all messages alike.
#
# Now three orders of Ann and one of Bob. The group is the customer.

# %%
cloud = Cloud(seed=1)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
url = answer["QueueUrl"]
orders = [("ann", "tea"), ("ann", "cake"), ("bob", "milk"), ("ann", "bread")]
for number, (customer, text) in enumerate(orders):
    ids = {"MessageGroupId": customer, "MessageDeduplicationId": f"order-{number}"}
    sent = sqs.send_message(QueueUrl=url, MessageBody=text, **ids)
    print(customer, text, sent["SequenceNumber"])


def receive(most=1):
    """Up to `most` messages, and what was in them."""
    how = {"WaitTimeSeconds": 1, "MessageSystemAttributeNames": ["All"]}
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **how)
    found = answer.get("Messages", [])
    print([f"{m['Attributes']['MessageGroupId']}: {m['Body']}" for m in found])
    return found


first = receive()

# %% [markdown]
# The sequence numbers grow, but not by one. You have Ann's tea, and have not deleted it.

# %%
predict("03.stuck")

# %%
second = receive(10)
third = receive(10)
cloud.advance(10)  # the counts are approximate: they lag
counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
print(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"])

# %% [markdown]
# **What to notice.** Two messages are in the queue and not in flight, and a receive brings nothing. "My FIFO queue is
# stuck: after the first receive nothing comes" is a question that many people ask. Nothing is broken: the group waits
# for the message in flight, until somebody **deletes** it, **gives it back** (visibility timeout 0), or its
# **visibility timeout ends**.

# %%
sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
rest = receive(10)
print(*(cloud.explain(message["MessageId"]) for message in rest[:1]))

# %% [markdown]
# A receive with up to ten takes as many of one group as it can, in order. Now both are yours: do the cake **before**
# the bread, and when the cake fails, leave the bread alone.
#
# ### A dead-letter queue breaks the order
#
# A message that fails again and again blocks its group. A dead-letter queue (FIFO too) frees the group, and so the next
# message is done though the one before was not. For positions that is fine. For "create the account" and "pay from the
# account" it is not.

# %%
cloud = Cloud(seed=1)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="orders-dlq.fifo", Attributes={"FifoQueue": "true"})
dead = answer["QueueUrl"]
answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
arn = answer["Attributes"]["QueueArn"]
policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
settings = {"FifoQueue": "true", "RedrivePolicy": policy, "VisibilityTimeout": "5"}
url = sqs.create_queue(QueueName="orders.fifo", Attributes=settings)["QueueUrl"]
for text in ("cake", "bread"):
    sqs.send_message(
        QueueUrl=url,
        MessageBody=text,
        MessageGroupId="ann",
        MessageDeduplicationId=text,
    )

for _ in range(2):
    cake = receive()  # the work fails, so nobody deletes it
    cloud.advance(6)
bread = receive()  # the cake has moved away: the bread is next
print(cloud.explain(cake[0]["MessageId"]).splitlines()[-2])

# %% [markdown]
# ## 4. Sent twice, stored once
#
# A producer sends an order and gets no answer. Did SQS take it? It cannot know. boto3 sends again by itself. On a
# standard queue that makes two messages. On a FIFO queue the **deduplication id** tells SQS that it is the same one.

# %%
predict("03.window")

# %%
cloud.close()
cloud = Cloud(seed=2)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
url = answer["QueueUrl"]
order = {
    "QueueUrl": url,
    "MessageBody": "tea",
    "MessageGroupId": "ann",
    "MessageDeduplicationId": "order-1",
}
for _ in range(4):
    sent = sqs.send_message(**order)
    status = sent["ResponseMetadata"]["HTTPStatusCode"]
    print(f"{cloud.now / 60:.0f} min: {sent['MessageId']}, HTTP {status}")
    cloud.advance(120)
print(cloud.explain(cloud.trace.where("Sent")[0].subject))

# %% [markdown]
# **What to notice.** Each send is answered in the same way, with 200 and a MessageId. The dropped ones get the id of
# the first. It makes no difference whether the first was received and deleted in the meantime.
#
# ### A lost answer
#
# We lose the answers of two sends on their way back. Watch boto3: it waits 60 seconds for an answer, then tries again.

# %%
cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), count=2))
sent = sqs.send_message(**order | {"MessageDeduplicationId": "order-2"})
print("retries by boto3:", sent["ResponseMetadata"]["RetryAttempts"])
print(cloud.explain(sent["MessageId"]))

# %% [markdown]
# One message: the id was the same each time. An id that is made new at each try, such as `uuid.uuid4()`, protects only
# against what boto3 repeats, not against your own retry, or against a producer that crashes and starts over. **The id
# must name the order, not the try.**
#
# And five minutes are not for ever. boto3 makes up to five attempts and waits 60 seconds for each answer: its last
# attempt comes after four minutes, just in time. If you then send once more yourself, it is a new message: a double.
#
# ### From the body
#
# With `ContentBasedDeduplication` SQS computes the id itself: the SHA-256 of the body (not of the attributes). Handy,
# when no two messages have the same body.

# %%
sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "true"})
tea = {"QueueUrl": url, "MessageBody": "tea"}
ids = [
    sqs.send_message(**tea, MessageGroupId=customer)["MessageId"]
    for customer in ("ann", "bob")
]
print("two customers want tea:", len(set(ids)), "message")

# %% [markdown]
# Bob gets no tea! The ids of a queue count for all its groups (unless `DeduplicationScope` is `messageGroup`). So the
# body must say whose order it is, or you give the id yourself.
#
# ### The same receive again (extra)
#
# An answer can be lost on the way *out*, too. The messages are then in flight, their group is locked, and nobody has
# them. A receive with a `ReceiveRequestAttemptId` can be repeated: within five minutes, the same id gives the **same
# messages** again, as long as nothing happened to them. Without it, the group waits for the visibility timeout.


# %%
def lost_receive(**attempt):
    """Seconds until a consumer has the message: its first answer is lost."""
    with Cloud(seed=3) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(
            QueueName="orders.fifo",
            Attributes={"FifoQueue": "true", "VisibilityTimeout": "300"},
        )["QueueUrl"]
        sqs.send_message(
            QueueUrl=url,
            MessageBody="tea",
            MessageGroupId="ann",
            MessageDeduplicationId="order-1",
        )
        cloud.faults.add(Fault("lost_answer", operations=("ReceiveMessage",), count=1))
        attempt |= {"QueueUrl": url, "WaitTimeSeconds": 20}
        while not sqs.receive_message(**attempt).get("Messages"):
            pass
        return cloud.now


print(f"without an attempt id: {lost_receive():.0f} s")
print(f"with an attempt id:    {lost_receive(ReceiveRequestAttemptId='try-1'):.0f} s")

# %% [markdown]
# **What to notice.** With the id, the wait is only the 60 seconds that boto3 gives an answer. Without it, it is the
# whole visibility timeout of 300 seconds. (When you give no id, SQS makes one up for each call. A retry gets another one.)
#
# ### What "exactly once" does not promise
#
# AWS calls this *exactly-once processing*. A FIFO queue stores a message once, and adds no duplicates of its own. A
# consumer takes a message, charges a card, and crashes before it deletes the message.

# %%
predict("03.exactly-once")

# %%
cloud.close()
cloud = Cloud(seed=3)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
url = answer["QueueUrl"]
charged, ids = [], {"MessageGroupId": "ann", "MessageDeduplicationId": "order-1"}
sqs.send_message(QueueUrl=url, MessageBody="order-1", **ids)


def consumer():
    while True:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            charged.append(message["Body"])  # the side effect: it stays, whatever comes
            time.sleep(1)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


unlucky = cloud.spawn(consumer, name="consumer-1")
cloud.advance(0.5)
cloud.kill(unlucky)
cloud.spawn(consumer, name="consumer-2")
cloud.advance(60)
print(charged)
cloud.close()

# %% [markdown]
# **What to notice.** Deduplication protects the way *into* the queue. On the way *out*, a FIFO queue delivers at least
# once, like any queue. So a consumer must be idempotent (멱등) here too: lab 01, exercise 3.
#
# ## 5. 300 calls a second
#
# Order has a price: a FIFO queue takes 300 calls a second of each kind (send, receive, delete). What comes beyond is
# **throttled (스로틀링)**: `ThrottlingException`. boto3 waits a little and tries again, up to four times more.

# %%
predict("03.throughput")


# %%
def rate(per_call, senders=6, seconds=5, groups=None, **attributes):
    """Messages a second, when so many senders send as fast as they can."""
    cloud = Cloud(seed=4, assume={"sqs.fifo_burst": 0.1})
    sqs = cloud.client("sqs")
    fifo = {"FifoQueue": "true"} | attributes
    url = sqs.create_queue(QueueName="positions.fifo", Attributes=fifo)["QueueUrl"]

    def sender(name, n=0):
        while True:
            group = {"MessageGroupId": f"group-{name % (groups or senders)}"}
            fields, entries = ("Id", "MessageBody", "MessageDeduplicationId"), []
            for i in range(per_call):
                entries.append(dict.fromkeys(fields, f"{name}-{n + i}") | group)
            try:
                sqs.send_message_batch(QueueUrl=url, Entries=entries)
            except sqs.exceptions.ClientError:
                pass  # throttled five times in a row
            n += per_call

    for number in range(senders):
        cloud.spawn(sender, number)
    cloud.advance(seconds)
    return len(cloud.trace.where("Sent")) / seconds, len(cloud.trace.where("Throttled"))


# %%
for per_call in (1, 10):
    print(
        "{:,.0f} messages/s, {} calls throttled".format(*rate(per_call)),
        f"({per_call} a call)",
    )

# %% [markdown]
# **What to notice.** A batch of ten is one call: batches make ten times the throughput out of the same number of calls.
# The throttled calls were work for nothing, and whom they hit is luck: that truck's next position waits until boto3
# tries again. Exercise 4 does without them.
#
# ### High-throughput mode (extra)
#
# *High-throughput mode* (고처리량 모드) counts sends for each **group** instead of for the queue: 300 calls a second a
# group, thousands for the queue.

# %%
HIGH = {
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}

print(f"12 senders, normal mode: {rate(1, 12)[0]:,.0f} messages/s")
print(f"12 senders, 1 group:     {rate(1, 12, groups=1, **HIGH)[0]:,.0f} messages/s")
print(f"12 senders, 12 groups:   {rate(1, 12, groups=12, **HIGH)[0]:,.0f} messages/s")

# %% [markdown]
# **What to notice.** The mode gives nothing to a queue with one group. With a group for each sender, the senders
# themselves are the limit. It is another reason to have many groups.
#
# ## 6. Exercises
#
# As in lab 01: write the function, run the check. It looks for the smallest case that breaks your function.
#
# ### Exercise 1: choose the group (extra)
#
# Three systems send to FIFO queues of their own. Return the group id of a message: a text. Order must hold where it is
# needed, and two messages that need no order must be able to be worked on at the same time.
#
# | `system` | a `message` has | must be in order |
# | --- | --- | --- |
# | `"shop"` | `order`, `customer`, `event` | the events of an order (placed, paid, packed, shipped) |
# | `"trucks"` | `truck`, `depot`, `position` | the positions of a truck |
# | `"chat"` | `room`, `user`, `text` | what is said in a room, by whomever |


# %%
def group(system, message):
    """The message group id of this message."""
    ### BEGIN SOLUTION
    key = {"shop": "order", "trucks": "truck", "chat": "room"}[system]
    return message[key]
    ### END SOLUTION


exercise("03.groups").check(group)

# %% [markdown]
# ### Exercise 2: no double order
#
# Send all `orders`: dicts with `id`, `customer` and `text`. The text is the body. The orders of a customer stay in
# order; customers do not wait for each other. Answers get lost, and your producer can crash: then it is started again,
# with the same list. A minute later it is called again, with the next orders. Each order must be in the queue once. Two
# orders can have the same text.


# %%
def producer(sqs, queue_url, orders):
    """Send every order once, each customer's in order."""
    ### BEGIN SOLUTION
    for order in orders:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=order["text"],
            MessageGroupId=order["customer"],
            MessageDeduplicationId=order["id"],
        )
    ### END SOLUTION


exercise("03.producer").check(producer)

# %% [markdown]
# ### Exercise 3: order through a crash
#
# The groups are customers. Call `process(body)` for each order; it takes 4 seconds, and raises an exception when it
# fails. A failed order must be tried again **before** the next order of this customer. The queue's visibility timeout
# is 30 seconds. Your consumer runs for ever, several run at the same time, and each can crash.


# %%
def consumer(sqs, queue_url, process):
    """Do all orders, each customer's in order, for ever."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            try:
                process(message["Body"])
            except Exception:
                continue  # it comes back, and its group waits for it
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
    ### END SOLUTION


exercise("03.consumer").check(consumer)

# %% [markdown]
# ### Exercise 4: 3,000 messages a second (extra)
#
# `senders` copies of your function run at the same time, each with its own list `positions`: dicts with `truck` and
# `text`. Together they have 6,000. Send them in 2 seconds (we allow 2.4), and do not make SQS refuse a single call.
# The positions of a truck stay in order, and each truck is a group. Each text is different from all others. Entries of
# a batch can fail, as in lab 01.
# `time.monotonic()` and `time.sleep()` work in virtual time.


# %%
def sender(sqs, queue_url, positions, senders):
    """Send the positions, as fast as the queue allows."""
    ### BEGIN SOLUTION
    start, calls, left = time.monotonic(), 0, list(positions)
    while left:
        batch, left = left[:10], left[10:]
        entries = [
            {
                "Id": str(i),
                "MessageBody": p["text"],
                "MessageGroupId": p["truck"],
                "MessageDeduplicationId": p["text"],
            }
            for i, p in enumerate(batch)
        ]
        due = start + calls * senders / 300
        time.sleep(max(0, due - time.monotonic()))
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        left = [
            batch[int(failed["Id"])] for failed in answer.get("Failed", [])
        ] + left  # first what failed
        calls += 1
    ### END SOLUTION


exercise("03.throughput").check(sender)

# %% [markdown]
# ### Exercise 5: the queue is stuck (extra)
#
# It is night, and the phone rings: the queue `orders.fifo` is stuck. Two consumers run and are in order: they take one
# order at a time, and delete it after the work. Their visibility timeout is 10 seconds. What you know:
#
# - a customer's order may be **poison**: it fails whenever somebody tries;
# - another consumer has **crashed**. It had received orders for 12 hours. `in_hand` is the list of these messages, as
#   `receive_message` gave them (empty if there was no crash).
#
# Write the function that frees the queue, and returns. After two minutes all good orders must be done, in order. No
# order may be lost, not even the poison. An order that fails only once is no poison.


# %%
def free(sqs, queue_url, in_hand):
    """Free the queue, lose nothing."""
    ### BEGIN SOLUTION
    for message in in_hand:
        sqs.change_message_visibility(
            QueueUrl=queue_url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=0,
        )
    dead = sqs.create_queue(
        QueueName="orders-dlq.fifo", Attributes={"FifoQueue": "true"}
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
    ### END SOLUTION


exercise("03.stuck").check(free)

# %% [markdown]
# ## Build your own (extra)
#
# A workbench is made of parts: controls, picture, curves. Each can be put wherever you like, and each setting can be
# observed. This page counts how often a truck jumps back.

# %%
from ipywidgets import HTML, HBox, VBox

own = workbench(Trucks, seed=7, queue_type="standard")
jumps = HTML()


def count(change=None):
    jumps.value = f"<b>{len(jumps_back(own.run))} jumps back</b>"


own.observe(count, "run")
count()
VBox(
    [
        HBox([own.control("queue_type"), own.control("group"), jumps]),
        own.stage,
        own.figure,
    ]
)

# %% [markdown]
# ## Then and now (extra)
#
# An AWS course of 2023 says 300 calls and 3,000 messages a second. That still holds for a FIFO queue as you create it.
# What has grown is the rest:

# %%
limits("sqs", changed=True).filter(like="fifo", axis=0)

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **Which group comes first.** AWS does not write down which of several free groups a receive takes. It was seen to let
#   groups take turns, and so does the model: a group that was just served comes after those that wait.
# - **Bursts.** AWS says 300 calls a second and not how it counts them. The model lets calls of up to one second come at
#   once (`sqs.fifo_burst`). The text of `ThrottlingException` is assumed, too.
# - **Partitions.** A FIFO queue in high-throughput mode is split inside. The model has one limit for the queue and one
#   for each group.
# - **Outages.** FIFO queues have no failing servers here: AWS promises that they add no duplicates.
#
# ## Cost (extra)
#
# The costs that this lab shows are computed with the price of a *standard* queue's requests. We have no price for FIFO
# requests that we could name a source for: look at the SQS price list before you decide. What you can see here is the
# number of requests, and batches of ten make it ten times smaller.

# %%
for name, run in (("standard", standard), ("FIFO", fifo)):
    calls = sum(run.measures.calls().values())
    print(f"{name}: {calls} calls for {run.measures.done} positions")

# %% [markdown]
# ## What to remember
#
# - A FIFO queue keeps the order **within a message group**, and gives out nothing of a group while one of its messages
#   is in flight. Groups do not wait for each other.
# - The group id decides how many consumers can work: one group, one consumer.
# - The deduplication id names the order, not the try. SQS remembers it for five minutes.
# - "Exactly once" ends at the consumer: it must still be idempotent, and must not do the next message of a group before
#   a failed one.
# - A queue that seems stuck waits for a message in flight: look who holds it, and whether it can succeed.
# - 300 calls a second; ten messages a call.
#
# Next: topics, which give one message to many queues.
