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
# # Lab 02: visibility timeout and polling
#
# Lab 01 showed *that* a message comes back. This lab shows when, to whom, and what it costs. Most
# trouble with SQS in production is in here.
#
# After this lab you can
#
# - choose a visibility timeout (가시성 제한 시간), and say what a wrong one does;
# - keep a message hidden while you work, and hand it back when you cannot;
# - choose between long polling (긴 폴링) and short polling (짧은 폴링), and say what each costs a month;
# - keep a message that always fails from blocking the others;
# - send a message that arrives later.
#
# {minutes}

# %%
import json
import math
import time

import pandas as pd

from lablib import Cloud, exercise, limits, views, workbench
from lablib.scenarios.lab02 import MONTH, Polling, Visibility
from lablib.workbench import predict

# %% [markdown]
# ## 1. How long is a message hidden?
#
# Four workers take jobs from a queue. Half of the jobs take less than 20 seconds, one in 20 takes more than 40. The
# queue has the default visibility timeout: **30 seconds**. One time in ten a worker crashes in the middle of a job; it
# starts again 20 seconds later.

# %%
predict("02.too-short")

# %% [markdown]
# ### Look
#
# Two runs, **the same jobs and the same luck**. Above, messages are hidden for 240 seconds, below for 30. Press
# **Play** (or the space bar). Below the picture each message of the lower run has a **lane**: it shows when the message
# waits, when it is hidden, and when somebody works on it. Click it to read why it was delivered again.

# %%
bench = workbench(
    Visibility, seed=5, crashes=0.1, compare={"visibility_timeout": 240}, lanes=True
)
bench

# %%
short = Visibility(crashes=0.1).run(seed=5)
long = Visibility(crashes=0.1, visibility_timeout=240).run(seed=5)
print(short)
print(long)

# %% [markdown]
# ### Too short: work is done twice
#
# Each line is a message: thin while it waits, thick while it is hidden, a diamond where it was delivered again.

# %%
views.stays(short)

# %%
late = short.trace.where(kind="DeleteIgnored")[0]
print(short.explain(late.subject))

# %% [markdown]
# **What to notice.** The first worker had not crashed. It was slow. It finished its work and called
# `DeleteMessage`. The call succeeded, and did **nothing**: each receive gives a new **receipt handle (수신 핸들)**, and
# after the message was received again, the old handle counts no more. So a job that *always* takes longer than the
# timeout may never get out of the queue. AWS says that an old handle "might" not delete; here it never does.
#
# ### Too long: after a crash nobody can see it

# %%
crash = long.trace.where(kind="Crashed")[0]
job = next(w for w in long.measures.work if w.cut == crash.index)
print(views.life(long, job.subject).sentence)

# %% [markdown]
# The worker was back after 20 seconds. Its message was not. At most a message can be hidden for 12 hours: choose that,
# and one crash costs half a day.
#
# ### Between them
#
# We let the same load run with many timeouts, with ten seeds each and eight workers.

# %%
timeouts = [5, 10, 15, 20, 30, 40, 50, 60, 90, 120, 180, 240]


def slowest(timeout, crashes):
    """Seconds that 19 jobs of 20 do not exceed; one never done counts to the end."""
    times = []
    for seed in range(10):
        values = {"visibility_timeout": timeout, "crashes": crashes, "consumers": 8}
        run = Visibility(**values).run(seed=seed)
        end = {row.subject: row.time for row in run.trace.where(kind="Deleted")}
        sent = [row for row in run.trace.where(kind="Sent") if row.time < 150]
        times += [end.get(row.subject, run.until) - row.time for row in sent]
    return sorted(times)[len(times) * 19 // 20]


views.sweep(
    timeouts,
    {
        "no crashes": [slowest(t, 0.0) for t in timeouts],
        "crashes": [slowest(t, 0.1) for t in timeouts],
    },
    x_title="visibility timeout (s)",
    y_title="slowest jobs: seconds until done",
)

# %% [markdown]
# **What to notice.** Too short, and the slow jobs never end: each time, another worker begins them before the delete
# comes. (At 5 seconds all workers are busy with such work, so a message waits, and its first worker may still be in
# time.) Too long, and each crash hurts. The best place is a little above the slow end of the work time. Exercise 2 finds
# it.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first. Then run the cell of the workbench again: its settings are as at first, and what you have met
# stays met.
#
# 1. **Too short.** Open **What if**, and set *visibility timeout* to 10. How many jobs are done twice? Does the backlog
#    ever drain? Set it back to 30.
# 2. **A pause.** Stop, point at a worker that is busy, and **freeze** it. A program that pauses (for garbage collection,
#    say) is as late as a slow one.
# 3. **A heartbeat (하트비트)**: while it works, a worker asks SQS every few seconds to hide the message longer. Set
#    *heartbeat every* to 10. What becomes of the slow jobs? What becomes of the crashes?
# 4. **Ask why.** Click a message that was received twice, and read its life.
#
# ## 2. Hide it longer, or hand it back
#
# `ChangeMessageVisibility` sets a new visibility timeout for one message that you have in hand.

# %%
predict("02.extend")

# %%
cloud = Cloud(seed=1)
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="a long job")
message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
received = cloud.now
cloud.advance(20)
sqs.change_message_visibility(
    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=30
)

again = None
while not again:
    again = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages")
message = again[0]
print(f"received again {cloud.now - received:.1f} s after the first receive")

# %% [markdown]
# A worker that does this again and again while it works has a **heartbeat**. The timeout can be short, so a
# crash costs little; and the work can be long. When the worker dies, its heart stops, and the message comes back.

# %%
beating = Visibility(crashes=0.1, heartbeat=10).run(seed=5)
for name, run in (("30 s", short), ("240 s", long), ("30 s, heartbeat", beating)):
    vain, calls = (
        len(run.trace.where(kind="DeleteIgnored")),
        sum(run.measures.calls().values()),
    )
    age = run.measures.age_of_oldest().max
    print(
        f"{name:16} {run.measures.done} done, {vain} done in vain,",
        f"highest age {age:3.0f} s, {calls} calls",
    )

# %% [markdown]
# With **0** the message is visible at once. That is how a worker hands back what it cannot do now: at shutdown, or
# because it took too many. The new time holds for this receive only; the next one begins with the queue's own.

# %%
sqs.change_message_visibility(
    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
)
answer = sqs.receive_message(
    QueueUrl=url,
    MessageSystemAttributeNames=["ApproximateReceiveCount"],
    WaitTimeSeconds=1,
)
message = answer["Messages"][0]
print(
    "received at once; receives so far:",
    message["Attributes"]["ApproximateReceiveCount"],
)

# %% [markdown]
# ### The end of the heartbeat: 12 hours (extra)
#
# The limit counts **from the receive**, not from the last call. A worker asks every hour for two hours more:

# %%
for hour in range(1, 13):
    target = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    try:
        sqs.change_message_visibility(**target, VisibilityTimeout=2 * 3600)
    except sqs.exceptions.ClientError as error:
        print(f"{hour - 1} hours after the receive, 2 more:", error)
        break
    cloud.advance(3600)

# %% [markdown]
# Ten hours had passed, and two more would have gone a moment beyond twelve. Work that takes longer does not belong between a receive and a delete. Write down where you are, delete
# the message, and send a new one for the rest.
#
# ## 3. Ask and wait, or ask again
#
# A receive with `WaitTimeSeconds=0` is a **short poll (짧은 폴링)**: it answers at once. With 1 to 20 it is a **long poll
# (긴 폴링)**: it waits until a message comes, or the time is over.

# %%
predict("02.short-poll")


# %%
def counts(wait):
    found = []
    for seed in range(20):
        with Cloud(seed=seed) as cloud:
            sqs = cloud.client("sqs")
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            for n in range(3):
                sqs.send_message(QueueUrl=url, MessageBody=f"order {n}")
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait
            )
            found.append(len(answer.get("Messages", [])))
    return found


print("short polls:", counts(0))
print("long polls: ", counts(1))

# %% [markdown]
# **What to notice.** A short poll asks only some of the queue's servers, a long poll all of them. An empty short poll
# does not mean that the queue is empty. It means: the servers that I asked had nothing. With thousands of messages you hardly see this; with few you see it every day. (How many servers there are,
# and how many are asked, AWS does not say. The model has 8 and asks 3.)
#
# ### What a month costs

# %%
predict("02.month")

# %%
rows = []
for load, rate in (("quiet", 0.02), ("busy", 5.0)):
    for consumers in (1, 10, 100):
        for wait in (0, 20):
            run = Polling(rate=rate, consumers=consumers, wait_time=wait).run(seed=7)
            m = run.measures
            empty = m.rate("empty receives", bin=run.until)
            rows.append({
                "queue": load,
                "consumers": consumers,
                "polls": "long" if wait else "short",
                "calls a minute": round(sum(m.calls().values()) / run.until * 60),
                "empty receives a minute": round(empty.last * 60),
                "median latency (s)": round(m.p(50), 2),
                "slowest 5 % (s)": round(m.p(95), 2),
                "$ a month": round(m.cost() * MONTH / run.until, 2),
            })  # fmt: skip
pd.DataFrame(rows).set_index(["queue", "consumers", "polls"])

# %%
waits = [0, 1, 2, 5, 10, 15, 20]


def month(wait, rate):
    run = Polling(wait_time=wait, rate=rate).run(seed=7)
    return run.measures.cost() * MONTH / run.until


views.sweep(
    waits,
    {
        "busy queue": [month(w, 5.0) for w in waits],
        "quiet queue": [month(w, 0.02) for w in waits],
    },
    x_title="WaitTimeSeconds (0: short polls, once a second)",
    y_title="$ a month, 10 consumers",
)

# %% [markdown]
# **What to notice.** On a quiet queue nearly all calls bring nothing, and the wait time decides the bill; the latency
# is better too, because the call returns when the message comes. On a busy queue the messages themselves are the bill.
# There, one consumer that pauses between short polls is even cheaper: while it pauses, messages gather, and one call
# brings several. It pays with latency.
#
# ### On the queue, or in the call
#
# `ReceiveMessageWaitTimeSeconds` of the queue holds for calls that do not say. A call that says `0` polls short, whatever
# the queue says. An empty poll that comes back at once is a short one: measure it.

# %%
cloud.close()
cloud = Cloud(seed=3)
sqs = cloud.client("sqs")
url = sqs.create_queue(
    QueueName="orders", Attributes={"ReceiveMessageWaitTimeSeconds": "20"}
)["QueueUrl"]
for said in ({}, {"WaitTimeSeconds": 5}, {"WaitTimeSeconds": 0}):
    before = cloud.now
    sqs.receive_message(QueueUrl=url, **said)
    print(f"{said or 'nothing said'!s:24} returned after {cloud.now - before:6.3f} s")
cloud.close()

# %% [markdown]
# ## 4. The message that always fails
#
# A **poison message (포이즌 메시지, 독성 메시지)** is one whose work fails each time: its text is broken, or the program
# has a bug. Its consumer does not delete it, so it comes back, for four days.
#
# A queue can have a **dead-letter queue (배달 못한 편지 대기열, DLQ)**: a message that was received `maxReceiveCount`
# times without a delete goes there. You make it yourself, and name it in the `RedrivePolicy`.

# %%
cloud = Cloud(seed=4)
sqs = cloud.client("sqs")
dead = sqs.create_queue(
    QueueName="orders-dlq", Attributes={"MessageRetentionPeriod": str(14 * 86_400)}
)["QueueUrl"]
answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
arn = answer["Attributes"]["QueueArn"]
policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
answer = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": policy})
url = answer["QueueUrl"]
for body in ("order 1", "order 2", "poison"):
    sqs.send_message(QueueUrl=url, MessageBody=body)


def consumer():
    while True:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            time.sleep(1)  # the work
            if message["Body"] != "poison":
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


cloud.spawn(consumer, name="consumer-1")
cloud.advance(300)

# %%
moved = cloud.trace.where(kind="MovedToDeadLetterQueue")[0]
print(cloud.explain(moved.subject))

# %% [markdown]
# **What to notice.** Nobody sent it there. SQS counts the receives; at the receive after the third it moved the message
# instead of handing it out. The count does not ask *why* a message was not deleted. A timeout that is too short, or a
# database that is away for a minute, sends healthy messages to the dead-letter queue:

# %%
healthy = Visibility(visibility_timeout=10, max_receives=3).run(seed=5)
print(healthy)
print(
    len(healthy.trace.where(kind="MovedToDeadLetterQueue")),
    "healthy jobs in the dead-letter queue",
)

# %% [markdown]
# ### The clock does not start again
#
# Our poison message was sent minutes ago. In the dead-letter queue it keeps its MessageId and the time at which it was
# sent first, and **the retention period counts from then**. Four days in the source and four in the dead-letter queue are
# not eight. So give the dead-letter queue more than its source: we gave it 14 days. (Its age *metric* does begin at the
# move: do not compute the one from the other.)

# %%
answer = sqs.receive_message(
    QueueUrl=dead,
    WaitTimeSeconds=20,
    VisibilityTimeout=0,
    MessageSystemAttributeNames=["All"],
)
letter = answer["Messages"][0]
sent = int(letter["Attributes"]["SentTimestamp"]) / 1000 - cloud.kernel.epoch
print("same id:", letter["MessageId"] == moved.subject)
print(f"SentTimestamp: {sent:.2f} s after the start. Moved at {moved.time:.2f} s.")

# %% [markdown]
# ### Back again
#
# The bug is mended. `StartMessageMoveTask` moves the messages back to where they came from: as **new messages**, with a
# new MessageId and a new clock. (In 2023 this call did not exist yet.)

# %%
sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=10)
cloud.advance(5)
task = sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]
print(task["Status"], "-", task["ApproximateNumberOfMessagesMoved"], "message moved")
new = cloud.trace.where(kind="Sent", resource="orders")[-1]
print(
    "new id:", new.subject != moved.subject, "- sent again at", round(new.time, 2), "s"
)

# %% [markdown]
# ### What you see from outside (extra)
#
# Without a dead-letter queue, do you see the poison in the age of the oldest message?

# %%
predict("02.age")

# %%
sick = Visibility(poison=0.1, heartbeat=10, consumers=6).run(seed=5, until=1800)
deleted = {row.subject for row in sick.trace.where(kind="Deleted")}
oldest = min(
    row.time for row in sick.trace.where(kind="Sent") if row.subject not in deleted
)
print(f"the oldest message is {sick.until - oldest:.0f} s old")
age = sick.measures.age_of_oldest()
print(f"the metric shows {age.last:.0f} s, at most {age.max:.0f} s")
print(
    len(sick.trace.where(kind="Received")),
    "receives for",
    sick.measures.done,
    "jobs done",
)

# %% [markdown]
# So set an alarm on *the number of messages in the dead-letter queue*. Any message there wants a person.
#
# ## 5. Not yet: delays
#
# A **delay queue (지연 대기열)** hides each *new* message for a while, up to 15 minutes. On a standard queue a message
# can bring its own delay, which wins. The visibility timeout begins later, with the receive.

# %%
cloud.close()
cloud = Cloud(seed=6)
sqs = cloud.client("sqs")
answer = sqs.create_queue(QueueName="reminders", Attributes={"DelaySeconds": "60"})
url = answer["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="the queue's delay")
sqs.send_message(QueueUrl=url, MessageBody="its own delay", DelaySeconds=10)
sqs.send_message(QueueUrl=url, MessageBody="no delay", DelaySeconds=0)

for _ in range(6):
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
    for message in answer.get("Messages", []):
        print(f"{cloud.now:5.1f} s  {message['Body']}")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
try:
    sqs.send_message(QueueUrl=url, MessageBody="tomorrow", DelaySeconds=86_400)
except sqs.exceptions.ClientError as error:
    print(error)
cloud.close()

# %% [markdown]
# ## 6. Exercises
#
# Write the function, then run the check. If you are stuck: `exercise("02.heartbeat").hint()`.
#
# ### Exercise 1: a heartbeat
#
# The queue hides messages for 30 seconds. A job takes up to three minutes, in steps: `work = begin(body)` begins it, each
# `work.step()` does a part of it (8 seconds) and returns `True` while there is more to do. It **raises** when the work
# fails. Write an endless consumer that hides the message while the work goes on, deletes it at the end, and leaves it
# alone after a failure, so that another try can begin within 45 seconds.


# %%
def consumer(sqs, queue_url, begin):
    """Work step by step, with a heartbeat, for ever."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            work = begin(message["Body"])
            try:
                while work.step():
                    sqs.change_message_visibility(**target, VisibilityTimeout=30)
            except Exception:
                continue  # no further heartbeat: it comes back within 30 seconds
            sqs.delete_message(**target)
    ### END SOLUTION


exercise("02.heartbeat").check(consumer)

# %% [markdown]
# ### Exercise 2: choose the timeout (extra)
#
# `durations` are 1,000 measured work times in seconds. Return a visibility timeout (whole seconds) with which at most 2
# jobs in 100 are done twice. After a crash nobody sees the message until the timeout is over. So the timeout must not be
# longer than twice the shortest one that does. (The jobs to come are like the measured ones, not the same: leave a little room.)


# %%
def timeout(durations):
    """A visibility timeout in seconds for work like this."""
    ### BEGIN SOLUTION
    return math.ceil(sorted(durations)[990])
    ### END SOLUTION


exercise("02.timeout").check(timeout)

# %% [markdown]
# ### Exercise 3: soon, and with few calls (extra)
#
# Write an endless consumer. Orders come alone or in bursts of 30; `process(body)` takes 0.05 seconds. The work on each
# order must begin within 3 seconds after it was sent. In ten minutes you have 40 calls, 2 more for each order that comes
# alone, and 10 more for each burst. The consumer of lab 01 needs too many.


# %%
def consumer(sqs, queue_url, process):
    """Find every order soon, with few calls."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        done = []
        for n, message in enumerate(answer.get("Messages", [])):
            process(message["Body"])
            done.append({"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]})
        if done:
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=done)
    ### END SOLUTION


exercise("02.longpoll").check(consumer)

# %% [markdown]
# ### Exercise 4: poison
#
# The queue has a dead-letter queue with `maxReceiveCount` 3 and a visibility timeout of 10 seconds. `process(body)`
# takes 3 seconds, and raises when the work fails. Some orders always fail: they must end in the dead-letter queue. At
# times the bank is away, and *all* orders fail for up to 16 seconds: those orders are healthy, and must be done in the end.


# %%
def consumer(sqs, queue_url, process):
    """Do what can be done; let SQS take the poison."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            try:
                process(message["Body"])
            except Exception:
                continue  # it comes back in 10 seconds, and its receives are counted
            sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
    ### END SOLUTION


exercise("02.poison").check(consumer)

# %% [markdown]
# ### Exercise 5: shutdown (extra)
#
# Machines come and go. When this one is to stop, `stopping()` begins to return `True`; 25 seconds later it is ended by
# force. Poll for up to ten messages at a time; each takes 4 seconds. On the signal finish the message in hand, **hand
# back** all others that you hold, and return. The queue's visibility timeout is 300 seconds.


# %%
def consumer(sqs, queue_url, process, stopping):
    """Work until the signal, then hand back the rest."""
    ### BEGIN SOLUTION
    while not stopping():
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        for message in answer.get("Messages", []):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            if stopping():
                sqs.change_message_visibility(**target, VisibilityTimeout=0)
            else:
                process(message["Body"])
                sqs.delete_message(**target)
    ### END SOLUTION


exercise("02.shutdown").check(consumer)

# %% [markdown]
# ## Build your own (extra)
#
# A workbench is made of parts: controls, picture, curves. Each can be put wherever you like, and each setting can be
# observed. This page counts what is delivered twice, or more often.

# %%
from ipywidgets import HTML, HBox, VBox

own = workbench(Visibility, seed=5, crashes=0.1)
twice = HTML()


def count(change=None):
    twice.value = f"<b>{own.run.measures.duplicates()} jobs delivered twice</b>"


own.observe(count, "run")
count()
VBox(
    [
        HBox([own.control("visibility_timeout"), own.control("heartbeat"), twice]),
        own.stage,
        own.figure,
    ]
)

# %% [markdown]
# ## Then and now (extra)
#
# The times of this lab are today what they were in 2023. A message may be larger. New since then:
# `StartMessageMoveTask`, and fair queues, where one customer's backlog does not hold up the others.

# %%
here = [
    "visibility",
    "visibility_max",
    "wait_max",
    "delay_max",
    "max_receive_count_max",
    "message_size",
    "fair_queues",
]
limits("sqs").loc[[f"sqs.{name}" for name in here]]

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **An old receipt handle never deletes here.** AWS promises less: it "might" not delete.
# - **The HTTP connection.** A client whose read timeout is shorter than the wait gives up, here as on AWS (boto3's
#   default of 60 seconds is long enough). That the poll goes on without its caller, and may hide a message, is assumed.
# - **The number of servers** (8, of which a short poll asks 3) is assumed. AWS says only "a subset".
# - **Heartbeats.** Those of real consumers run in a second thread. Yours can too; in the workbench a worker's heart beats
#   beside its work.
# - **Metrics are exact and immediate.** CloudWatch's come once a minute, and are approximate.
#
# ## Cost (extra)
#
# Every call costs the same: an empty receive, a heartbeat, a hand-back. The table in part 3 is the price of polling; the
# first million calls a month are free, and not taken off there. A dead-letter queue costs nothing until you read it.
#
# ## What to remember
#
# - The visibility timeout is a guess of how long the work takes. Too short: done twice. Too long: a crash hurts.
# - A heartbeat makes the guess unimportant. It must stop when the work stops. 12 hours after the receive it ends.
# - Long polling is cheaper *and* faster. An empty short poll proves nothing.
# - A poison message needs a dead-letter queue, and the dead-letter queue an alarm and a long retention.
# - Every receive counts. Take only what you begin at once, and hand back what you cannot do.
#
# Next: lab 02b, a function that is called for the messages of a queue; or lab 03, FIFO queues.
