"""A RabbitMQ broker that runs, and programs that speak to it, for the tests."""

import ssl

import pika

from lablib import Cloud

CONTEXT = ssl.create_default_context()  # one for all: it reads real files
USER, PASSWORD = "worker", "a long password"


class Stage:
    """A cloud with a broker. `run(fn, *args)` runs a function in a program and returns its result."""

    def __init__(self, nodes=1, version=None, seed=0, limits="today", assume=None):
        self.cloud = Cloud(seed, limits=limits, assume=assume)
        mq = self.cloud.client("mq")
        made = mq.create_broker(
            BrokerName="shop", EngineType="RABBITMQ", HostInstanceType="mq.m7g.large", PubliclyAccessible=False,
            DeploymentMode="CLUSTER_MULTI_AZ" if nodes == 3 else "SINGLE_INSTANCE",
            Users=[{"Username": USER, "Password": PASSWORD}], **({"EngineVersion": version} if version else {}),
        )  # fmt: skip
        self.id = made["BrokerId"]
        self.cloud.advance(self.cloud.quotas["mq.create_time"] + 1)
        self.engine = self.cloud.service("mq").engines[self.id]
        self.endpoint = mq.describe_broker(BrokerId=self.id)["BrokerInstances"][0]["Endpoints"][0]
        self.host = self.endpoint.removeprefix("amqps://").split(":")[0]
        self.mq = mq

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cloud.close()

    def spawn(self, name, fn, *args):
        return self.cloud.spawn(fn, *args, name=name)

    def run(self, fn, *args, name="client", seconds=60):
        process = self.spawn(name, fn, *args)
        self.cloud.advance(seconds)
        assert not process.alive, f"{name} waits still after {seconds} s"
        return process.result

    def parameters(self, host=None, user=USER, password=PASSWORD, vhost="/", **more):
        return pika.ConnectionParameters(
            host or self.host, 5671, vhost, pika.PlainCredentials(user, password),
            ssl_options=pika.SSLOptions(CONTEXT, host or self.host), **more,
        )  # fmt: skip

    def connect(self, number=None, **more):
        """A blocking connection, to the load balancer or to one node; within a program."""
        host = self.engine.broker.dns(number) if number else None
        return pika.BlockingConnection(self.parameters(host, **more))

    def crash(self, number):
        """The program on that node is killed; the host stays."""
        self.cloud.kernel.kill(self.engine.nodes[number].process)

    def kinds(self, *kinds):
        return [(row.kind, row.resource, row.subject, row.actor) for row in self.cloud.trace.where(kinds)]


def taken(channel, queue, *, ack=True):
    """All messages of a queue, by basic.get: [(body, redelivered)]."""
    found = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=ack)
        if method is None:
            return found
        found.append((body.decode(), method.redelivered))
