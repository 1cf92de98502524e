"""The exercises of lab 07 about settings: prefetch and acknowledgement, exchanges, a night of maintenance."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.brokers import Broker
from lablib.exercises.case import counted, cut, flag, knobs, one_of
from lablib.exercises.case import number as numbered
from lablib.exercises.learner import as_number
from lablib.exercises.stage import Problem, Stage
from lablib.kernel import Signal

# ---- 07.prefetch -----------------------------------------------------------------------------------------------------

_MODES = ("auto", "client", "client-individual")


class Load(NamedTuple):
    """So many messages of so many seconds of work each, for so many workers."""

    name: str
    seconds: float
    messages: int
    workers: int


_LOADS = (
    Load("labels: 1 s each", 1.0, 24, 3),
    Load("videos: 60 s each", 60.0, 8, 4),
    Load("counters: 0.2 ms each", 0.0002, 600, 1),
    Load("e-mails: 0.1 s each", 0.1, 120, 2),
)
_SLACK = 1.15  # times the least time in which the workers could do it


class Prefetch(Exercise):
    """The acknowledgement mode and the prefetch of four kinds of work."""

    id = "07.prefetch"
    signature = "choose(seconds, workers, may_lose)"
    knobs = knobs(
        load=one_of([load.name for load in _LOADS]),
        crash=flag("a worker crashes in the middle"),
        may_lose=flag("a lost message is no harm"),
        seeds=0,
    )
    also = (
        {"load": 1}, {"load": 2}, {"load": 3}, {"load": 0, "crash": 1}, {"load": 1, "crash": 1},
        {"load": 3, "crash": 1}, {"load": 2, "may_lose": 1},
    )  # fmt: skip
    examples = 8
    events = 20_000

    def play(self, stage: Stage, case: Any) -> None:
        load = _LOADS[case.load]
        chosen = stage.cloud.run(lambda: stage.function(load.seconds, load.workers, bool(case.may_lose)))
        if not isinstance(chosen, tuple | list) or len(chosen) != 2:
            raise Problem(f"Your function returned {cut(chosen)}. Return two values: the mode, and the prefetch.")
        mode, prefetch = chosen
        if mode not in _MODES:
            raise Problem(f"Your function returned the mode {cut(mode, 40)}. ActiveMQ knows {', '.join(_MODES)}.")
        if isinstance(prefetch, bool) or not hasattr(prefetch, "__index__") or not 1 <= prefetch <= 1000:
            raise Problem(
                f"Your function returned the prefetch {cut(prefetch, 40)}. Give a whole number from 1 to 1000."
            )
        self._measure(stage, load, str(mode), int(prefetch), bool(case.crash), bool(case.may_lose))

    def _measure(self, stage: Stage, load: Load, mode: str, prefetch: int, crash: bool, may_lose: bool) -> None:
        broker = Broker(stage)
        broker.fill([f"m{n}" for n in range(load.messages)])
        begun, done = stage.cloud.now, Counter[str]()
        ends: dict[str, float] = {}
        workers = [
            stage.cloud.spawn(self._work, broker, load, mode, prefetch, n, done, ends, name=f"worker-{n + 1}")
            for n in range(load.workers)
        ]
        each = ceil(load.messages / load.workers)
        least = load.seconds * each
        if crash and load.workers > 1:
            stage.run(begun + least / 3, every=max(0.01, least / 30))
            stage.cloud.kill(workers[0])
            stage.trace.add("Crashed", actor="worker-1")
            stage.reach("crash")
            least += load.seconds * ceil(each / (load.workers - 1))
        allowed = least * _SLACK + load.seconds / 2 + 0.15
        stage.run(begun + 3 * allowed + 10, lambda: len(done) >= load.messages, every=max(0.005, allowed / 200))
        lost = load.messages - len(done)
        if lost and not may_lose:
            raise Problem(
                f"{counted(lost, 'message')} of {load.messages} were never worked on: with mode {mode!r} the broker "
                f"forgets a message when it sends it, and worker-1 had {prefetch if prefetch < 1000 else 'up to 1000'} "
                "of them in hand when it crashed."
            )
        took = stage.cloud.now - begun
        if not lost and took > allowed:
            idle = min(ends.get(f"worker-{n + 1}", begun) for n in range(load.workers))
            raise Problem(
                f"{counted(load.messages, 'message')} of {load.seconds:g} s of work each took "
                f"{counted(load.workers, 'worker')} "
                f"{took:.3g} s; {least:.3g} s is the least. "
                + (
                    "With auto the broker takes every message for acknowledged as soon as it is sent, so a prefetch "
                    f"holds nothing back: another worker had nothing to do from {idle - begun:.3g} s on. Take another "
                    "mode."
                    if mode == "auto" and load.workers > 1
                    else f"With a prefetch of {prefetch} whoever came first had most of them: another worker had "
                    f"nothing to do from {idle - begun:.3g} s on. For long work take a small one."
                    if load.seconds > 0.01
                    else f"With a prefetch of {prefetch} a worker waits for the network after nearly every message, "
                    "and that takes longer than the work. For short work take a larger one."
                )
            )

    def _work(self, broker: Broker, load: Load, mode: str, prefetch: int, n: int, done: Any, ends: Any) -> None:
        import stomp

        kernel, frames = broker.cloud.kernel, deque[Any]()
        arrived = Signal(kernel)

        class Inbox(stomp.ConnectionListener):
            def on_message(self, frame: Any) -> None:
                frames.append(frame)
                arrived.fire()

        kernel.sleep(0.01 * n)
        connection = broker.connect(Inbox())
        connection.subscribe("/queue/orders", id="1", ack=mode, headers={"activemq.prefetchSize": str(prefetch)})
        while True:
            if not frames:
                kernel.wait(arrived)
                continue
            frame = frames.popleft()
            kernel.sleep(load.seconds)
            done[frame.body] += 1
            ends[f"worker-{n + 1}"] = kernel.now
            if mode != "auto":
                connection.ack(frame.headers["ack"])


# ---- 07.routes -------------------------------------------------------------------------------------------------------

_LATER = 60.0  # seconds until somebody takes the messages
_QUEUES = ("korea", "payments", "urgent", "rest")


def _wanted(key: str) -> set[str]:
    words = key.split(".")
    found = set()
    if words[0] == "kr":
        found.add("korea")
    if len(words) > 1 and words[1] == "payment":
        found.add("payments")
    if words[-1] == "high":
        found.add("urgent")
    return found or {"rest"}


_KEYS = (
    "kr.order.low", "de.payment.low", "us.order.high", "us.order.low", "kr.payment.high", "kr.order.low.test",
    "de.payment.high.retry", "krx.order.low", "de.order.payment", "us.payments.low", "high", "kr", "de.highest.low",
    "us.order.low.high", "payment.kr.low",
)  # fmt: skip


class Routes(Exercise):
    """An exchange that sends each message where it is wanted."""

    id = "07.routes"
    signature = "wire(channel)"
    knobs = knobs(
        keys=numbered("routing key", 3, len(_KEYS)),
        again=flag("it runs twice"),
        restart=flag("the broker restarts"),
        left=flag("a consumer came and went"),
        seeds=0,
    )
    harmless = {"keys": 4}
    also = ({"keys": len(_KEYS)}, {"keys": 4, "restart": 1}, {"keys": 4, "again": 1}, {"keys": 4, "left": 1})
    examples = 12

    def play(self, stage: Stage, case: Any) -> None:
        broker = Broker(stage, "SINGLE_INSTANCE", "RABBITMQ")
        before: set[str] = set()
        for _ in range(1 + case.again):
            stage.cloud.run(lambda: self._wire(stage, broker, before), name="app")
        if case.restart:
            broker.reboot()
            stage.run(stage.cloud.now + 400)
        if case.left:
            stage.cloud.run(self._come_and_go, broker, name="early packers")
        keys = _KEYS[: case.keys]
        problem = stage.cloud.run(self._publish, broker, keys, name="shop")
        stage.run(stage.cloud.now + _LATER)
        found = {} if problem else stage.cloud.run(self._collect, broker, name="packers")
        missing = [name for name in _QUEUES if name not in broker.engine.vhost.queues]
        if "orders" not in broker.engine.vhost.exchanges or missing:
            what = f"queue {missing[0]!r}" if missing else "exchange 'orders'"
            raise Problem(f"There is no {what}. {_why_gone(missing[0] if missing else '', before, case)}")
        if problem:
            raise Problem(problem)
        for queue in _QUEUES:
            for key in keys:
                count, wanted = found[queue][key], queue in _wanted(key)
                if count != wanted:
                    what = "did not get" if not count else "got" if not wanted else f"got {count} times"
                    raise Problem(
                        f"Queue {queue!r} {what} a message with the routing key {key!r}. {_why(broker, queue)}"
                    )
        stage.reach("keys", case.keys)

    def _wire(self, stage: Stage, broker: Broker, before: set[str]) -> None:
        stage.function(_channel(broker))
        before |= {*broker.engine.vhost.queues, *broker.engine.vhost.exchanges}

    def _publish(self, broker: Broker, keys: tuple[str, ...]) -> str:
        import pika

        channel = _channel(broker)
        try:
            for key in keys:
                channel.basic_publish("orders", key, key.encode(), pika.BasicProperties(delivery_mode=2))
            broker.cloud.kernel.sleep(0.1)
            channel.connection.close()
        except pika.exceptions.AMQPError as error:
            return f"The broker says {getattr(error, 'reply_text', error)!s:.100}."
        return ""

    def _come_and_go(self, broker: Broker) -> None:
        """A consumer of each queue that is there, and soon none."""
        channel = _channel(broker)
        for queue in [name for name in _QUEUES if name in broker.engine.vhost.queues]:
            channel.basic_cancel(channel.basic_consume(queue, lambda *_: None))
        channel.connection.close()

    def _collect(self, broker: Broker) -> dict[str, Counter[str]]:
        """What is in each queue."""
        channel, found = _channel(broker), {}
        for queue in _QUEUES:
            found[queue] = Counter[str]()
            if queue in broker.engine.vhost.queues:
                while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
                    found[queue][got[2].decode()] += 1
        channel.connection.close()
        return found


def _why_gone(queue: str, before: set[str], case: Any) -> str:
    if (queue or "orders") not in before:
        return "Declare it."
    if case.left and not case.restart:
        return "A consumer came and went, and what is auto_delete goes with its last consumer: leave that out."
    if case.restart:
        return "It was there before the broker restarted: only what is durable is there again."
    return "It went with your connection: it must not be exclusive, if it is to stay."


def _why(broker: Broker, queue: str) -> str:
    """What the queue is bound to, and what that means."""
    exchanges = broker.engine.vhost.exchanges
    orders, limits = exchanges["orders"], broker.engine.vhost.queues[queue].settings.arguments
    bindings = [
        (exchange.name, binding.routing_key)
        for exchange in exchanges.values()
        if exchange.name
        for binding in exchange.bindings
        if binding.destination == queue and binding.kind == "queue"
    ]
    if odd := sorted(set(limits) & {"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-expires"}):
        return f"It was declared with {odd[0]}={limits[odd[0]]}, so it does not keep all that it gets for {_LATER:g} s."
    if orders.type != "topic":
        kinds = {"direct": "wants the whole key to be equal", "fanout": "does not look at the key"}
        return f"The exchange is of the type {orders.type}: it {kinds.get(orders.type, 'looks at headers only')}."
    if queue == "rest":
        if not orders.alternate:
            return (
                "It cannot be bound to what nobody else gets: a pattern sees only its own key. Give the exchange an "
                "alternate exchange, and bind the queue to that."
            )
        if orders.alternate not in exchanges:
            return (
                f"The alternate exchange {orders.alternate!r} is not there. Declare it with durable=True: one that is "
                "not durable goes when the broker restarts, with all that is bound to it."
            )
        direct = " and ".join(repr(key) for name, key in bindings if name == "orders")
        if direct and orders.alternate in dict(bindings):
            return (
                f"It is bound to 'orders' with {direct}, and gets what others get as well. Take that binding away: "
                "what nobody else gets comes from the alternate exchange."
            )
        kind = exchanges[orders.alternate].type
        at = ", ".join(f"{name!r} with {key!r}" for name, key in bindings) or "nothing"
        return (
            f"It is bound to {at}; the alternate exchange {orders.alternate!r} is a {kind}. Make that a fanout of "
            "its own, and bind only this queue to it."
        )
    keys = " and ".join(repr(key) for name, key in bindings if name == "orders")
    if not keys:
        return "Nothing binds it to the exchange 'orders'."
    return f"It is bound with {keys}: * stands for exactly one word, # for any number of them, also none."


def _channel(broker: Broker) -> Any:
    """A channel of pika to the broker."""
    import ssl

    import pika

    name = broker.broker.dns()
    parameters = pika.ConnectionParameters(
        name, 5671, credentials=pika.PlainCredentials("shop", "warehouse-42"),
        ssl_options=pika.SSLOptions(ssl.create_default_context(), name), heartbeat=0,
    )  # fmt: skip
    return pika.BlockingConnection(parameters).channel()


# ---- 07.night --------------------------------------------------------------------------------------------------------

_DARK = 5.0  # seconds a client may be without a connection while a broker serves
_BEAT = 0.1  # seconds: the shortest heart-beat
_ROOM = 0.5  # seconds: of a wait as long as that, chance decides enough to be no herd, even with bad luck
_TRIES = 6  # tries to connect, and one more for each second of darkness
_ACCIDENTS = ("a reboot in the maintenance window", "a crash of the active broker", "a power cut of its machine")
_TRIED = Event("Tried", "{actor} tries to connect")


class Night(Exercise):
    """Settings with which clients survive a night of maintenance."""

    id = "07.night"
    signature = "settings(hosts)"
    knobs = knobs(accident=one_of(_ACCIDENTS), clients=numbered("client", 1, 8), seeds=3)
    harmless = {"clients": 2}
    also = ({"clients": 2, "accident": 1}, {"clients": 2, "accident": 2}, {"clients": 8, "accident": 1})
    examples = 4
    events = 20_000

    def play(self, stage: Stage, case: Any) -> None:
        stage.trace.declare((_TRIED,))
        broker = Broker(stage)
        chosen = _checked(stage, broker)
        up: dict[str, list[float]] = {}
        for n in range(case.clients):
            name = f"client-{n + 1}"
            stage.cloud.spawn(self._client, stage, broker, chosen, up.setdefault(name, []), name=name)
        stage.run(stage.cloud.now + 30)
        begun = stage.cloud.now
        if unknown := [name for name, times in up.items() if not times]:
            raise Problem(
                f"{unknown[0]} had no connection in the evening, when the first broker served: it does not know its "
                "name."
            )
        (broker.reboot, broker.crash, broker.power_off)[case.accident]()

        def all_are_back() -> bool:
            serving = _serving(stage, begun)
            return bool(serving) and all(times[-1] >= serving for times in up.values())

        stage.run(begun + 90, all_are_back)
        serving = _serving(stage, begun)
        assert serving, "the standby takes over"
        stage.reach("dark", serving - begun)
        back = {name: next((t for t in times if t >= serving - 0.01), None) for name, times in up.items()}
        for name, time in back.items():
            if time is None:
                raise Problem(
                    f"{name} was not connected {stage.cloud.now - serving:.0f} s after the standby had begun to serve. "
                    + (
                        "It does not know the standby's name."
                        if len(chosen["hosts"]) < 2
                        else "Its connection looked alive: nobody had told it, and without heart-beats nobody does."
                        if not chosen["heartbeat"]
                        else "Its connection looked alive: that a heart-beat is missing shows after one and a half of "
                        f"them, {1.5 * chosen['heartbeat']:g} s. Send heart-beats more often."
                    )
                )
            took = ceil(100 * (time - serving)) / 100  # 5.001 s are more than 5 s, and are written so
            if took > _DARK:
                raise Problem(
                    f"{name} was connected {took:g} s after the standby had begun to serve, and "
                    f"{_DARK:g} s are allowed. {_why_late(stage, name, chosen, begun, serving)}"
                )
        tries = Counter(row.actor for row in stage.trace.where("Tried") if row.time > begun)
        allowed = _TRIES + int(serving - begun)
        if tries and max(tries.values()) > allowed:
            raise Problem(
                f"A client tried to connect {max(tries.values())} times in {serving - begun:.0f} s; {allowed} are "
                "allowed. A broker that comes back must not be kept busy by those who wait for it: make first longer, "
                "and longest a second or more."
            )
        late = [row for row in stage.trace.where("Tried") if row.time > begun and row.time >= serving]
        first = len(late) == tries.total() == len(tries)  # nobody had to wait and try again
        times = sorted(time for time in back.values() if time is not None)
        most = max((sum(t <= u < t + 0.1 for u in times) for t in times), default=0)
        last = min(chosen["longest"], chosen["first"] * 2 ** (max(tries.values(), default=1) - 2))  # the last wait
        lucky = chosen["jitter"] and not first and last >= _ROOM
        if case.clients >= 6 and most > case.clients / 2 and not lucky:
            raise Problem(
                f"{most} of {case.clients} clients connected within a tenth of a second: a herd. They had lost their "
                "connections at the same instant, "
                + (
                    f"and noticed it at the same instant, {late[0].time - begun:.1f} s later, when the standby served "
                    "already: nobody had to wait. Send heart-beats more often, so that they notice before."
                    if first
                    else "and all waited equally long. Let chance decide a part of each wait."
                    if not chosen["jitter"]
                    else f"and their last wait was {last:.2g} s at most: chance decides half of it, and that is too "
                    "little. Make first longer."
                )
            )

    def _client(self, stage: Stage, broker: Broker, chosen: Mapping[str, Any], up: list[float]) -> None:
        import stomp

        kernel, chance = stage.cloud.kernel, stage.cloud.chance.stream(f"waits of {stage.caller}")
        beat = int(1000 * chosen["heartbeat"])

        class Watch(stomp.ConnectionListener):
            gone = False

            def on_disconnected(self) -> None:
                self.gone = True

            def on_heartbeat_timeout(self) -> None:
                self.gone = True

        while True:
            wait = chosen["first"]
            while True:
                watch = Watch()
                connection = stomp.Connection12(
                    chosen["hosts"], reconnect_attempts_max=len(chosen["hosts"]), timeout=2, heartbeats=(beat, beat)
                )
                connection.set_ssl(for_hosts=chosen["hosts"])
                connection.set_listener("", watch)
                stage.trace.add("Tried", actor=stage.caller)
                try:
                    connection.connect("shop", "warehouse-42", wait=True)
                    break
                except (stomp.exception.StompException, OSError):
                    kernel.sleep(wait * (chance.uniform(0.5, 1.0) if chosen["jitter"] else 1.0))
                    wait = min(2 * wait, chosen["longest"])
            up.append(kernel.now)
            while not watch.gone:
                kernel.sleep(0.25)


def _why_late(stage: Stage, name: str, chosen: Mapping[str, Any], begun: float, serving: float) -> str:
    tries = [row.time for row in stage.trace.where("Tried", actor=name) if row.time > begun]
    if tries and tries[0] > serving:
        return (
            f"It noticed only {tries[0] - begun:.0f} s after its connection had ended. Send heart-beats more often: a "
            "connection is taken for dead when one and a half have not come."
        )
    return f"It waited up to {chosen['longest']:g} s between two tries: make the longest wait shorter."


def _serving(stage: Stage, begun: float) -> float:
    """When another node began to serve after that; 0 when none has."""
    return next((row.time for row in stage.trace.where("NodeServing") if row.time > begun), 0.0)


def _checked(stage: Stage, broker: Broker) -> dict[str, Any]:
    """What the function returned. Raises Problem."""
    chosen = stage.cloud.run(lambda: stage.function([name for name, _ in broker.hosts]))
    names = ("hosts", "first", "longest", "jitter", "heartbeat")
    if isinstance(chosen, dict) and (odd := [name for name in names if name not in chosen] or [*chosen.keys() - names]):
        what = "lacks" if odd[0] in names else "has a surplus"
        raise Problem(f"Your dict {what} {cut(odd[0])}. Return a dict with {', '.join(names)}.")
    if not isinstance(chosen, dict):
        raise Problem(f"Your function returned {cut(chosen, 80)}. Return a dict with {', '.join(names)}.")
    hosts = chosen["hosts"]
    known = [name for name, _ in broker.hosts]
    if not isinstance(hosts, list | tuple) or not hosts or any(host not in known for host in hosts):
        raise Problem(f"hosts={cut(hosts, 80)}: give a list of names out of those that you were given.")
    for name in ("first", "longest", "heartbeat"):
        value = as_number(chosen[name])
        low = 0 if name == "heartbeat" else 0.01
        if value is None or not low <= value <= 600:
            raise Problem(f"{name}={cut(chosen[name], 40)}: give a number of seconds from {low:g} to 600.")
        chosen = {**chosen, name: value}
    if 0 < chosen["heartbeat"] < _BEAT:
        raise Problem(
            f"heartbeat={cut(chosen['heartbeat'], 40)}: give 0, or {_BEAT:g} s or more; a network takes its time."
        )
    if chosen["first"] > chosen["longest"]:
        raise Problem(f"first={chosen['first']!r} is longer than longest={chosen['longest']!r}. Waits become longer.")
    if not isinstance(chosen["jitter"], bool):
        raise Problem(f"jitter={cut(chosen['jitter'], 40)}: give True or False.")
    return {**chosen, "hosts": [(host, port) for host, port in broker.hosts if host in hosts]}


EXERCISES = (Prefetch(), Routes(), Night())
