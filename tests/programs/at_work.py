"""Programs as people have them at work, pasted: only the lines that make the client and the queue are the test's.

Each is a function `program(cloud, say)` that starts its processes; what happens it says. `python -m programs.at_work`
in `tests/` prints all runs as `at_work_seen.txt` has them.
"""

import lablib  # noqa: I001, F401

import asyncio
import hashlib
import io
import json
import logging
import queue
import random
import signal
import socket
import sys
import threading
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import datetime, timedelta, UTC

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemNotFoundError
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from kombu import Connection, Exchange, Queue
from kombu.mixins import ConsumerProducerMixin

from lablib import Cloud
from programs import servers


def consumer_with_a_pool(cloud, say):
    """Four workers, long polling, a graceful shutdown: what is in work is finished and deleted, the rest is left."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    stop = threading.Event()

    def produce():
        for n in range(60):
            body = json.dumps({"order": n, "id": str(uuid.uuid4()), "at": datetime.now(UTC).isoformat()})
            sqs.send_message(QueueUrl=url, MessageBody=body)
            time.sleep(random.uniform(0.1, 0.5))

    def handle(message):
        order = json.loads(message["Body"])
        time.sleep(random.expovariate(1 / 1.5))
        if order["order"] == 13:
            raise ValueError("order 13")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return order["order"]

    def consume():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        done, pending = [], set()
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="worker") as pool:
            while not stop.is_set():
                if len(pending) >= 4:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    done += [f.result() if not f.exception() else str(f.exception()) for f in finished]
                    continue
                answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=4 - len(pending))
                pending |= {pool.submit(handle, m) for m in answer.get("Messages", [])}
            say(f"stopping with {len(pending)} in work")
        say(f"stopped; {len(done) + len(pending)} handled, {done.count('order 13')} failed")

    cloud.spawn(produce, name="producer")
    cloud.spawn(consume, name="consumer")
    cloud.kernel.at(20.0, stop.set)
    cloud.advance(60)
    callers = sorted({row.actor for row in cloud.trace.where(kind="DeleteMessage")})
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    say(f"{left['ApproximateNumberOfMessages']} left; deleted by {', '.join(callers)}")


def heartbeat_thread(cloud, say):
    """A long job whose visibility is extended by a thread of its own, until an Event says that it is done."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="videos", Attributes={"VisibilityTimeout": "10"})["QueueUrl"]

    def extend(handle, done):
        while not done.wait(timeout=5):
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=10)

    def worker():
        while True:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []):
                done = threading.Event()
                beat = threading.Thread(target=extend, args=(message["ReceiptHandle"], done), daemon=True)
                beat.start()
                time.sleep(42)
                done.set()
                beat.join()
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                say(f"{message['Body']} done")

    sqs.send_message(QueueUrl=url, MessageBody="video 1")
    cloud.spawn(worker, name="a")
    cloud.spawn(worker, name="b")
    cloud.advance(120)
    say(f"{len(cloud.trace.where(kind='ChangeMessageVisibility'))} extensions")


def asyncio_producer(cloud, say):
    """Sends in batches from a bounded asyncio queue; boto3 blocks, so it is called in threads."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="metrics")["QueueUrl"]

    async def sample(name, period, samples):
        for n in range(20):
            await asyncio.sleep(period)
            await samples.put({"metric": name, "value": n, "at": datetime.now().isoformat(timespec="milliseconds")})

    async def flush(samples, sent):
        while True:
            batch = [await samples.get()]
            deadline = asyncio.get_running_loop().time() + 2
            while len(batch) < 10 and (left := deadline - asyncio.get_running_loop().time()) > 0:
                try:
                    batch.append(await asyncio.wait_for(samples.get(), left))
                except TimeoutError:
                    break
            entries = [{"Id": str(i), "MessageBody": json.dumps(s)} for i, s in enumerate(batch)]
            await asyncio.to_thread(sqs.send_message_batch, QueueUrl=url, Entries=entries)
            sent.append(len(batch))
            for _ in batch:
                samples.task_done()

    async def main():
        samples, sent = asyncio.Queue(maxsize=20), []
        task = asyncio.create_task(flush(samples, sent))
        await asyncio.gather(*(sample(f"cpu{n}", 0.2 + n / 10, samples) for n in range(3)))
        await samples.join()
        task.cancel()
        say(f"batches of {sent}")

    cloud.spawn(asyncio.run, main(), name="agent")
    cloud.advance(60)


def logging_with_times(cloud, say):
    """A logger with times, thread names and a queue handler, as services configure it."""
    from logging.handlers import QueueHandler, QueueListener

    out = io.StringIO()
    target = logging.StreamHandler(out)
    target.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(threadName)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("programs.at_work")
    log.propagate, log.level = False, logging.INFO

    def service():
        lines = queue.Queue()
        handler, listener = QueueHandler(lines), QueueListener(lines, target)
        log.addHandler(handler)
        listener.start()
        with ThreadPoolExecutor(2, thread_name_prefix="job") as pool:
            for n in range(4):
                pool.submit(lambda n: time.sleep(1.25) or log.info("job %d", n), n)
        listener.stop()
        log.removeHandler(handler)

    cloud.advance(3 * 3600)
    cloud.spawn(service)
    cloud.advance(60)
    say(out.getvalue().strip().replace("\n", ", "))


def powertools_batch(cloud, say):
    """aws-lambda-powertools: partial batch failures, standard and FIFO."""
    for name, fifo in (("jobs", False), ("jobs.fifo", True)):
        sqs, functions = cloud.client("sqs"), cloud.client("lambda")
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "20", **attributes})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        processor = SqsFifoPartialProcessor() if fifo else BatchProcessor(event_type=EventType.SQS)
        tries = []

        def record_handler(record, tries=tries, fifo=fifo):
            tries.append(record.body)
            if record.body == "3" and tries.count("3") < 3:
                raise RuntimeError("not yet")

        def handler(event, context, record_handler=record_handler, processor=processor):
            return process_partial_response(event, record_handler, processor, context)

        cloud.deploy(name.replace(".", "-"), handler)
        functions.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=name.replace(".", "-"), FunctionResponseTypes=["ReportBatchItemFailures"]
        )
        group = {"MessageGroupId": "g"} if fifo else {}
        for n in range(6):
            sqs.send_message(QueueUrl=url, MessageBody=str(n), **group)
        cloud.advance(120)
        say(f"{name}: {' '.join(tries)}")


class InMemory(BasePersistenceLayer):
    """A store for powertools' idempotency; DynamoDB is not simulated."""

    def __init__(self):
        super().__init__()
        self.records = {}

    def _get_record(self, idempotency_key):
        if idempotency_key not in self.records:
            raise IdempotencyItemNotFoundError
        return self.records[idempotency_key]

    def _put_record(self, data_record: DataRecord):
        from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError

        known = self.records.get(data_record.idempotency_key)
        if known is not None and known.expiry_timestamp > datetime.now().timestamp():
            raise IdempotencyItemAlreadyExistsError(old_data_record=known)
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord):
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord):
        self.records.pop(data_record.idempotency_key, None)


def powertools_idempotency(cloud, say):
    """The same payment twice within the hour is done once; after it expires, again."""
    config = IdempotencyConfig(event_key_jmespath="id", expires_after_seconds=3600)
    done = []

    def program():
        @idempotent_function(data_keyword_argument="payment", config=config, persistence_store=InMemory())
        def pay(payment):
            done.append(datetime.now())
            return {"paid": payment["id"]}

        for pause in (0, 60, 3600):
            time.sleep(pause)
            pay(payment={"id": "p1"})

    cloud.spawn(program)
    cloud.advance(2 * 3600)
    say(f"paid {len(done)} times, {done[1] - done[0] >= timedelta(hours=1)}")


def kombu_worker(cloud, say):
    """A Celery-like worker: a consumer mixin with retries that publishes its results, over AMQP; its wire is cut."""
    tasks = Queue("q", Exchange("tasks"), routing_key="tasks")

    class Worker(ConsumerProducerMixin):
        def __init__(self, connection):
            self.connection = connection

        def get_consumers(self, Consumer, channel):
            return [Consumer(queues=[tasks], callbacks=[self.task], accept=["json"], prefetch_count=1)]

        def task(self, body, message):
            time.sleep(0.5)
            say(f"{cloud.now:.1f} {body['task']}({body['n']})")
            message.ack()

        def on_connection_error(self, error, interval):
            say(f"{cloud.now:.1f} {type(error).__name__}, again in {interval:g}")

    def worker():
        with Connection("amqp://guest:guest@broker//", heartbeat=4, connect_timeout=2) as connection:
            Worker(connection).run()

    def producer():
        for n in range(3):
            with Connection("amqp://guest:guest@broker//") as connection:
                connection.Producer(serializer="json").publish({"task": "add", "n": n}, routing_key="tasks")
            time.sleep(8)

    network = cloud.network
    network.spawn("broker", servers.amqp_server)
    cloud.advance(0.1)
    cloud.spawn(worker)
    cloud.advance(1)
    cloud.spawn(producer)
    cloud.kernel.at(3.0, network.partition, "worker", "broker")
    cloud.kernel.at(12.0, network.heal, "worker", "broker")
    cloud.advance(40)


def boto3_pasted(cloud, say):
    """boto3.client, boto3.resource and a session of one's own, as they stand in every tutorial."""

    def program():
        import boto3

        url = boto3.client("sqs").create_queue(QueueName="pasted")["QueueUrl"]
        boto3.resource("sqs").get_queue_by_name(QueueName="pasted").send_message(MessageBody="hello")
        session = boto3.Session(aws_access_key_id="AKIA...", aws_secret_access_key="...", region_name="us-east-1")
        (message,) = session.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        say(f"{message['Body']} from {url}")

    cloud.spawn(program)
    cloud.advance(10)


def dramatiq_over_sqs(cloud, say):
    """dramatiq with its SQS broker: a worker with two threads, a task that fails once and is sent again, a stop."""
    import dramatiq
    from dramatiq.middleware import Retries
    from dramatiq.worker import Worker
    from dramatiq_sqs import SQSBroker

    def program():
        broker, tries = SQSBroker(namespace="lab", middleware=[Retries(min_backoff=2000, max_backoff=2000)]), []

        @dramatiq.actor(broker=broker, queue_name="sums")
        def add(a, b):
            time.sleep(1)
            tries.append(a)
            if a == 2 and tries.count(2) == 1:
                raise RuntimeError("once")
            say(f"{cloud.now:.1f} {a + b}")

        for n in range(5):
            add.send(n, 10)
        worker = Worker(broker, worker_threads=2, worker_timeout=1000)
        worker.start()
        time.sleep(30)
        worker.stop()
        say(f"stopped at {cloud.now:.1f}")

    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)
    cloud.spawn(program)
    cloud.advance(100)


def kombu_over_sqs(cloud, say):
    """kombu's own SQS transport, which makes its queue and polls it."""

    def program():
        options = {"region": "us-east-1", "wait_time_seconds": 5}
        with Connection("sqs://", transport_options=options) as connection:
            tasks = Queue("tasks", channel=connection.default_channel)
            done = lambda body, message: (say(f"{cloud.now:.2f} {body}"), message.ack())  # noqa: E731
            with connection.Consumer(tasks, callbacks=[done], accept=["json"]):
                producer = connection.Producer(serializer="json")
                for n in range(2):
                    producer.publish({"n": n}, routing_key="tasks", declare=[tasks])
                    connection.drain_events(timeout=10)

    cloud.spawn(program)
    cloud.advance(60)


def extended_client(cloud, say):
    """amazon-sqs-extended-client: a body of 300 KB goes through S3, and its receipt handle deletes."""

    def program():
        import boto3
        import sqs_extended_client  # noqa: F401  it puts its own session in the place of boto3's

        boto3.client("s3").create_bucket(Bucket="bodies")
        session = boto3.session.Session()
        sqs = session.client("sqs")
        sqs.large_payload_support = "bodies"
        url = sqs.create_queue(QueueName="large")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="x" * 300_000)
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        say(f"{len(message['Body'])} bytes, left {[left[name] for name in counts]}")

    cloud.spawn(program)
    cloud.advance(60)


PROGRAMS = {
    p.__name__: p
    for p in (
        consumer_with_a_pool,
        heartbeat_thread,
        asyncio_producer,
        logging_with_times,
        powertools_batch,
        powertools_idempotency,
        kombu_worker,
        boto3_pasted,
        dramatiq_over_sqs,
        kombu_over_sqs,
        extended_client,
    )
}


# A message that dramatiq sends again carries a traceback, and in it the paths of the machine: its size is left out.
WITH_PATHS = {"dramatiq_over_sqs"}


def outcome(name, seed=1):
    """A program's run, as a line: digest of its trace and of what it said, and what it said."""
    with Cloud(seed=seed) as cloud:
        said = []
        PROGRAMS[name](cloud, said.append)
        seen = "; ".join(said)
        rows = [(row.time, row.kind, row.resource, row.subject, row.actor, row.cause) for row in cloud.trace]
        trace = rows if name in WITH_PATHS else cloud.trace.digest()
        digest = hashlib.sha256(f"{seen} {trace}".encode()).hexdigest()[:8]
    return f"{name} | {digest} | {seen}"


def main():
    """All runs, and what they asked of the real network: a real socket is forbidden, and so is a look-up of a name."""
    asked = []

    def forbid(event, args):
        if event.startswith("socket."):
            asked.append(event)
            raise PermissionError(f"{event}: a program reached for the real network")

    sys.addaudithook(forbid)
    for name in PROGRAMS:
        print(outcome(name))
    print(f"asked of the real network: {asked}")
    try:
        socket.socket()
    except PermissionError as error:
        print(error)


if __name__ == "__main__":
    main()
