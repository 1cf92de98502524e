"""A broker, and programs that speak to it with unmodified clients."""

import logging
from types import SimpleNamespace

import stomp

logging.getLogger("stomp.py").setLevel(logging.ERROR)
USER = {"Username": "shop", "Password": "correct-horse-battery"}


class Broker:
    """A running broker, and what tests ask of it."""

    def __init__(self, cloud, mode="SINGLE_INSTANCE", **more):
        self.cloud, self.mq = cloud, cloud.client("mq")
        parameters = {
            "BrokerName": "warehouse", "DeploymentMode": mode, "EngineType": "ACTIVEMQ", "PubliclyAccessible": False,
            "HostInstanceType": "mq.m5.large", "Users": [USER],
        }  # fmt: skip
        self.id = self.mq.create_broker(**parameters | more)["BrokerId"]
        cloud.advance(920)
        self.described = self.mq.describe_broker(BrokerId=self.id)
        self.service = cloud.service("mq")
        self.engine = self.service.engines[self.id]
        self.hosts = [
            (i["Endpoints"][2].split("/")[2].partition(":")[0], 61614) for i in self.described["BrokerInstances"]
        ]

    def connection(
        self, version=12, hosts=None, user="shop", password=USER["Password"], listener=None, headers=None, **more
    ):
        """A stomp.py connection that is connected. Call it inside a process."""
        hosts = hosts or self.hosts
        kind = {10: stomp.Connection10, 11: stomp.Connection11, 12: stomp.Connection12}[version]
        made = kind(hosts, **more)
        made.set_ssl(for_hosts=hosts)
        made.set_listener("test", listener or Heard())
        made.connect(user, password, wait=True, headers=headers or {})
        return made

    def depth(self, queue="orders"):
        return self.engine.metrics().get(f"QueueSize/{queue}", 0)


class Heard(stomp.ConnectionListener):
    """Takes down what a connection hears."""

    def __init__(self):
        self.messages, self.errors, self.receipts, self.gone = [], [], [], 0

    def on_message(self, frame):
        self.messages.append(frame)

    def on_error(self, frame):
        self.errors.append(frame.headers["message"])

    def on_receipt(self, frame):
        self.receipts.append(frame.headers["receipt-id"])

    def on_disconnected(self):
        self.gone += 1

    @property
    def bodies(self):
        return [frame.body for frame in self.messages]


def bare(kind):
    """A session of that class over nothing: what it sends is dropped."""
    nothing = lambda *a, **k: None  # noqa: E731
    source = SimpleNamespace(dispatch=nothing)
    serving = SimpleNamespace(
        **dict.fromkeys(("leave", "deliver", "unsubscribe_durably"), nothing),
        **dict.fromkeys(("subscribe_to_topic", "subscribe_to_queue", "subscribe_durably"), lambda *a: source),
        node=SimpleNamespace(name="b", after=nothing),
        broker=SimpleNamespace(emit=nothing, version="5"),
        engine=SimpleNamespace(login_refused=lambda *a: "", selector=lambda text: None),
        born_ms=0, connections=0, now_ms=0, sessions=[], blocked=[], durables={}, retained={},
        is_full=lambda: False, work=lambda: 0.0, send=lambda m, s, done=None: done and done(),
        changes_of=lambda m: [], write=lambda changes, done: done and done(),
    )  # fmt: skip
    does = dict.fromkeys(("send", "close", "abort", "pause", "resume"), nothing)
    return kind(serving, SimpleNamespace(peer="a", port=1, address="", peer_port=0, open=True, waiting=0, **does))
