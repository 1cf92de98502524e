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
# # Lab 02b: from a queue to a function
#
# First do labs 01 and 02. A consumer need not be a program that runs all day: **AWS Lambda (람다)** can receive for you,
# and call a *function* with what it received. Most questions about SQS are asked about this pair.
#
# After this lab you can
#
# - say who receives, who works and who deletes;
# - choose a *batch size* and a *batching window* (배치 기간);
# - keep one bad message from spoiling the others, and from being lost;
# - say why messages die that the function never saw, and choose timeouts and limits so that none does.
#
# {minutes}

# %%
import json

from lablib import Cloud, exercise, limits, workbench
from lablib.scenarios.lab02b import QueueToFunction, done, lost, unseen
from lablib.workbench import predict

# %% [markdown]
# ## 1. Somebody polls for you
#
# A function does not poll. Between the queue and the function stands an **event source mapping (이벤트 소스 매핑)**:
# *pollers* (폴러) of Lambda's, five of them at first. Each receives up to ten messages with a long poll, calls the
# function with all of them, and waits for its end. When the call succeeds, the poller deletes the messages.

# %%
cloud = Cloud(seed=1)
sqs, functions = cloud.client("sqs"), cloud.client("lambda")
url = sqs.create_queue(QueueName="orders")["QueueUrl"]
answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
arn = answer["Attributes"]["QueueArn"]


def work(event, context):
    """What Lambda calls. The event has a list of records."""
    print(f"{cloud.now:5.1f} s:", [record["body"] for record in event["Records"]])


cloud.deploy("work", work)  # in the lab, this makes a function
functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="work")
cloud.advance(3)
for n in range(6):
    sqs.send_message(QueueUrl=url, MessageBody=f"order {n}")
cloud.advance(5)
print(cloud.explain(cloud.trace.where("Sent")[0].subject))

# %% [markdown]
# **What to notice.** Your code has no receive and no delete. All that lab 02 said still holds: the message is in flight
# while the function works, each receive counts, and what is not deleted comes back.
#
# ## 2. One bad order
#
# A function does ten orders of a batch, one after the other. One of them is bad: the work on it always fails.

# %%
predict("02b.company")

# %% [markdown]
# ### Look
#
# Four orders a second. Above, all orders are good; below, one in twenty is bad, and the function *raises*. Lambda gathers
# orders for up to five seconds: they stand in the function's box, above its calls. Press **Play** (or the space bar).
# The curve counts the orders that nobody has deleted yet.

# %%
bench = workbench(QueueToFunction, seed=7, bad=0.05, compare={"bad": 0.0})
bench

# %%
for receives in (0, 3):
    run = QueueToFunction(bad=0.05, max_receives=receives).run(seed=7)
    dead = run.trace.where("MovedToDeadLetterQueue")
    again = sum(times - 1 for times in done(run).values())
    fine = {row.subject for row in run.trace.where("OrderDone")}
    good = sum(row.subject in fine for row in dead)
    print(
        f"{again:3} times an order was done again;",
        f"{len(dead)} in the dead-letter queue, {good} of them had been done",
    )

# %% [markdown]
# **What to notice.** One bad order spoils its batch: the good ones before it are done again and again, those after it
# wait. With a dead-letter queue good orders are carried into it by bad company: they were received as often as the
# bad one.
#
# The function can do better, and say **which** ones have failed: it returns
# `{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}`. Lambda then deletes all the others. The mapping must be
# told that the function does this: `FunctionResponseTypes=["ReportBatchItemFailures"]`.

# %%
predict("02b.not-asked")

# %%
for way in ("raises", "reports", "reports, not asked"):
    run = QueueToFunction(bad=0.05, failures=way, max_receives=3).run(seed=7)
    again = sum(times - 1 for times in done(run).values())
    dead = len(run.trace.where("MovedToDeadLetterQueue"))
    print(
        f"{way:20} {again:3} done again, {dead:2} dead letters, {len(lost(run)):2} lost"
    )

# %% [markdown]
# **What to notice.** In the third line no order was done twice, no alarm rang, and the bad ones are **gone**. For Lambda
# a call that did not raise has done its work. So set the switch first, and test it with a bad order.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first; the fourth is about section 4, the fifth about section 3, and both can wait until then. Then run
# the cell of the workbench again: its settings are as at first, and what you have met stays met.
#
# 1. Open **What if**, and set *of a bad order the function* to "reports". How many orders are done again now? ("Came
#    again" in the picture counts what is received again: a bad order, too.)
# 2. Set it to "reports, not asked", and *receives before the dead-letter queue* to 3. What is in the dead-letter queue?
#
# ## 3. Batch and window
#
# With few orders, a batch has one or two: a receive takes what is there. A **batching window** gathers for so many
# seconds. Above a batch size of 10 a window is demanded:

# %%
with Cloud(seed=1) as small:
    queues, calls = small.client("sqs"), small.client("lambda")
    queues.create_queue(QueueName="orders")
    small.deploy("work", work)
    source = "arn:aws:sqs:us-east-1:123456789012:orders"
    for batch, window in ((100, 0), (100, 5)):
        try:
            made = calls.create_event_source_mapping(
                EventSourceArn=source,
                FunctionName="work",
                BatchSize=batch,
                MaximumBatchingWindowInSeconds=window,
            )
            print(f"batch {batch}, window {window} s:", made["State"])
        except calls.exceptions.ClientError as error:
            print(f"batch {batch}, window {window} s:", error)

# %%
for batch, window in ((1, 0), (10, 0), (10, 5), (100, 5), (100, 30)):
    run = QueueToFunction(batch_size=batch, window=window).run(seed=7)
    calls = len(run.trace.where("InvocationStarted"))
    print(
        f"batch {batch:3}, window {window:2} s: {calls:3} calls of the function,",
        f"half of the orders done within {run.measures.p(50):4.1f} s",
    )

# %% [markdown]
# **What to notice.** You pay for calls and for their length; a large batch needs fewer calls, and its first order waits
# for the last one. Two limits: all of a batch must be done within the **timeout of the function**, and the event may
# have 6 MB.
#
# ## 4. Messages that the function never saw
#
# The database behind the function takes one call at a time. So somebody sets the *reserved concurrency* (예약된 동시성) of
# the function to 1. The queue has a dead-letter queue, with `maxReceiveCount` 3.

# %%
predict("02b.throttled")

# %%
settings = {
    "reserved 1": {"reserved": 1},
    "reserved 1, ten receives": {"reserved": 1, "max_receives": 10},
    "reserved 2": {"reserved": 2},
    "reserved 2, maximum concurrency 2": {"reserved": 2, "most": 2},
}
for name, changed in settings.items():
    run = QueueToFunction(**{"max_receives": 3, **changed}).run(seed=7)
    throttled = len(run.trace.where("InvocationThrottled"))
    print(
        f"{name:34} {len(done(run)):3} done, {throttled:4} throttled,",
        f"{len(unseen(run)):2} died unseen",
    )

# %% [markdown]
# **What to notice.** The pollers receive first, and ask for the function then. When it has no free call, they try again
# until the messages are visible again, and **the receive has been counted**. A poison message and a busy hour look
# alike. What helps:
#
# - `ScalingConfig={"MaximumConcurrency": 2}` of the mapping (2 to 1,000): pollers take no more than that. It holds back;
#   reserved concurrency pushes away.
# - `maxReceiveCount` of at least 5, and a visibility timeout of **six times the function's timeout**, plus the window:
#   AWS advises both, so that a batch that is throttled gets its turn before it is visible again.
#
# ### Try it (in the workbench of section 2)
#
# 3. Set *of a bad order the function* to "reports", *bad orders* to 0, *receives before the dead-letter queue* to 3, and
#    *reserved concurrency* to 1. Click a message in the dead-letter queue: how often was it received, and how often was
#    the function called for it?
# 4. Set *reserved concurrency* to 2 and *maximum concurrency* to 2. Who waits now, and where?
#
# ## 5. Three things that surprise (extra)
#
# ### Which dead-letter queue?
#
# A function can have a dead-letter queue of its own (`DeadLetterConfig`).

# %%
predict("02b.two-letters")

# %%
with Cloud(seed=2) as firm:
    queues, calls = firm.client("sqs"), firm.client("lambda")
    letters = queues.create_queue(QueueName="letters")["QueueUrl"]
    orders = queues.create_queue(QueueName="orders")["QueueUrl"]

    def broken(event, context):
        raise ValueError("no")

    firm.deploy("broken", broken)
    arns = "arn:aws:sqs:us-east-1:123456789012:"
    calls.update_function_configuration(
        FunctionName="broken", DeadLetterConfig={"TargetArn": arns + "letters"}
    )
    calls.create_event_source_mapping(
        EventSourceArn=arns + "orders", FunctionName="broken"
    )
    queues.send_message(QueueUrl=orders, MessageBody="order 1")
    firm.advance(3600)
    runs = len(firm.trace.where("InvocationFailed"))
    name = "ApproximateNumberOfMessages"
    found = queues.get_queue_attributes(QueueUrl=letters, AttributeNames=[name])
    print(f"{runs} calls failed; letters: {found['Attributes'][name]}")

# %% [markdown]
# The function's own is for *asynchronous* calls, such as those of SNS and S3. What comes from a queue goes to the
# dead-letter queue **of that queue**.
#
# ### A FIFO queue
#
# While a batch of a message group is in work, nobody gets the next one of this group: lab 03 shows why.

# %%
predict("02b.groups")

# %%
for groups in (1, 3, 20):
    run = QueueToFunction(groups=groups).run(seed=7)
    running = most = 0
    for row in run.trace.where(("InvocationStarted", "InvocationEnded")):
        running += 1 if row.kind == "InvocationStarted" else -1
        most = max(most, running)
    orders = len(done(run))
    print(f"message groups {groups:2}: {most} calls at a time, {orders:3} orders done")

# %% [markdown]
# (With 20 groups, the pollers are the limit: five at first.) On a FIFO queue a function that reports failures must stop
# at the first one, and report it **and all after it**: else a later order of a group overtakes an earlier one.
#
# ### A function that feeds itself
#
# A function sends a message to the queue from which it is called: each call makes the next one.

# %%
with Cloud(seed=3) as loop:
    queues = loop.client("sqs")
    own = queues.create_queue(QueueName="orders")["QueueUrl"]

    def split(event, context):
        for record in event["Records"]:
            queues.send_message(QueueUrl=own, MessageBody=record["body"])

    loop.deploy("split", split)
    loop.client("lambda").create_event_source_mapping(
        EventSourceArn="arn:aws:sqs:us-east-1:123456789012:orders", FunctionName="split"
    )
    queues.send_message(QueueUrl=own, MessageBody="order 1")
    for seconds in (1, 9, 50):
        loop.advance(seconds)
        calls = len(loop.trace.where("InvocationStarted"))
        print(f"after {loop.now:2.0f} s: {calls} calls of the function, for one order")
    print(loop.explain(loop.trace.where("LoopStopped")[0].subject))

# %% [markdown]
# Since 2023 AWS looks for such circles, and stops them after about 16 rounds, as the lab does: the message goes to the
# dead-letter queue, when there is one. AWS sees a circle only when the function uses a new enough SDK. Do not rely on
# it: send to **another** queue.
#
# ## 6. Exercises
#
# ### Exercise 1: one bad order
#
# Write the function. Lambda calls it with an event for each batch; `process(body)` does one order, and raises when it
# fails. The mapping has `ReportBatchItemFailures`, the queue a dead-letter queue with `maxReceiveCount` 3. What can be
# done is to be done once; what always fails is to end in the dead-letter queue; nothing may be lost. (The `context` of a
# real function is left out.)


# %%
def handler(event, process):
    """Do what can be done, and report the rest."""
    ### BEGIN SOLUTION
    failures = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
    ### END SOLUTION


exercise("02b.batch").check(handler)

# %% [markdown]
# ### Exercise 2: connect them
#
# There is a queue, a dead-letter queue and a function `name`. An order takes the function a quarter of its timeout, and
# it reports what failed. It may run a few times at once only: its reserved concurrency. Set up the rest, so that up to 60
# orders that come at once are all done, once, and only what always fails comes into the dead-letter queue. Ask Lambda
# for the function's timeout: it differs from case to case.


# %%
def connect(sqs, functions, queue_url, dead_letter_arn, name):
    """Settings of the queue, and the mapping."""
    ### BEGIN SOLUTION
    timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
    policy = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": 5}
    attributes = {
        "VisibilityTimeout": str(6 * timeout),
        "RedrivePolicy": json.dumps(policy),
    }
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    functions.create_event_source_mapping(
        EventSourceArn=found["Attributes"]["QueueArn"],
        FunctionName=name,
        BatchSize=2,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
    )
    ### END SOLUTION


exercise("02b.connect").check(connect)

# %% [markdown]
# ## Then and now (extra)
#
# In 2023 a mapping added 60 pollers a minute under load; since November 2023 it adds 300. Since November 2025 pollers
# can be kept ready (*provisioned mode*), which the lab does not have.

# %%
limits("lambda", changed=True)

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **Provisioned mode**, and the metrics of Lambda.
# - **Cold starts** take as long as the model assumes (`limits("lambda")` lists it); AWS gives no number.
# - **When more pollers come**: here, when batches were full for a minute. AWS says only "if messages are still available".
#
# ## What to remember
#
# - Lambda's pollers receive and delete; your function only works. A call that does not raise means: all done.
# - One bad message fails its batch. Report failures by messageId, and switch `ReportBatchItemFailures` on.
# - A throttled batch has used up a receive. Hold back with `MaximumConcurrency`, allow 5 receives, hide six times as
#   long as the function may run.
# - The dead-letter queue belongs to the queue. On a FIFO queue, as many calls as there are groups.
#
# Next: lab 03, FIFO queues.
