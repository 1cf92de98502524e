"""Budgets of the services: what a record of a stream, of a delivery stream, and a message over STOMP cost."""

import json
import time
import warnings

import stomp
from engine import best, plain_lives, timed

from lablib import Cloud

BATCH = 500
TRUST = {
    "Statement": {"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
}
ALL = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def batches(n):
    """n records of ten letters in batches of 500, each with a key of its own."""
    for first in range(0, n, BATCH):
        yield [{"Data": b"0123456789", "PartitionKey": str(i)} for i in range(first, min(first + BATCH, n))]


def stream_records(n, read=True, shards=40):
    """Seconds to put n records with PutRecords, and to read them back."""
    with Cloud(seed=1) as cloud:
        kinesis = cloud.client("kinesis")
        kinesis.create_stream(StreamName="trucks", ShardCount=shards)
        cloud.advance(60)
        made = list(batches(n))

        def program():
            for records in made:
                if kinesis.put_records(StreamName="trucks", Records=records)["FailedRecordCount"]:
                    raise AssertionError("a shard was full: the budget is of records that are taken")
                time.sleep(0.02)
            left = n if read else 0
            for shard in kinesis.list_shards(StreamName="trucks")["Shards"] if read else ():
                iterator = kinesis.get_shard_iterator(
                    StreamName="trucks", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
                while True:
                    answer = kinesis.get_records(ShardIterator=iterator)
                    left -= len(answer["Records"])
                    if not answer["Records"]:
                        break
                    iterator = answer["NextShardIterator"]
                    time.sleep(0.2)
            if left:
                raise AssertionError(f"{left} records were not read")

        return timed(cloud.run, program)


def queue_entries(n):
    """Seconds to send n messages with SendMessageBatch, ten at a time."""
    with Cloud(seed=1) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        entries = [{"Id": str(i), "MessageBody": "0123456789"} for i in range(10)]

        def program():
            for _ in range(n // 10):
                sqs.send_message_batch(QueueUrl=url, Entries=entries)

        return timed(cloud.run, program)


def record_over_entry(n=100_000):
    """Microseconds that a record, put and read back, takes more than an entry of SendMessageBatch."""
    record, entry = best(lambda: stream_records(n), 2) / n, best(lambda: queue_entries(n // 10), 3) / (n // 10)
    return (record - entry) * 1e6, f"{record * 1e6:.1f} us a record put and read, {entry * 1e6:.1f} us a batch entry"


def record_growth(large=1_000_000):
    """Time of a record, with `large` records in the stream over that with 1,000."""
    small, big = sorted(stream_records(1000, shards=1) for _ in range(15))[7] / 1000, stream_records(large) / large
    return big / small, f"{small * 1e6:.1f} us a record at 1,000, {big * 1e6:.1f} us at {large:,}"


def firehose_records(n):
    """Seconds to put n records with PutRecordBatch, until the last one is in the bucket."""
    with Cloud(seed=1) as cloud:
        iam, s3, firehose = (cloud.client(name) for name in ("iam", "s3", "firehose"))
        role = iam.create_role(RoleName="lake", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName="lake", PolicyName="all", PolicyDocument=json.dumps(ALL))
        s3.create_bucket(Bucket="lake")
        firehose.create_delivery_stream(
            DeliveryStreamName="rides", S3DestinationConfiguration={"RoleARN": role, "BucketARN": "arn:aws:s3:::lake"}
        )
        cloud.advance(60)
        made = [[{"Data": record["Data"]} for record in batch] for batch in batches(n)]

        def program():
            for records in made:
                if firehose.put_record_batch(DeliveryStreamName="rides", Records=records)["FailedPutCount"]:
                    raise AssertionError("the stream was full: the budget is of records that are taken")
                time.sleep(1.0)
            time.sleep(400)

        took = timed(cloud.run, program)
        stored = sum(found["Size"] for found in s3.list_objects_v2(Bucket="lake")["Contents"])
        if stored != n * 10:
            raise AssertionError(f"{stored} bytes are in the bucket, not {n * 10}")
        return took


def firehose_against_stream(n=20_000):
    """A record through Firehose to S3, over a record put into a stream."""
    delivered, put = best(lambda: firehose_records(n), 3) / n, best(lambda: stream_records(n, read=False), 3) / n
    return delivered / put, f"{delivered * 1e6:.1f} us to the bucket, {put * 1e6:.1f} us into a stream"


class Listener(stomp.ConnectionListener):
    """Acknowledges what comes."""

    def __init__(self, connection):
        self.connection, self.seen = connection, 0

    def on_message(self, frame):
        self.connection.ack(frame.headers["ack"])
        self.seen += 1


def stomp_lives(n):
    """Seconds for n messages over STOMP, by stomp.py: sent with a receipt asked for, received, acknowledged."""
    with Cloud(seed=1) as cloud:
        mq = cloud.client("mq")
        made = mq.create_broker(
            BrokerName="warehouse", DeploymentMode="SINGLE_INSTANCE", EngineType="ACTIVEMQ", PubliclyAccessible=False,
            HostInstanceType="mq.m5.large", Users=[{"Username": "shop", "Password": "correct-horse-battery"}],
        )  # fmt: skip
        cloud.advance(920)
        endpoint = mq.describe_broker(BrokerId=made["BrokerId"])["BrokerInstances"][0]["Endpoints"][2]
        hosts = [(endpoint.split("/")[2].partition(":")[0], 61614)]

        def program():
            connection = stomp.Connection12(hosts)
            connection.set_ssl(for_hosts=hosts)
            listener = Listener(connection)
            connection.set_listener("bench", listener)
            connection.connect("shop", "correct-horse-battery", wait=True)
            connection.subscribe("/queue/orders", id="1", ack="client-individual")

            def work():
                for i in range(n):
                    connection.send("/queue/orders", "hello")
                    while listener.seen <= i:
                        time.sleep(0.01)

            took = timed(work)
            connection.disconnect()
            return took

        return cloud.run(program)


def sqs_lives(n):
    """Seconds for n messages through boto3: sent, received, deleted."""
    with Cloud(seed=1) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        return cloud.run(lambda: timed(plain_lives, sqs, url, n))


def stomp_against_boto3(n=2000):
    """A message's life over STOMP, over one through boto3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        over, through = best(lambda: stomp_lives(n), 4) / n, best(lambda: sqs_lives(n), 4) / n
    return over / through, f"{over * 1e6:.0f} us over STOMP, {through * 1e6:.1f} us through boto3"
