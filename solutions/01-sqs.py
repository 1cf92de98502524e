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
# # Lab 01: a queue between two programs
#
# No AWS account, no bill: everything runs here, in *virtual time* (가상 시간). Four days take a moment.
#
# After this lab you can
#
# - say why a queue (대기열) between two programs helps, and what it costs;
# - write a producer (생산자) and a consumer (소비자) with boto3;
# - say what an SQS *standard queue* promises, and what it does not promise;
# - write a consumer that stays right when a message (메시지) comes twice.
#
# {minutes}
#
# Run the cells one after the other: **Shift + Enter**. You can run the whole lab again at any time. Nothing breaks.

# %%
import json
import time

from lablib import Action, Cloud, exercise, limits, views, workbench
from lablib.scenarios.lab01 import Fleet, Promises, VideoQueue
from lablib.workbench import predict

# %% [markdown]
# ## 1. Call and wait, or send and go on
#
# People upload videos to a web site. The front end hands each video to a **video worker**, which needs about a second
# for it. There are two ways to hand it over:
#
# - **Synchronous (동기).** The front end calls a worker and waits for the answer. Up to 40 callers can stand in line.
# - **Asynchronous (비동기).** The front end sends a message to a queue and goes on. A worker takes it when it is free.
#
# Three workers are enough for the normal load. At 60 seconds comes a **spike (급증)**: five times as many
# videos, for half a minute.

# %%
predict("01.spike")

# %% [markdown]
# ### Look
#
# The workbench below has two lanes, one above the other, with **the same visitors and the same videos**: both runs have
# the same *seed* (시드), the number from which all chance in a run comes. One lane calls directly, the other has a queue. First **draw**, on the curve below the picture, how many videos will wait in the queue. Then press
# **Play** (or the space bar) and watch both through the spike.

# %%
bench = workbench(
    VideoQueue, seed=7, mode="queue", compare={"mode": "direct"}, predict=True
)
bench

# %%
direct = VideoQueue(mode="direct").run(seed=7)
queued = VideoQueue(mode="queue").run(seed=7)
print(direct)
print(queued)

# %% [markdown]
# **What to notice.** Directly, the callers wait; many time out or are refused, and their videos are lost. With the
# queue no caller waits, and nothing is lost. The queue is a **buffer (버퍼)**: it takes the spike, and the workers drain
# the **backlog (백로그)**, what has piled up, afterwards. The price is time: a video of the spike lies in the queue
# longer than any caller would have stood in line.
#
# Look at the direct lane again, in the middle of the spike: the workers are busy, and many of them with videos whose
# callers **have left**. That work is for nobody, and meanwhile new callers are refused.
#
# ### Try it: the missions above the picture, and these
#
# Above the picture stand **missions (임무)**, one after the other. Each shows the settings and the actions that it
# needs; all the others are behind **What if**, where **Begin again** brings back the first settings. On the way, try
# these:
#
# 1. **A crash.** Stop in the spike, point at a worker of the queue's lane that is busy, and crash it (the lightning
#    bolt). What happens to the video it was working on?
# 2. **Ask why.** Click that video. Its life is told from the record of the run: who received it, when it became
#    visible again, who received it next, and why.
# 3. **A long wait.** Stop a little after the spike, and click a video that has waited since its end. Its card says how
#    many waited before it. Divide by what three workers do a second: click "Workers". Why did it wait just so long?
#
# **Average and peak.** Without a queue you need many workers for the spike, and most of them have nothing to do for the
# rest of the day. A queue lets you pay for the average, not for the peak. And each side can grow by itself: the two are
# **decoupled (분리)**, so they **scale (확장)** apart.

# %%
crashed = VideoQueue(mode="queue").run(
    seed=7, actions=[Action("crash", at=70, target="consumer-2")]
)
again = next(row for row in crashed.trace.where(kind="Received") if row.detail == 2)
print(crashed.explain(again.subject))

# %% [markdown]
# ## 2. Your first queue
#
# A **cloud** holds simulated AWS services; its seed decides all that is left to chance. `cloud.client("sqs")` is a real
# boto3 client. All that you do with the client would run on AWS as it is.

# %%
cloud = Cloud(seed=1)
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="orders")["QueueUrl"]

sent = sqs.send_message(QueueUrl=url, MessageBody="order 1")
print(url)
print(sent["MD5OfMessageBody"], sent["ResponseMetadata"]["HTTPStatusCode"])

# %% [markdown]
# The **producer** sends with `send_message`. The **consumer** asks for messages, it **polls (폴링)**, with
# `receive_message`: it gets up to 10. `WaitTimeSeconds=20` lets the call wait up to 20 seconds for one: a **long poll
# (긴 폴링)**. With each message comes a **receipt handle (수신 핸들)**. It names this receive; who wants to delete the
# message shows it.

# %%
answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
for message in answer.get("Messages", []):
    print("body:", message["Body"])
    print("receipt handle:", message["ReceiptHandle"][:24], "...")

# %% [markdown]
# The consumer has the message. It has not deleted it.

# %%
predict("01.not-deleted")

# %%
now = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
print("at once:", len(now.get("Messages", [])), "messages")

cloud.advance(30)  # half a minute of virtual time
later = sqs.receive_message(
    QueueUrl=url,
    MaxNumberOfMessages=10,
    WaitTimeSeconds=1,
    MessageSystemAttributeNames=["All"],
)
message = later["Messages"][0]
print(
    "30 s later:",
    message["Body"],
    "- received",
    message["Attributes"]["ApproximateReceiveCount"],
    "times",
)

# %% [markdown]
# **What to notice.** While a consumer works, the message is **in flight (전송 중)**: hidden from the others, as long as
# the **visibility timeout (가시성 제한 시간)** lasts, 30 seconds unless you say otherwise. (The call asked for
# `MessageSystemAttributeNames`; older code says `AttributeNames` there, which still works.) If the consumer deletes the message in that time, it is gone. If the
# consumer crashes, the message comes back. So a crash loses nothing. Lab 02 is about this timeout.

# %%
sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
cloud.advance(60)
gone = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
print("after the delete:", len(gone.get("Messages", [])), "messages")
print(cloud.explain(message["MessageId"]))

# %% [markdown]
# ### Programs that run at the same time
#
# `cloud.spawn(function)` starts a function as a process. In a process `time.sleep` sleeps in virtual time.
# `cloud.advance(60)` lets a minute pass.


# %%
def producer():
    for n in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=f"order {n}")
        time.sleep(1)


def consumer():
    while True:
        answer = sqs.receive_message(QueueUrl=url)
        for message in answer.get("Messages", []):
            time.sleep(2)  # the work
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        time.sleep(0.5)


cloud.spawn(producer)
cloud.spawn(consumer, name="consumer-1")
cloud.spawn(consumer, name="consumer-2")
cloud.advance(60)

# %%
done = cloud.trace.where(kind="Deleted", actor=("consumer-1", "consumer-2"))
print(len(done), "orders done, by", sorted({row.actor for row in done}))
cloud.api_log.groupby(["actor", "kind"]).size().unstack(fill_value=0)

# %% [markdown]
# **What to notice.** Each order went to one of the two consumers. `cloud.api_log` is the record of all calls. AWS
# bills each of them, and a receive that brings nothing costs as much as one that brings ten messages. How many of these
# brought something? Exercise 2 does better.

# %% [markdown]
# ## 3. What "standard" promises
#
# | an SQS standard queue | promises | does not promise |
# | --- | --- | --- |
# | **throughput (처리량)** | any number of messages a second, any number in the queue | more than about 120,000 in flight |
# | **retention (보존 기간)** | keeps a message for some days, as many as you say | to keep it for ever |
# | **latency (지연 시간)** | low: an AWS course of 2023 says below 10 ms | a bound |
# | **size** | up to 256 KB (1 MiB today) | |
# | **delivery** | **at least once (최소 한 번)** | exactly once |
# | **order** | **best effort (최선 노력)** | first in, first out |
#
# ### Throughput and latency
#
# A hundred producers send at the same moment, each a hundred messages in batches of ten.

# %%
cloud.close()
cloud = Cloud(seed=3)
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="orders")["QueueUrl"]


def flood():
    for _ in range(10):
        batch = [{"Id": str(i), "MessageBody": "order"} for i in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=batch)


for n in range(100):
    cloud.spawn(flood, name=f"producer-{n + 1}")
cloud.advance(1)

calls = cloud.api_log.query("kind == 'SendMessageBatch'")
took = (calls["until"] - calls["time"]) * 1000
stored, last = int(calls["detail"].sum()), calls["until"].max()
half, most = took.median(), took.quantile(0.99)
print(f"{stored:,} messages stored after {last:.2f} s; no call was refused")
print(f"a call took {half:.1f} ms; 99 of 100 took less than {most:.1f} ms")
cloud.close()

# %% [markdown]
# **What to notice.** A hundred producers are served as fast as one. You do not order capacity, and sending has no limit
# to reach. One number is limited: about 120,000 messages of a queue can be in flight, received and not yet deleted.
# (The time a call takes is an assumption of the model: the course says below 10 ms, AWS gives no number.)
#
# ### Retention
#
# A shop closes for a long weekend. Its consumer is off for five days.

# %%
predict("01.retention")

# %%
cloud = Cloud(seed=2)
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="orders")["QueueUrl"]
for n in range(10):
    sqs.send_message(QueueUrl=url, MessageBody=f"order {n}")


def waiting():
    attributes = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


for day in range(1, 6):
    cloud.run(time.sleep, 86_400)
    print(f"after day {day}: {waiting()} orders")

# %% [markdown]
# The default is 4 days. Keep them for 14, the most that SQS allows. What does SQS say to 15, and to a
# message of one byte more than 256 KB?

# %%
sqs.set_queue_attributes(
    QueueUrl=url, Attributes={"MessageRetentionPeriod": str(14 * 86_400)}
)
try:
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"MessageRetentionPeriod": str(15 * 86_400)}
    )
except sqs.exceptions.ClientError as error:
    print(error)
try:
    sqs.send_message(QueueUrl=url, MessageBody="x" * 262_145)
except sqs.exceptions.ClientError as error:
    print(error)

# %% [markdown]
# ### At least once, in any order
#
# AWS keeps each message on several servers. When a server is away at the moment of the delete, its copy survives.
# When the server is back, so is the message: a **duplicate (중복)**. And the order is only roughly that of sending: in
# the model, because each server hands out its own oldest message. (AWS says no more than "best effort".)
#
# The next run lasts eight days. The consumer is a job that comes now and then. We make the servers fail more often
# than they do on AWS.

# %%
promises = Promises().run(seed=7)
print(promises)

# %% [markdown]
# **What to notice.** Each line below is a message. It begins when the message is sent. A cross is where it expired:
# nobody came for it in four days. A diamond is a delivery that happened again.

# %%
views.stays(promises, most=40)

# %%
copies = promises.trace.where(kind="CopyReturned")
print(len(copies), "copies came back after their delete")
print(promises.explain(copies[0].subject))

# %% [markdown]
# The order, seen from one quick consumer:

# %%
cloud.close()
cloud = Cloud(seed=4)
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="orders")["QueueUrl"]
for n in range(20):
    sqs.send_message(QueueUrl=url, MessageBody=str(n))

received = []
while len(received) < 20:
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5
    )
    received += [int(message["Body"]) for message in answer["Messages"]]
print(received)
cloud.close()

# %% [markdown]
# If order matters, you need a FIFO queue (lab 03). If a duplicate matters, it is *your consumer* that must see it:
# exercise 3.
#
# ## 4. Many consumers
#
# A **fleet (플릿)** is a group of programs that all do the same. All consumers of a fleet poll the same queue, and each
# message goes to one of them.

# %%
predict("01.fleet-curve")

# %%
sizes = [1, 2, 3, 4, 6, 8, 10, 12]
free = [Fleet(consumers=n).run(seed=7).measures.throughput for n in sizes]
shared = [
    Fleet(consumers=n, connections=1).run(seed=7).measures.throughput for n in sizes
]
views.sweep(
    sizes,
    {"each works alone": free, "all share one database": shared},
    x_title="consumers",
    y_title="messages done a second",
)

# %%
for n, alone, database in zip(sizes, free, shared, strict=True):
    print(
        f"{n:2} consumers: {alone:5.2f} messages/s alone,",
        f"{database:5.2f} messages/s with one database connection",
    )

# %% [markdown]
# **What to notice.** The throughput grows with the fleet and then stops. Alone, it stops at the arrival rate. With a
# shared database it stops earlier: the database is the limit, and more consumers do not help. Look for the narrowest
# place first.
#
# ## 5. Exercises
#
# Write the function, then run the check. The check runs *your function* in many small clouds, with crashes, lost
# answers and failing servers, and looks for the smallest case that breaks it. A failed check costs nothing. If you
# are stuck: `exercise("01.producer").hint()`.
#
# ### Exercise 1: a producer that sends in batches (extra)
#
# Send every order of the list `orders` (texts), ten at a time, with `send_message_batch`. A batch (배치) can succeed in
# part: the answer lists the entries that failed. Send those again.


# %%
def producer(sqs, queue_url, orders):
    """Send every order, ten at a time."""
    ### BEGIN SOLUTION
    left = list(orders)
    while left:
        batch, left = left[:10], left[10:]
        entries = [
            {"Id": str(i), "MessageBody": order} for i, order in enumerate(batch)
        ]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        left += [batch[int(failed["Id"])] for failed in answer.get("Failed", [])]
    ### END SOLUTION


exercise("01.producer").check(producer)

# %% [markdown]
# ### Exercise 2: a consumer
#
# Write a consumer that runs for ever, and calls `process(body)` for each order. It can crash at any moment, also inside
# `process`; it is started again. No order may be lost. An empty queue may cost three calls a minute. Twenty orders in
# the queue may cost two receives, or hardly more.


# %%
def consumer(sqs, queue_url, process):
    """Receive, process and delete messages, for ever."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
    ### END SOLUTION


exercise("01.consumer").check(consumer)

# %% [markdown]
# ### Exercise 3: charge every order exactly once
#
# Now the same order can come twice: the consumer crashed before the delete, or a server brought a copy back, or the
# shop sent it twice (as two messages). Several consumers run at the same time. Each body is JSON with `order_id` and
# `amount`. You have a ledger, which all consumers share:
#
# - `ledger.charge(order_id, amount)` takes the money.
# - `ledger.charged(order_id)` tells whether the order was charged before.
#
# Here is the consumer of exercise 2 with a charge in it. Run the check, and read how an order is charged twice.


# %%
def careless(sqs, queue_url, ledger):
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            ledger.charge(order["order_id"], order["amount"])
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )


exercise("01.idempotent").check(careless, keep=False)

# %% [markdown]
# A consumer that does no harm when a message comes again is **idempotent (멱등)**. Write one. Each failed check shows
# another way to charge twice; the ledger can do more than these two things, and the hints know what.


# %%
def consumer(sqs, queue_url, ledger):
    """Charge every order exactly once, for ever."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            ledger.charge_once(order["order_id"], order["amount"])
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
    ### END SOLUTION


exercise("01.idempotent").check(consumer)

# %% [markdown]
# ### Exercise 4: the smallest fleet (extra)
#
# Messages arrive at `rate` a second. Each takes `work` seconds. For `length` seconds they come `factor` times as fast
# (a spike; `length` is 0 when there is none). Arrivals are even. Return the smallest number of consumers that keeps
# the age of the oldest message under 30 seconds. A message has its age from the send to the delete, so the work
# counts too.


# %%
def fleet(rate, work, factor, length):
    """The smallest number of consumers that keeps up."""
    ### BEGIN SOLUTION
    import math

    quiet = rate * work  # consumers that are busy outside the spike
    peak = rate * factor * work
    n = math.ceil(quiet)
    while n < peak and length * (peak / n - 1) + work >= 30:
        n += 1
    return max(n, 1)
    ### END SOLUTION


exercise("01.fleet").check(fleet)

# %% [markdown]
# ### Challenge: a day of a thousand orders (extra)
#
# AWS bills calls. Write a consumer that does a day of 1,000 orders, 95 of 100 within 60 seconds after they were sent,
# with as few calls as you can. It loses none, though it can crash, and the work on an order can fail. The target is
# 4,000 calls. Our solution needs fewer than 3,000. Can you beat it?


# %%
def consumer(sqs, queue_url, process):
    """A day of a thousand orders, with as few calls as possible."""
    ### BEGIN SOLUTION
    while True:
        time.sleep(45)
        full = True
        while full:
            answer = sqs.receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages = answer.get("Messages", [])
            for message in messages:
                process(message["Body"])
            if messages:
                entries = [
                    {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]}
                    for i, m in enumerate(messages)
                ]
                sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            full = len(messages) == 10
    ### END SOLUTION


exercise("01.challenge").check(consumer)

# %% [markdown]
# ## Build your own (extra)
#
# A workbench is made of parts: controls, picture, curves. Each can be put wherever you like, and each setting can be
# observed. This page counts what is lost.

# %%
from ipywidgets import HTML, HBox, VBox

own = workbench(VideoQueue, seed=7, mode="direct")
lost = HTML()


def count(change=None):
    lost.value = f"<b>{own.run.measures.lost} videos lost</b>"


own.observe(count, "run")
count()
VBox(
    [HBox([own.control("mode"), own.control("consumers"), lost]), own.stage, own.figure]
)

# %% [markdown]
# ## Then and now (extra)
#
# This lab uses the figures of an AWS course of 2023. These have changed since; `Cloud(limits="today")` uses the new
# ones.

# %%
limits("sqs", changed=True)

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **Invented numbers.** AWS does not say how many servers a queue has, how many copies of a message there are, or
#   how often a server is away. The model assumes 8 servers, 2 copies, and rare outages. `Cloud(assume={"sqs.servers":
#   3})` changes that; `limits("sqs")` lists every assumption.
# - **Throughput has no limit here,** as in AWS's documentation. A real account has network and client limits.
# - **Changes are immediate.** On AWS a changed attribute can take a minute to spread, a purge too.
# - **Access.** Everybody may do everything. Lab 04 shows a policy that is missing.
#
# ## Cost (extra)
#
# A million requests cost \$0.40 (us-east-1), after a first million that is free. A request is one call; a batch of ten
# messages is one call too (up to 64 KB).

# %%
for name, run in (("queue", queued), ("promises", promises)):
    calls = sum(run.measures.calls().values())
    print(f"{name}: {calls} calls, ${run.measures.cost():.6f}")

# %% [markdown]
# ## What to remember
#
# - A queue is a buffer between two programs. It takes spikes, and lets both sides fail, stop and grow apart.
# - A consumer receives, works, **then** deletes. What it does not delete comes back.
# - A standard queue delivers at least once, in roughly the order of sending, and keeps messages for at most 14 days.
# - So a consumer must be idempotent. Its own memory is not enough.
# - Add consumers until another place is the limit.
#
# Next: lab 02, the visibility timeout and polling.
