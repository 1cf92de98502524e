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
# # Lab 06: Data Streams against Firehose, the riders of a ski lift
#
# First do lab 05.
#
# After this lab you can
#
# - say what *Amazon Data Firehose* (데이터 파이어호스) does, and when a stream is the better choice;
# - set a *buffer* (버퍼) by size and time, and say what it costs in freshness and in files;
# - write a *transform* (변환 함수) that keeps every record, and find those that failed;
# - say where records are while a destination is down, and when they are lost;
# - count in *windows* (윈도) of time although events come late.
#
# {minutes}

# %%
import json
import time
from base64 import b64decode, b64encode
from collections import Counter

from lablib import Cloud, exercise, limits, workbench
from lablib.actors.camera import film
from lablib.scenarios.lab06 import LongOutage, SkiLift, firehose_role, monthly
from lablib.services.kinesisvideo import frames
from lablib.workbench import predict

# %% [markdown]
# ## 1. Four services at one lift
#
# A ski lift has four *turnstiles* (개찰구). Each rider who passes makes a record. What can become of it?
#
# | at the lift | service | name in 2023 |
# | --- | --- | --- |
# | collect riders; programs of yours read them, at once and again | Kinesis Data Streams | the same |
# | deliver riders as files to S3, or to a database; nobody writes a program | Amazon Data Firehose | Kinesis Data Firehose |
# | count riders per minute, all the time | Managed Service for Apache Flink | Kinesis Data Analytics |
# | film the turnstile, and look at the moment when somebody jumped over it | Kinesis Video Streams | the same |
#
# This lab is about the first two, side by side. The others have a section each.
#
# A **delivery stream** (전송 스트림) of Firehose *collects* records in a buffer. The buffer *closes* for one of two
# reasons, and then all that is in it leaves together, as one object. There are no shards, and nobody reads.

# %%
predict("06.first")

# %%
predict("06.wait")

# %%
bench = workbench(SkiLift, seed=7)
bench

# %% [markdown]
# Press **Play** (or the space bar).
#
# **What to notice.** Two bars, one for each limit. The bar that is full first closes the buffer. After two minutes a
# rush comes, with four times as many riders: look which bar it is then, and how large the objects are. The missions
# above the picture are for later.
#
# ## 2. Read at once, or delivered in portions
#
# The same riders, twice: lane A is a stream that your program reads, lane B is Firehose.

# %%
predict("06.read")

# %%
lanes = workbench(SkiLift, seed=7)
lanes.compare(way="stream")
lanes

# %% [markdown]
# **What to notice.** On the right each record is a dot: how long did it wait? The axis grows by ten from line to line.
# Your program has a record after a fraction of a second. That is *real time* (실시간). Firehose is *near real time*
# (준실시간): up to 60 s here, and that is the least that could be set in 2023.
#
# Who scales? A shard takes 1 MiB or 1,000 records a second, and you add the next one (lab 05). A delivery stream has
# no shards: AWS scales it. And what does it cost?

# %%
for records in (1, 100, 10_000):
    for size in (1_000, 5_000):
        by_stream = monthly("stream", records, size)
        by_firehose = monthly("firehose", records, size)
        print(
            f"{records:6,} records/s of {size:,} bytes"
            f"   stream ${by_stream:8,.2f}   Firehose ${by_firehose:8,.2f} a month"
        )

# %% [markdown]
# **What to notice.** A shard costs the same when nobody comes; Firehose costs nothing then. But Firehose rounds each
# record up to 5 kB, so many small records are dear. The program that reads the stream costs, too: somebody writes it,
# runs it, and is called at night.

# %%
predict("06.replay")

# %% [markdown]
# Often one wants both, and Firehose is one more reader of the stream.
#
# ### Try it (in the workbench above)
#
# 1. Open **What if**. Among the things to do now there is no replay: lane B is Firehose, and what is delivered is gone.
# 2. Set *records go through* to "both". Play, and stop at about 70 s. Do *Replay*: your program begins at the oldest
#    record again. S3 has each rider once.
#
# ### The table of the course, measured
#
# | | Data Streams | Firehose | where from |
# | --- | --- | --- | --- |
# | latency | about 0.2 s | 60 s, or until 1 MiB is there | both lanes above |
# | programs | you write producer and consumer | you write the producer | lane A has a program |
# | scaling | you split and merge shards | by itself | lab 05; no shards in lane B |
# | keeps records | 1 to 365 days | no | Replay, in one lane only |
# | replay | yes | no | Replay, in one lane only |
# | goes to | whatever your program does | S3, Redshift, OpenSearch, partners, HTTP | section 6 |
#
# ## 3. Your first delivery stream
#
# It needs a role: Firehose writes to *your* bucket, in the name of this role. `SizeInMBs` and `IntervalInSeconds` are
# *hints*: the two limits of the buffer. AWS counts in MiB (1,048,576 bytes) here, whatever the name says.


# %%
def delivery_stream(cloud, **more):
    """A bucket and a delivery stream to it; the clients of both."""
    s3, firehose = cloud.client("s3"), cloud.client("firehose")
    s3.create_bucket(Bucket="lift")
    to_s3 = {
        "RoleARN": firehose_role(cloud),
        "BucketARN": "arn:aws:s3:::lift",
        "Prefix": "riders/",
        "ErrorOutputPrefix": "errors/",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
    }
    firehose.create_delivery_stream(
        DeliveryStreamName="riders",
        ExtendedS3DestinationConfiguration={**to_s3, **more},
    )
    cloud.advance(30)  # until it is ACTIVE
    return s3, firehose


def stored(s3, prefix="riders/"):
    """What lies in the bucket: the bodies of all objects."""
    listed = s3.list_objects_v2(Bucket="lift", Prefix=prefix).get("Contents", [])
    keys = [entry["Key"] for entry in listed]
    return [s3.get_object(Bucket="lift", Key=key)["Body"].read() for key in keys]


# %%
cloud = Cloud(seed=1)
s3, firehose = delivery_stream(cloud)
riders = [{"gate": 1, "rider": "ann"}, {"gate": 2, "rider": "bob"}]
records = [{"Data": json.dumps(rider).encode()} for rider in riders]
answer = firehose.put_record_batch(DeliveryStreamName="riders", Records=records)
print("refused:", answer["FailedPutCount"])
print("in S3 at once:", stored(s3))
cloud.advance(61)
print("a minute later:", stored(s3))
print(s3.list_objects_v2(Bucket="lift")["Contents"][0]["Key"])

# %% [markdown]
# **What to notice.** The two records are one object, and nothing stands between them: Firehose glues records together.
# Who wants lines sends lines: `json.dumps(rider) + "\n"`. The name of the object has the date, and ends at random.
#
# `PutRecordBatch` takes up to 500 records or 4 MiB, and can succeed in part, like `PutRecords` of a stream. Over the
# quota it answers like this:

# %%
cloud = Cloud(seed=2)
_, firehose = delivery_stream(cloud)
batch = [{"Data": b"x" * 8_000}] * 500
for call in range(3):
    answer = firehose.put_record_batch(DeliveryStreamName="riders", Records=batch)
    print(f"call {call + 1}: {answer['FailedPutCount']} of 500 refused")
print(answer["RequestResponses"][-1])

# %% [markdown]
# ## 4. When something fails
#
# ### The destination is down

# %%
predict("06.outage")


# %%
hours = workbench(LongOutage, seed=7, compare={"outage": 1.0})
hours

# %% [markdown]
# Press **Play**: 30 hours take a minute. After one hour S3 begins to refuse each object: in lane A for one hour, in
# lane B for 25 hours. The curve is the age of the oldest record.

# %%
for hours_away in (1, 24, 25):
    run = LongOutage(outage=float(hours_away)).run(seed=7)
    found = run.scenario.results(run)
    told = ", ".join(
        f"{found[key]} {key}" for key in ("riders", "records in S3", "records lost")
    )
    print(f"{hours_away:2} hours: {told}")

# %% [markdown]
# **What to notice.** Firehose keeps what it cannot deliver, and tries again with longer and longer pauses. When S3
# answers again, what has waited leaves together, in larger objects. But after **24 hours** a record is lost. Its producer
# was told that it is accepted, and hears nothing of it. Set an alarm on `DeliveryToS3.DataFreshness`: that is the curve.
#
# A *backup bucket* (백업 버킷) has a copy of every record as it came. It helps against a transform that is wrong.
#
# ### The transform fails
#
# A Lambda function can change each record on its way. Firehose hands it a batch; it must answer with an entry for
# *each* `recordId`: `Ok`, `Dropped` or `ProcessingFailed`.

# %%
predict("06.answer")


# %%
def upper(event, context):
    """Each record in capitals. One of them cannot be read."""
    results = []
    for record in event["records"]:
        text = b64decode(record["data"]).decode().upper()
        data = b64encode(text.encode()).decode()
        results.append({"recordId": record["recordId"], "result": "Ok", "data": data})
    return {"records": results}


cloud = Cloud(seed=4)
arn = cloud.deploy("upper", upper, timeout=60)
parameter = {"ParameterName": "LambdaArn", "ParameterValue": arn}
processor = {"Type": "Lambda", "Parameters": [parameter]}
processing = {"Enabled": True, "Processors": [processor]}
s3, firehose = delivery_stream(cloud, ProcessingConfiguration=processing)
for body in (b"ann ", b"bob ", b"\xff\xfe", b"eve "):
    firehose.put_record(DeliveryStreamName="riders", Record={"Data": body})
cloud.advance(300)
print("riders/:", stored(s3))
for line in stored(s3, "errors/")[0].splitlines():
    failed = json.loads(line)
    print(failed["errorCode"], failed["attemptsMade"], b64decode(failed["rawData"]))

# %% [markdown]
# **What to notice.** One record that cannot be read, and none of the four is delivered. They are not lost: they lie
# under the error prefix, in base64, with the reason. An *answer* is final, an *error* is tried again three times.
#
# ### Try it: the missions of the first workbench, and these
#
# 3. Open **What if**. Switch *transform* on, and set *broken records* to 10 %. Its function answers for each record, so
#    only the broken ones are set aside. And records wait twice: first for the function, then in the buffer.
# 4. Switch *backup* on. Which records are in the second bucket?
# 5. Set *S3 does not answer for* to 120 s. How large is the object that comes afterwards?
#
# ## 5. The two core exercises
#
# As in lab 01: write the function, run the check. It looks for the smallest case that breaks your function.
#
# ### Exercise 1 (core): a transform that keeps every record
#
# A turnstile sends `{"gate": 1, "rider": "kim", "at": 61.5}`, some with more fields; `at` is in seconds. Deliver one
# JSON document a line, with the gate and the minute (a whole number) only: `{"gate": 1, "minute": 1}`. A rider called
# `"test"` is a test of the turnstile, and is dropped. Whatever else cannot be read, or lacks one of the three fields,
# has failed.


# %%
def transform(event, context):
    """The answer to Firehose: an entry for each record."""
    ### BEGIN SOLUTION
    results = []
    for record in event["records"]:
        entry = {"recordId": record["recordId"], "data": record["data"]}
        try:
            rider = json.loads(b64decode(record["data"]))
            line = {"gate": rider["gate"], "minute": int(rider["at"] // 60)}
            if rider["rider"] == "test":
                entry["result"] = "Dropped"
            else:
                text = json.dumps(line) + "\n"
                entry["data"] = b64encode(text.encode()).decode()
                entry["result"] = "Ok"
        except (ValueError, KeyError, TypeError):
            entry["result"] = "ProcessingFailed"
        results.append(entry)
    return {"records": results}
    ### END SOLUTION


exercise("06.transform").check(transform)

# %% [markdown]
# ### Exercise 2 (core): every event is a line in S3
#
# Put all `events` (dicts) into the delivery stream in few calls, so that each is one line of JSON in S3. A part of a
# call can be refused, or for some seconds each call, and an answer can get lost. An event may be there twice only when
# the answer to its call was lost. A record takes up to 1,024,000 bytes: return the list of the events that are too big.


# %%
def put(firehose, stream_name, events):
    """Put every event that fits; return the others."""
    ### BEGIN SOLUTION
    lines = [(json.dumps(event) + "\n").encode() for event in events]
    left = [{"Data": line} for line in lines if len(line) <= 1_024_000]
    while left:
        batch, size = [], 0
        for entry in left[:500]:
            size += len(entry["Data"])
            if size > 4 * 2**20:
                break
            batch.append(entry)
        call = {"DeliveryStreamName": stream_name, "Records": batch}
        try:
            results = firehose.put_record_batch(**call)["RequestResponses"]
        except firehose.exceptions.ClientError:  # boto3 has tried several times
            time.sleep(1)
            continue
        refused = [e for e, result in zip(batch, results) if "ErrorCode" in result]
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)
    return [e for e, line in zip(events, lines) if len(line) > 1_024_000]
    ### END SOLUTION


exercise("06.producer").check(put)

# %% [markdown]
# ## 6. From S3 to a question in SQL *(extra)*
#
# Firehose delivers to **S3**, to **Amazon Redshift** (a data warehouse, 데이터 웨어하우스), to **Amazon OpenSearch**,
# to partners such as Splunk and Datadog, and to any *HTTP endpoint*. To Redshift it goes in two steps: an object in
# S3, then the command `COPY`, which loads the object into a table.


# %%
def warehouse(cloud):
    """A Redshift cluster; a function that runs SQL in it, and its address."""
    redshift, data = cloud.client("redshift"), cloud.client("redshift-data")
    login = {"MasterUsername": "admin", "MasterUserPassword": "Secret123"}
    resort = {"ClusterIdentifier": "resort", "NodeType": "ra3.xlplus"}
    redshift.create_cluster(**resort, **login)
    redshift.get_waiter("cluster_available").wait(ClusterIdentifier="resort")

    def ask(sql):
        where = {"ClusterIdentifier": "resort", "Database": "dev", "DbUser": "admin"}
        id = data.execute_statement(Sql=sql, **where)["Id"]
        while (about := data.describe_statement(Id=id))["Status"] != "FINISHED":
            if "Error" in about:
                return about["Error"]
            cloud.advance(1)
        rows = (
            data.get_statement_result(Id=id)["Records"] if about["HasResultSet"] else []
        )
        return [
            tuple(value for field in row for value in field.values()) for row in rows
        ]

    (cluster,) = redshift.describe_clusters()["Clusters"]
    return ask, f"jdbc:redshift://{cluster['Endpoint']['Address']}:5439/dev"


# %%
cloud = Cloud(seed=5)
cloud.client("s3").create_bucket(Bucket="lift")
ask, address = warehouse(cloud)
ask("CREATE TABLE rides (gate INT, rider VARCHAR(40))")
role = {"RoleARN": firehose_role(cloud)}
hints = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}
to_redshift = {
    "ClusterJDBCURL": address,
    "CopyCommand": {"DataTableName": "rides", "CopyOptions": "JSON 'auto'"},
    "Username": "admin",
    "Password": "Secret123",
    "S3Configuration": {"BucketARN": "arn:aws:s3:::lift", **role, **hints},
}
firehose = cloud.client("firehose")
firehose.create_delivery_stream(
    DeliveryStreamName="rides",
    RedshiftDestinationConfiguration={**to_redshift, **role},
)
cloud.advance(30)

# %%
for n in range(200):
    line = json.dumps({"gate": 1 + n % 7 % 4, "rider": f"rider {n % 70}"}) + "\n"
    record = {"Data": line.encode()}
    firehose.put_record(DeliveryStreamName="rides", Record=record)
cloud.advance(90)
print(ask("SELECT gate, count(*) FROM rides GROUP BY gate ORDER BY gate"))
print(ask("SELECT count(DISTINCT rider) FROM rides"))

# %% [markdown]
# **What to notice.** It is a real table, and real SQL. An object that cannot be loaded is tried again for an hour; then
# it is skipped, and a manifest under `errors/` names it. `SELECT * FROM stl_load_errors` tells why.
#
# ### Several readers, and a topic in front
#
# Firehose can stand behind a stream: it is one reader among others, as in the workbench with **both**. And it can
# subscribe to a topic: *SNS, Firehose, S3* keeps every message of a topic without a line of code.

# %%
cloud = Cloud(seed=6)
s3, firehose = delivery_stream(cloud)
sns = cloud.client("sns")
topic = sns.create_topic(Name="lift-events")["TopicArn"]
about = firehose.describe_delivery_stream(DeliveryStreamName="riders")
sns.subscribe(
    TopicArn=topic,
    Protocol="firehose",
    Endpoint=about["DeliveryStreamDescription"]["DeliveryStreamARN"],
    Attributes={"SubscriptionRoleArn": firehose_role(cloud, "sns")},
)
for text in ("lift open", "wind 60 km/h", "lift closed"):
    sns.publish(TopicArn=topic, Message=text)
cloud.advance(90)
for line in stored(s3)[0].splitlines():
    message = json.loads(line)
    print(message["Timestamp"], message["Message"])

# %% [markdown]
# ## 7. Riders per minute *(extra)*
#
# Kinesis Data Analytics was the third of the family: SQL or Apache Flink over a stream. Today it is called *Managed
# Service for Apache Flink*, and SQL is gone. Whatever counts, it counts in **windows**. A *tumbling window* (텀블링
# 윈도) begins when the one before ends. The question is: by which time?
#
# *Event time* (이벤트 시간) is when a rider passed, *arrival time* is when we heard of it. Here turnstile 3 is offline
# for 40 s, and sends what it has kept afterwards.

# %%
predict("06.late")


# %%
def analyse(job, crash=None):
    """Run a job over five minutes of riders, one every two seconds."""
    cloud = Cloud(seed=8)
    kinesis, flink = cloud.client("kinesis"), cloud.client("kinesisanalyticsv2")
    kinesis.create_stream(StreamName="riders", ShardCount=1)
    cloud.advance(20)
    code = {"ApplicationCodeConfiguration": cloud.job_code(job)}
    role = {"ServiceExecutionRole": firehose_role(cloud, "kinesisanalytics")}
    counts = {"ApplicationName": "counts", "RuntimeEnvironment": "FLINK-1_15"}
    flink.create_application(ApplicationConfiguration=code, **counts, **role)
    flink.start_application(ApplicationName="counts")
    kept = []  # by turnstile 3 while it is offline
    for second in range(0, 302, 2):
        cloud.advance(180 + second - cloud.now)  # at 180 s it is running
        rider = {"at": cloud.kernel.epoch + cloud.now, "gate": second // 2 % 4}
        if rider["gate"] == 3 and 40 <= second < 80:
            kept.append(rider)
            continue
        ready, kept = ([*kept, rider], []) if second >= 80 else ([rider], kept)
        for rider in ready:
            data = json.dumps(rider)
            kinesis.put_record(StreamName="riders", Data=data, PartitionKey="lift")
        if second == crash:
            cloud.kill("analytics/counts-1")
    cloud.advance(60)


# %%
def minute_of(time):
    return int(time) // 60 % 60


# %% [markdown]
# A **job** is a function of its environment. `event_time` says when a rider passed, and how much later an event may come.


# %%
def per_minute(out_of_order):
    """Riders per minute by the clock, by event time, and those left out."""
    clock, counts, late = Counter(), {}, []

    def job(env):
        riders = env.from_stream("riders")
        riders.to(lambda rider: clock.update([minute_of(time.time())]))
        riders = riders.event_time(lambda rider: rider["at"], out_of_order)
        windows = riders.key_by(lambda rider: "lift").tumbling(60)
        windows.count().to(lambda w: counts.update({minute_of(w["start"]): w["value"]}))
        windows.late.to(late.append)

    analyse(job)
    return dict(sorted(clock.items())), counts, len(late)


for seconds in (0, 45):
    clock, counts, late = per_minute(seconds)
    print(f"up to {seconds:2} s late: {counts}, {late} left out")
print("by the clock:   ", clock)

# %% [markdown]
# **What to notice.** By the clock of the program one minute has too few riders, and the next too many. By event time
# the job cannot know whether an older event will still come. Its *watermark* (워터마크) says: nothing
# older than this is expected. The newest event decides it, less the time that you allow. Allow too little, and
# riders are left out; allow more, and each result comes so much later (the last minute is not there yet). The
# watermark is the smallest of all shards: one silent shard stops all windows, until it counts as idle.

# %%
predict("06.crash")


# %%
def added(exactly_once):
    """Add each rider to a table outside. The job crashes once."""
    table = Counter()

    def job(env):
        riders = env.from_stream("riders")
        riders.to(lambda rider: table.update([minute_of(rider["at"])]), exactly_once)

    analyse(job, crash=170)
    return dict(sorted(table.items()))


print("as it comes: ", added(exactly_once=False))
print("exactly once:", added(exactly_once=True))

# %% [markdown]
# **What to notice.** A job notes its state every 60 s: a *checkpoint*. After a crash it reads again from the last one.
# Its own state is right; a table outside is not, unless the sink waits for the checkpoint (exactly once, and up to a
# minute late), or a repeated write changes nothing (*idempotent*, 멱등).
#
# ## 8. The film of the turnstile *(extra)*
#
# **Kinesis Video Streams** takes film: *fragments* (프래그먼트) of some seconds, each with a number and two times. A
# camera sends them with `PutMedia`, which boto3 does not have; `film` is our camera.

# %%
predict("06.film")

# %%
for hours in (0, 1):
    cloud = Cloud(seed=7)
    video = cloud.client("kinesisvideo")
    video.create_stream(StreamName="gate", DataRetentionInHours=hours)
    cloud.advance(5)
    camera = film(cloud, "gate", 30, passes=(12.0, 22.0), jumps=(16.5,))
    cloud.advance(40)
    kinds = Counter(ack["EventType"] for ack in camera.acks)
    print(f"retention {hours} h:", dict(kinds))

# %% [markdown]
# With a retention of 0 no fragment is ever `PERSISTED`. To read film one asks for the endpoint first, for each API.

# %%
api = {"StreamName": "gate", "APIName": "LIST_FRAGMENTS"}
where = video.get_data_endpoint(**api)["DataEndpoint"]
archive = cloud.client("kinesis-video-archived-media", endpoint_url=where)
epoch = cloud.kernel.epoch
span = {"StartTimestamp": epoch + 15, "EndTimestamp": epoch + 19}
moment = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": span}
listed = archive.list_fragments(StreamName="gate", FragmentSelector=moment)
numbers = [fragment["FragmentNumber"] for fragment in listed["Fragments"]]
print("fragments that begin between 15 s and 19 s:", len(numbers))

api["APIName"] = "GET_MEDIA_FOR_FRAGMENT_LIST"
where = video.get_data_endpoint(**api)["DataEndpoint"]
archive = cloud.client("kinesis-video-archived-media", endpoint_url=where)
media = archive.get_media_for_fragment_list(StreamName="gate", Fragments=numbers)
pictures = frames(media["Payload"].read())
pictures[len(pictures) // 2]

# %% [markdown]
# **What to notice.** A fragment is seen when it is whole: film is as old as a fragment is long. And somebody in red has
# not paid.
#
# ## 9. More exercises *(extra)*
#
# ### Exercise 3: a stream, Firehose, or both
#
# `system` has `records` (a second), `bytes` (of each), `archive` (files in S3 are wanted), `again` (some day a program
# must do a replay, as in section 2; files are no replay), and `within`: after so many seconds a program must have a
# record; 0 means that no program is in a hurry. A program can have its records from the objects in S3, too. Return
# `"stream"`, `"firehose"` or `"both"`. With Firehose the buffer is as small as it can be: 1 MiB, 60 s. Take `"both"`
# only when one alone does not have all that is wanted. When each of the two alone has it, take Firehose: nobody has to
# write and watch a program.


# %%
def choose(system):
    """The service for this system."""
    ### BEGIN SOLUTION
    load = system["records"] * system["bytes"]
    in_s3 = min(60, 2**20 / load) + 1  # the buffer is full, or its time is over
    stream = system["again"] or 0 < system["within"] < in_s3
    if not stream:
        return "firehose"
    return "both" if system["archive"] else "stream"
    ### END SOLUTION


exercise("06.choose").check(choose)

# %% [markdown]
# ### Exercise 4: the hints
#
# `load` kB a second come in, evenly, in records of 100 kB. Each record must be in S3 within `fresh` seconds; no object
# may be larger than `largest` MiB; and there should be as few objects as possible. Return
# `{"SizeInMBs": ..., "IntervalInSeconds": ...}`, or `None` when no hints do it. AWS allows 1 to 128 MiB and, in 2023,
# 60 to 900 s.


# %%
def hints(load, fresh, largest):
    """Buffer hints for this load and these goals."""
    ### BEGIN SOLUTION
    size, seconds = largest - 1, fresh - 1  # the last record does not fit exactly
    if seconds < 60:  # then the buffer must be full before that
        size = min(size, int(load * 1000 * seconds / 2**20))
        seconds = 60
    if size < 1:
        return None
    return {"SizeInMBs": size, "IntervalInSeconds": min(seconds, 900)}
    ### END SOLUTION


exercise("06.buffer").check(hints)

# %% [markdown]
# ### Exercise 5: riders per minute, although events are late
#
# `events` gives what arrives: dicts with `id` and `at` (seconds since 1970, as of `time.time()`), or `None` after each
# second in which nothing came. An event comes at most 30 s after it happened, and may come twice. Call
# `emit(minute, riders)` once for each minute (`at // 60`) that had riders, with the right number, within 5 s after it
# is known. `emit` can raise `ConnectionError`; then nothing was written. Return when the events end.


# %%
def count(events, emit):
    """Emit the riders of each minute, once, when it is complete."""
    ### BEGIN SOLUTION
    riders = {}

    def close(before):
        for minute in [m for m in riders if m < before]:
            written = False
            while not written:
                try:
                    emit(minute, len(riders[minute]))
                    written = True
                except ConnectionError:
                    time.sleep(1)
            del riders[minute]

    for event in events:
        if event:
            riders.setdefault(int(event["at"] // 60), set()).add(event["id"])
        close((time.time() - 30.5) // 60)
    close(float("inf"))
    ### END SOLUTION


exercise("06.windows").check(count)

# %% [markdown]
# ### Exercise 6 (challenge): deliver what had failed
#
# Under `errors/` lie objects as Firehose writes them: a JSON document a line, with the record in `rawData`.
# `repair(data)` makes a record good again; it raises `ValueError` when it cannot. Put the repaired records into the
# delivery stream. What cannot be repaired goes into a new object under `hopeless/`: its line as it is, or the record.
# Delete each object when all of it is done. Your program can crash in the middle and is started again; nothing may be
# lost, and only then may a record be delivered twice. There can be more than 1,000 objects, and hundreds of records in
# one.


# %%
def deliver(s3, firehose, bucket, stream_name, repair):
    """Empty errors/ without losing a record."""
    ### BEGIN SOLUTION
    while found := s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("Contents"):
        for entry in found:
            key, good, hopeless = entry["Key"], [], []
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for line in body.splitlines():
                data = b64decode(json.loads(line)["rawData"])
                try:
                    good.append({"Data": repair(data)})
                except ValueError:
                    hopeless.append(data)
            while good:
                call = {"DeliveryStreamName": stream_name, "Records": good[:500]}
                results = firehose.put_record_batch(**call)["RequestResponses"]
                refused = [e for e, r in zip(good, results) if "ErrorCode" in r]
                good = refused + good[500:]
            if hopeless:
                body = b"".join(hopeless)
                s3.put_object(Bucket=bucket, Key=f"hopeless/{key}", Body=body)
            s3.delete_object(Bucket=bucket, Key=key)
    ### END SOLUTION


exercise("06.redeliver").check(deliver)

# %% [markdown]
# ## Then and now *(extra)*
#
# What the course of 2023 says, with what has changed beside it:

# %%
limits("firehose", changed=True)

# %% [markdown]
# Until a single record is in S3, then and now:

# %%
for edition, seconds in (("2023", 60), ("today", 0)):
    cloud = Cloud(seed=9, limits=edition)
    smallest = {"SizeInMBs": 1, "IntervalInSeconds": seconds}
    s3, firehose = delivery_stream(cloud, BufferingHints=smallest)
    firehose.put_record(DeliveryStreamName="riders", Record={"Data": b"ann"})
    begin = cloud.now
    while not stored(s3):
        cloud.advance(0.1)
    print(f"{edition:5} {seconds:2} s set, {cloud.now - begin:.1f} s waited")

# %% [markdown]
# - **Names.** Kinesis Data Firehose is Amazon Data Firehose; Kinesis Data Analytics is Managed Service for Apache Flink.
# - **Zero buffering.** The interval may be 0 s today: a record is in S3 after seconds, in many small files.
# - **SQL is gone.** No new SQL application since October 2025, and all were deleted from January 2026 on.
# - **Destinations.** OpenSearch Serverless, Snowflake and Apache Iceberg tables came; MSK and databases as sources.
#
# ## What the model leaves out
#
# - **Hints are hints.** AWS may deliver earlier or later than they say. Here they are kept exactly, but for a destination
#   that lags. How long the pauses between two attempts are is assumed: `limits("firehose")` lists it.
# - **The turnstiles' network.** A real device keeps riders while it is offline. Here it tries three times.
#
# ## What to remember
#
# - A stream keeps records, and programs read them, at once and again. Firehose delivers them, and keeps nothing.
# - The buffer closes by size or by time, whichever is first. Large files are old files.
# - A transform answers for every `recordId`. An error is tried again, an answer is final; what failed lies under the
#   error prefix.
# - A destination that is down: retried for 24 hours, then lost. Watch the age of the oldest record.
# - Records are glued together: end each with a newline.
# - Count by event time, wait for what is late, and write so that a repeated write changes nothing.
#
# Next: brokers that speak open protocols, and what happens when one of them fails.
