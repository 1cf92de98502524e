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
# # Lab 05: Kinesis Data Streams, a hundred trucks on five shards
#
# First do lab 01. Lab 03 (the trucks and their order) helps.
#
# After this lab you can
#
# - say what a *data stream* (데이터 스트림) is, and how it differs from a queue;
# - choose a *partition key* (파티션 키), and say which *shard* (샤드) a record falls into;
# - put records so that none is lost when a shard is full;
# - read with *checkpoints* (체크포인트): go on after a crash, begin again from the start;
# - *reshard* (리샤딩), and say what it cures and what it does not.
#
# {minutes}

# %%
import hashlib
import math
import time
from collections import Counter

from lablib import Cloud, exercise, limits, workbench
from lablib.scenarios.actions import Action
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab05 import TruckStream, delays, shares
from lablib.workbench import predict

# %% [markdown]
# ## 1. Trucks on shards
#
# A hundred trucks send their positions, as in lab 03. This time they go into a **stream** of five **shards**. Each
# record has a partition key: here the truck's id. The key decides into which shard the record falls, and the order
# within a shard is kept.
#
# An *application* reads the stream with several workers. A shard is read by **one** worker of an application.

# %%
predict("05.busiest")

# %% [markdown]
# ### Look
#
# The five boxes are the shards; a record stays in its shard, and a worker's mark shows how far it has read. Press
# **Play** (or the space bar).

# %%
bench = workbench(TruckStream, seed=7)
bench

# %%
run = TruckStream().run(seed=7)
trucks = Counter()
for truck in {row.actor for row in run.trace.where("RecordPut")}:
    first = next(iter(run.trace.where("RecordPut", actor=truck)))
    trucks[first.resource] += 1
for shard, count in sorted(trucks.items()):
    print(f"{shard}  {count:3} trucks  {shares(run)[shard]:.0%} of all records")

# %% [markdown]
# **What to notice.** Twenty trucks a shard is only the average. The MD5 hash of the key is a number from 0 to
# 2<sup>128</sup> - 1; each shard owns a part of that range, and nobody looks at how busy it is.

# %%
predict("05.workers")

# %% [markdown]
# ### More workers: a stream and a FIFO queue
#
# Order has a price: how many can work at the same time? The same hundred trucks on a FIFO queue (lab 03) and on a stream
# of five shards:

# %%
for workers in (2, 5, 10, 20):
    stream = TruckStream(consumers=workers, work=1.0).run(seed=7)
    queue = Trucks(trucks=100, every=5.0, work=1.0, consumers=workers).run(seed=7)
    at_work = TruckStream().results(stream)["most workers at work"]
    drawn = len(stream.trace.where("WorkEnded")) / stream.until
    print(
        f"{workers:2} workers   stream: {at_work:2} at work, {drawn:4.1f} drawn/s"
        f"   FIFO queue: {queue.measures.throughput:4.1f} drawn/s"
    )

# %% [markdown]
# **What to notice.** The stream has as many workers at work as it has shards; more shards mean more workers. The queue
# with a group for each truck can keep up to a hundred at work, and takes 300 calls (3,000 messages in batches) a second.
# A shard takes 1,000 records or 1 MiB a second, and five shards take five times that.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first. Then run the cell of the workbench again: its settings are as at first, and what you have met
# stays met.
#
# 1. **One key for all.** Open **What if**, and set *partition key* to "constant". Where do the records go? How many
#    workers have something to do? Set it back to "truck".
# 2. **A crash.** Play, stop, and do *Crash a worker*. Who reads its shard, and from where on? Look at the map.
# 3. **More workers.** Set *workers* to 8. How many work? Then set *shards* to 8.
#
# ## 2. Your first stream
#
# A stream is made with so many shards. It takes a while until it is ACTIVE.

# %%
cloud = Cloud(seed=1)
kinesis = cloud.client("kinesis")
kinesis.create_stream(StreamName="orders", ShardCount=2)
kinesis.get_waiter("stream_exists").wait(StreamName="orders")
print(f"active after {cloud.now:.0f} s")
for name in ("ann", "bob", "ann"):
    answer = kinesis.put_record(StreamName="orders", Data=b"tea", PartitionKey=name)
    print(name, answer["ShardId"], answer["SequenceNumber"])

# %% [markdown]
# Which shard? You can compute it.

# %%
for name in ("ann", "bob"):
    number = int(hashlib.md5(name.encode()).hexdigest(), 16)
    print(name, f"{number / 2**128:.3f} of the way through the hash space")
for shard in kinesis.list_shards(StreamName="orders")["Shards"]:
    print(shard["ShardId"], shard["HashKeyRange"]["StartingHashKey"])

# %%
predict("05.part")

# %%
one_key = [{"Data": b"x", "PartitionKey": "ann"}] * 400
for attempt in range(3):
    answer = kinesis.put_records(StreamName="orders", Records=one_key)
    print(f"call {attempt + 1}: {answer['FailedRecordCount']} refused")
print(answer["Records"][-1])

# %% [markdown]
# **What to notice.** The call succeeds. What is refused has an `ErrorCode`, and stands at its place in the answer. Who
# does not look loses records. Who sends the whole batch again has the rest twice, and keeps the shard full.
#
# ## 3. Records stay, readers move
#
# Reading takes nothing away. A reader has a position: a *shard iterator* (샤드 반복자), which is good for five minutes.
# Each answer has the iterator for the next call, `NextShardIterator`, and says how far behind the reader is:
# `MillisBehindLatest`, 0 when there is nothing more. An answer can be empty though records follow, so an empty answer is
# no end.

# %%
predict("05.after-delete")

# %%
cloud = Cloud(seed=2)
kinesis = cloud.client("kinesis")
kinesis.create_stream(StreamName="orders", ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName="orders")
numbers = []
for n in range(5):
    order = {"Data": f"order {n}".encode(), "PartitionKey": "shop"}
    answer = kinesis.put_record(StreamName="orders", **order)
    numbers.append(answer["SequenceNumber"])


def read_from(kind, **more):
    """What a reader gets that begins there."""
    where = {"StreamName": "orders", "ShardId": "shardId-000000000000", **more}
    answer = kinesis.get_shard_iterator(ShardIteratorType=kind, **where)
    cloud.advance(1)
    records = kinesis.get_records(ShardIterator=answer["ShardIterator"])["Records"]
    return [record["Data"].decode() for record in records]


print("from the oldest:", read_from("TRIM_HORIZON"))
print("once more:      ", read_from("TRIM_HORIZON"))
third = {"StartingSequenceNumber": numbers[2]}
print("after order 2:  ", read_from("AFTER_SEQUENCE_NUMBER", **third))
print("from now on:    ", read_from("LATEST"))

# %% [markdown]
# An application writes down how far it is: a **checkpoint**. After a crash another worker goes on behind it. What was
# done since the checkpoint is done again.

# %%
for every in (1, 10, 100, 1000):
    scenario = TruckStream(checkpoint=every)
    crashed = scenario.run(seed=7, actions=[Action("crash", 60.0, "worker-5")])
    again = scenario.results(crashed)["positions drawn twice"]
    print(f"a checkpoint every {every:4} records: {again:3} positions drawn twice")

# %% [markdown]
# **What to notice.** A worker notes how far it is at the end of each read, too. With 100 and with 1,000 it does no more
# than that: no read got as far as its hundredth record. The shard changed hands twice, ten seconds after the crash and
# when worker-5 was back, and each time what came behind the last checkpoint was done again. A stream is *at least once*,
# as a queue is. The work must be **idempotent** (멱등), or the effect and the checkpoint must be written together.
#
# Records are kept for 24 hours (you can pay for up to 365 days). In the workbench above, open **What if**, choose
# *Replay* and press *Do it*: the workers begin at the oldest record again, and nobody had to keep a copy.
#
# ## 4. A hot shard, and splitting it
#
# Truck 1 sends a hundred positions where the others send one.

# %%
hot = {"trucks": 50, "every": 1.0, "size": 10_000, "hot": 100}
for key in ("truck", "constant", "random"):
    scenario = TruckStream(**hot, key=key)
    print(f"{key:9}", scenario.results(scenario.run(seed=7)))

# %%
predict("05.split-hot")

# %%
scenario = TruckStream(**hot)
calm = scenario.run(seed=7)
busiest = int(max(shares(calm), key=shares(calm).get)[-12:])
split = scenario.run(seed=7, actions=[Action("split", 10.0, f"shard-{busiest}")])
for name, run in (("as it was", calm), ("after a split", split)):
    late = sum(row.detail for row in run.trace.where("WriteThrottled") if row.time > 60)
    print(f"{name:14} {late} records refused in the last half minute")

# %% [markdown]
# **What to notice.** A split gives the neighbours room. One key stays in one shard, and gets no more than 1 MiB a
# second. Only another key helps, and then the order of this truck is gone.
#
# ## 5. Many readers
#
# Dashboards read the same stream. They only look.

# %%
predict("05.five")

# %%
for dashboards, pipes in ((1, "shared"), (5, "shared"), (5, "own")):
    scenario = TruckStream(dashboards=dashboards, pipes=pipes, polls=2.0)
    run = scenario.run(seed=7)
    names = [f"dashboard-{n + 1}" for n in range(dashboards)]
    waits = sorted(wait for name in names for wait in delays(run, name))
    half, refused = waits[len(waits) // 2], scenario.results(run)["reads refused"]
    print(f"{dashboards}, {pipes:6}: half after {half:.2f} s, {refused} reads refused")

# %% [markdown]
# **What to notice.** A shard gives 2 MiB and five reads a second, to all who poll together. With *enhanced fan-out*
# (향상된 팬아웃) each registered consumer has a pipe of its own: about 70 ms, and \$0.015 an hour for each consumer and
# shard.
#
# **Lambda** (람다) can read the stream for you, once a second, and call a function with a batch. What happens when the
# function fails?

# %%
predict("05.poison")


# %%
def draw_with(**retries):
    """The batches that the function was called with."""
    cloud, batches = Cloud(seed=5), []
    kinesis, functions = cloud.client("kinesis"), cloud.client("lambda")
    kinesis.create_stream(StreamName="positions", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="positions")

    def draw(event, context):
        batches.append("".join(r["kinesis"]["partitionKey"] for r in event["Records"]))
        if "x" in batches[-1]:
            raise ValueError("this position cannot be drawn")

    cloud.deploy("draw", draw)
    about = kinesis.describe_stream_summary(StreamName="positions")
    arn = about["StreamDescriptionSummary"]["StreamARN"]
    source = {"EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON", **retries}
    functions.create_event_source_mapping(FunctionName="draw", BatchSize=4, **source)
    for truck in "abxdefgh":
        kinesis.put_record(StreamName="positions", Data=b"37 N", PartitionKey=truck)
    cloud.advance(120)
    cloud.close()
    return batches


# %%
print("as it is made: ", draw_with())
print("two retries:   ", draw_with(MaximumRetryAttempts=2))
print(
    "halved as well:",
    draw_with(MaximumRetryAttempts=2, BisectBatchOnFunctionError=True),
)

# %% [markdown]
# **What to notice.** Order means that nothing overtakes. A batch that fails is tried again until its records expire, a
# day later, and the shard waits behind it. With a limit the *whole* batch is given up, good records too; halving finds
# the bad one. Where it lies is told to a destination, if you name one: without its data.
#
# Firehose carries a stream to S3, Managed Flink counts in windows. Lab 06 is about them.
#
# ## 6. Exercises
#
# As in lab 01: write the function, run the check. It looks for the smallest case that breaks your function.
#
# ### Exercise 1: choose the key
#
# Three systems put records into streams of their own. Return the partition key of a record: a text. Order must hold
# where it is needed, and no shard should get all.
#
# | `system` | a `record` has | must be in order |
# | --- | --- | --- |
# | `"trucks"` | `truck`, `depot`, `position` | the positions of a truck |
# | `"clicks"` | `session`, `country`, `page` | the clicks of a session |
# | `"machines"` | `machine`, `factory`, `value` | the values of a machine |


# %%
def key(system, record):
    """The partition key of this record."""
    ### BEGIN SOLUTION
    field = {"trucks": "truck", "clicks": "session", "machines": "machine"}[system]
    return record[field]
    ### END SOLUTION


exercise("05.keys").check(key)

# %% [markdown]
# ### Exercise 2: lose nothing on the way in
#
# Put all `records` into the stream: dicts with `key` and `data` (bytes). A part of a call can be refused, calls are
# throttled, an answer can get lost. In the end each record is there; it may be there twice only when the answer to its
# call was lost. There can be none, and there can be more than a call takes: 500 records, and 5 MiB of data and keys.


# %%
def put(kinesis, stream_name, records):
    """Put every record, and none again without need."""
    ### BEGIN SOLUTION
    left = [{"Data": r["data"], "PartitionKey": r["key"]} for r in records]
    while left:
        batch, size = [], 0
        for entry in left[:500]:
            size += len(entry["Data"]) + len(entry["PartitionKey"].encode())
            if size > 5 * 2**20:
                break
            batch.append(entry)
        answer = kinesis.put_records(StreamName=stream_name, Records=batch)
        results = answer["Records"]
        refused = [e for e, result in zip(batch, results) if "ErrorCode" in result]
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)
    ### END SOLUTION


exercise("05.producer").check(put)

# %% [markdown]
# ### Exercise 3: a consumer with checkpoints (extra)
#
# Read all shards of the stream, from the beginning, for ever. Call `process(record)` for each record of an answer; it
# takes a while, and raises an exception when it fails. A record that fails must be done before the next one of its
# shard. Your program can crash at any moment, and is started again with an empty memory. What it needs to know it
# writes into `checkpoints`: `put(shard_id, sequence_number)`, `get(shard_id)` (None when nothing was put). At most 20
# records, of all shards together, may be done again after a crash.


# %%
def consumer(kinesis, stream_name, checkpoints, process):
    """Do every record of every shard, in order, for ever."""
    ### BEGIN SOLUTION
    listed = kinesis.list_shards(StreamName=stream_name)["Shards"]
    shards, iterators = [shard["ShardId"] for shard in listed], {}
    for shard in shards:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if done := checkpoints.get(shard):
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
            start["StartingSequenceNumber"] = done
        where = {"StreamName": stream_name, "ShardId": shard}
        answer = kinesis.get_shard_iterator(**where, **start)
        iterators[shard] = answer["ShardIterator"]
    while True:
        for shard in shards:
            answer = kinesis.get_records(ShardIterator=iterators[shard], Limit=20)
            for record in answer["Records"]:
                process(record)  # when it fails, we start again at the checkpoint
            if answer["Records"]:
                checkpoints.put(shard, answer["Records"][-1]["SequenceNumber"])
            iterators[shard] = answer["NextShardIterator"]
        time.sleep(1)
    ### END SOLUTION


exercise("05.consumer").check(consumer)

# %% [markdown]
# ### Exercise 4: read through a reshard (extra)
#
# A stream was split and merged while records came in. Call `process(record)` once for each record that is in it now,
# the records of a key in the order in which they were put. Then return. Others poll the same shards: stay within the
# five calls a second that a shard answers, whoever asks.


# %%
def read(kinesis, stream_name, process):
    """Do all records, each key's in order."""
    ### BEGIN SOLUTION
    listed = kinesis.list_shards(StreamName=stream_name)["Shards"]
    shards, done = {shard["ShardId"]: shard for shard in listed}, set()
    while len(done) < len(shards):
        for shard_id, shard in shards.items():
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
            if shard_id in done or not parents & set(shards) <= done:
                continue
            where = {"StreamName": stream_name, "ShardId": shard_id}
            where["ShardIteratorType"] = "TRIM_HORIZON"
            iterator = kinesis.get_shard_iterator(**where)["ShardIterator"]
            while iterator:
                answer = kinesis.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    process(record)
                if not answer["Records"] and not answer["MillisBehindLatest"]:
                    break
                iterator = answer.get("NextShardIterator")
                time.sleep(0.25)
            done.add(shard_id)
    ### END SOLUTION


exercise("05.reshard").check(read)

# %% [markdown]
# ### Exercise 5: what does a day cost? (extra)
#
# `load` is a day: pairs of how many seconds a part of it has, and how many records a second come then. A record has
# `record_size` bytes. `readers` applications poll the stream, each takes everything. Return the cheapest stream that
# refuses nothing and leaves no reader behind (a number of shards, or `"on demand"`), and what it costs a day, in
# dollars. Keys spread evenly. The stream on
# demand has lived for a month with this load, so it takes it. Prices: `limits("kinesis")`.


# %%
def size(load, record_size, readers):
    """A number of shards or "on demand", and the dollars a day."""
    ### BEGIN SOLUTION
    peak, mib = max(rate for _, rate in load), 2**20
    needs = (
        peak * record_size / mib,
        peak / 1000,
        readers * peak * record_size / mib / 2,
    )
    shards = max(1, *(math.ceil(need) for need in needs))
    records = sum(seconds * rate for seconds, rate in load)
    units = records * math.ceil(record_size / 25_600)
    provisioned = 24 * shards * 0.015 + units / 1e6 * 0.014
    gib = records * record_size / 2**30
    on_demand = 24 * 0.04 + gib * 0.08 + readers * gib * 0.04
    if on_demand < provisioned:
        return "on demand", on_demand
    return shards, provisioned
    ### END SOLUTION


exercise("05.size").check(size)

# %% [markdown]
# ### Challenge: the fewest shards (extra)
#
# `load` says how many kB a second each key sends (none more than a shard takes, 1,000). The stream has one shard.
# Reshard it until no shard gets more than 1,000 kB a second, with as few shards as you can. Then return.


# %%
def resize(kinesis, stream_name, load):
    """Split the stream so that no shard gets too much."""

    ### BEGIN SOLUTION
    def place(key):
        return int(hashlib.md5(key.encode()).hexdigest(), 16)

    room = 1000
    for key in sorted(load, key=place):
        if load[key] > room:  # a new shard begins with this key
            latest = {"StreamName": stream_name, "ShardFilter": {"Type": "AT_LATEST"}}
            for shard in kinesis.list_shards(**latest)["Shards"]:
                low, high = map(int, shard["HashKeyRange"].values())
                if low <= place(key) <= high:
                    kinesis.split_shard(
                        StreamName=stream_name,
                        ShardToSplit=shard["ShardId"],
                        NewStartingHashKey=str(place(key)),
                    )
            kinesis.get_waiter("stream_exists").wait(StreamName=stream_name)
            room = 1000
        room -= load[key]
    ### END SOLUTION


exercise("05.split").check(resize)

# %% [markdown]
# ## Provisioned or on demand (extra)
#
# A *provisioned* stream has the shards that you ask for, at \$0.015 an hour each. An *on-demand* stream begins with four
# and splits a busy one by itself, within 15 minutes; you pay \$0.08 for a GB written. Here 3 MB a second
# come in all the time:

# %%
cloud = Cloud(seed=3)
kinesis = cloud.client("kinesis")
mode = {"StreamMode": "ON_DEMAND"}
kinesis.create_stream(StreamName="events", StreamModeDetails=mode)
kinesis.get_waiter("stream_exists").wait(StreamName="events")
batch = [{"Data": bytes(100_000), "PartitionKey": f"key-{n}"} for n in range(32)]
for minute in range(25):
    refused = 0
    for _ in range(60):
        answer = kinesis.put_records(StreamName="events", Records=batch)
        refused += answer["FailedRecordCount"]
        cloud.advance(1)
    if minute % 4 == 0:
        about = kinesis.describe_stream_summary(StreamName="events")
        count = about["StreamDescriptionSummary"]["OpenShardCount"]
        print(f"minute {minute:2}: {count} shards, {refused:3} of 1,920 refused")

# %% [markdown]
# ## The libraries: KPL and KCL (extra)
#
# Few programs call `put_records` and `get_records` by hand. The **Kinesis Producer Library** (KPL) packs many small
# records into one record of the stream (*aggregation*, 집계); the **Kinesis Client Library** (KCL) has leases (임대),
# checkpoints and threads. Both are made for Java. Here they are in Python, over boto3, to be read: `kpl.Producer??` in
# a cell of your own shows the source. The same 2,000 rides, one by one and packed:

# %%
from lablib.actors import kcl, kpl


def produce(kinesis, aggregation):
    with kpl.Producer(kinesis, "rides", aggregation=aggregation) as producer:
        for n in range(2000):
            producer.put(f"ride {n}".encode(), f"lift-{n % 40}")


for aggregation in (False, True):
    cloud = Cloud(seed=4)
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName="rides", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="rides")
    began = cloud.now
    cloud.run(produce, kinesis, aggregation)
    records = len(cloud.trace.where("RecordPut"))
    took = cloud.now - began
    print(f"aggregation={aggregation!s:5} records: {records:5,}  {took:.2f} s")

# %% [markdown]
# **What to notice.** A shard takes 1,000 records a second, and pays no attention to how small they are: packing gets
# round that limit, and you pay for fewer records. The price: who reads must unpack. The KCL, Firehose and Lambda's
# helpers do; your own `get_records` sees one blob.

# %%
predict("05.skipped")

# %%
drawn = []


class Painter:
    def __init__(self, shard):
        self.shard = shard

    def process_records(self, records, checkpoint):
        for record in records:
            if record.data == b"42":
                raise ValueError("cannot draw this one")
            drawn.append(int(record.data))
        checkpoint()


cloud = Cloud(seed=4)
kinesis = cloud.client("kinesis")
kinesis.create_stream(StreamName="rides", ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName="rides")
for n in range(100):
    kinesis.put_record(StreamName="rides", Data=str(n), PartitionKey="k")

# %%
import logging
import sys

logging.getLogger("kcl").handlers = [logging.StreamHandler(sys.stdout)]
worker = kcl.Worker(
    kinesis, "rides", kcl.LeaseTable(), Painter, "worker-1",
    max_records=10, initial_position="TRIM_HORIZON",
)  # fmt: skip
cloud.spawn(worker.run, name="worker-1")
cloud.advance(60)
print("not drawn:", sorted(set(range(100)) - set(drawn)))

# %% [markdown]
# Records 40 and 41 were drawn before the exception. The rest of their batch was skipped, though there is nothing wrong
# with it.
#
# *Try it*: catch the exception inside the loop, keep the bad record aside, and go on. Nothing but record 42 is missing.

# %% [markdown]
# ## Then and now (extra)
#
# What the course of 2023 says still holds, with larger numbers beside it:

# %%
limits("kinesis", changed=True)

# %% [markdown]
# New since then, and not simulated here: **stream queues** (an on-demand stream read like a queue of SQS, 2026),
# **channels** (a stream copied to S3 without Firehose), **warm throughput** (on-demand advantage), and a mode that
# spreads records whatever their keys are. `cloud.client("kinesis").create_queue(...)` says so, too.
#
# ## What the model leaves out (extra)
#
# - **Times.** AWS gives no number for CREATING, UPDATING, and for the time until a record can be read. The model has 15
#   s, 30 s for a split, and 60 ms: `limits("kinesis")` lists what is assumed.
# - **A read that brings little.** On AWS a read can bring a part, or nothing, though there is more: go on until
#   `MillisBehindLatest` is 0. Here it brings all that there is, up to 10 MiB. In the checks of exercises 3 and 4 some
#   bring nothing. So does a share of yours with `Cloud(assume={"kinesis.empty_reads": 0.3})`.
# - **The libraries.** The workers of the picture, and the KPL and KCL in Python, are small models. The real KCL keeps
#   its table in DynamoDB, and the real KPL has many requests on their way at the same time.
#
# ## What to remember
#
# - A stream keeps records; readers have positions. Nothing is deleted, everything can be read again.
# - The partition key decides the shard, and so the order and the limit: 1 MiB or 1,000 records a second.
# - `PutRecords` succeeds in part. Put again what was refused, and only that.
# - A shard is read by one worker of an application. A checkpoint is written after the work.
# - Splitting gives room to many keys, never to one. Read parents before children.
# - All pollers of a shard share 2 MiB and five reads a second; enhanced fan-out gives each its own.
#
# Next: what happens when you do not want to write a consumer at all.
