"""A pair of brokers against a simple model, whatever breaks.

What was persistent and confirmed is never lost; what one producer sends stays in order; a transaction is seen as a
whole or not at all. Producers and consumers are programs over the wire. The model knows what was confirmed to them and
what they acknowledged.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from mq.dialing import Call
from mq.jms import JmsClient

from lablib.cloud import Cloud
from lablib.services.mq.activemq.stomp import Decoder, Frame

QUICK = {
    "mq.create_time": 0, "mq.lock_poll": 1, "mq.recovery_time": 0.3, "mq.lock_lease": 3, "mq.restart_time": 4,
    "mq.replace_time": 6, "mq.start_time": 1, "mq.reboot_time": 10, "mq.efs_write": 0.05,
}  # fmt: skip
USER, PASSWORD, QUEUE = "shop", "correct-horse-battery", "/queue/orders"
IDS = {"BrokerName": "b", "EngineType": "ACTIVEMQ", "HostInstanceType": "mq.m5.large", "PubliclyAccessible": False}


class PairMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cloud = Cloud(seed=4, assume=QUICK)
        mq = self.cloud.direct("mq")
        made = mq.create_broker(
            **IDS, DeploymentMode="ACTIVE_STANDBY_MULTI_AZ", Users=[{"Username": USER, "Password": PASSWORD}]
        )
        self.service, self.id = self.cloud.service("mq"), made["BrokerId"]
        self.engine = self.service.engines[self.id]
        self.cloud.advance(10)
        broker = self.service.brokers[self.id]
        self.hosts = [host.name for host in broker.hosts]
        self.url = f"failover:({','.join(f'ssl://{broker.dns(n)}:61617' for n in (1, 2))})"
        self.confirmed, self.committed, self.begun = [], [], []
        self.done, self.seen = [], []
        self.todo = {"a": [], "b": []}
        self.number, self.cut = 0, []
        for name in self.todo:
            self.cloud.spawn(self.produce, name, name=name)
        self.cloud.advance(1)

    # ---- programs ----------------------------------------------------------------------------------------------------

    def client(self, name):
        return JmsClient(self.cloud.kernel, self.cloud.trace, self.cloud.chance.stream(name), self.url, USER, PASSWORD)

    def produce(self, name):
        client = self.client(name)
        while True:
            while self.todo[name]:
                body = self.todo[name][0]
                client.send(QUEUE, body)
                self.confirmed.append(body)
                self.todo[name].pop(0)
            self.cloud.kernel.sleep(0.05)

    def consume(self, name, forgetful):
        client = self.client(name)
        client.subscribe(QUEUE, prefetch=5)
        while True:
            message = client.receive(None)
            self.seen.append(message.body.decode())
            self.cloud.kernel.sleep(0.1)  # slower than they are sent
            if forgetful and len(self.seen) % 3 == 0:
                continue
            client.acknowledge(message)
            self.done.append(message.body.decode())

    def transact(self, bodies, commits):
        """One transaction over a bare connection; nobody repeats it when it fails."""
        try:
            call, decoder = Call(self.cloud.kernel, self.engine.active.name, 61614), Decoder()
            frames = [Frame("CONNECT", {"login": USER, "passcode": PASSWORD, "accept-version": "1.2"})]
            frames += [Frame("BEGIN", {"transaction": "t"})]
            more = {"destination": QUEUE, "persistent": "true", "transaction": "t"}
            frames += [Frame("SEND", more, body.encode()) for body in bodies]
            frames += [Frame("COMMIT" if commits else "ABORT", {"transaction": "t", "receipt": "end"})]
            for frame in frames:
                call.send(frame.encode("1.2"))
            while data := call.receive(20):
                if any(frame.command == "RECEIPT" for frame in decoder.feed(data)):
                    if commits:
                        self.committed.append(bodies)
                    break
            call.close()
        except (OSError, AttributeError):
            pass  # there was no broker, or it went

    # ---- what happens ------------------------------------------------------------------------------------------------

    def numbers(self, count):
        self.number += count
        return [str(n) for n in range(self.number - count, self.number)]

    @rule(name=st.sampled_from("ab"), count=st.integers(1, 30))
    def send(self, name, count):
        self.todo[name] += [f"{name} {n}" for n in self.numbers(count)]

    @rule(count=st.integers(1, 5), commits=st.booleans(), crash=st.sampled_from([None, 0.004, 0.03, 0.056, 0.07]))
    def transaction(self, count, commits, crash):
        bodies = [f"t {n}" for n in self.numbers(count)]
        self.begun.append((bodies, commits))
        self.cloud.spawn(self.transact, bodies, commits, name="transaction")
        if crash and self.engine.active is not None:
            self.cloud.advance(crash)
            self.broker_goes("crash")

    @rule(seconds=st.sampled_from([0.0031, 0.02, 0.3, 2.0, 8.0]))
    def time_passes(self, seconds):
        self.cloud.advance(seconds)

    @rule(seconds=st.sampled_from([0.5, 2.0]), forgetful=st.booleans())
    def consumer_comes_and_crashes(self, seconds, forgetful):
        process = self.cloud.spawn(self.consume, "consumer", forgetful, name="consumer")
        self.cloud.advance(seconds)
        self.cloud.kill(process)

    @rule(how=st.sampled_from(["crash", "power", "reboot"]))
    def broker_goes(self, how):
        if self.engine.active is None:
            return
        name = self.engine.active.name
        if how == "crash":
            self.cloud.kill(name)
        elif how == "power":
            self.cloud.network.power_off(name)
        elif self.service.brokers[self.id].state == "RUNNING":
            self.cloud.direct("mq").reboot_broker(BrokerId=self.id)

    @rule(who=st.sampled_from(["a", "b", "b-storage"]), host=st.integers(0, 1), seconds=st.sampled_from([0.1, 5.0]))
    def partition(self, who, host, seconds):
        self.cloud.network.partition(who, self.hosts[host])
        self.cloud.advance(seconds)
        self.cloud.network.heal(who, self.hosts[host])

    # ---- what must be ------------------------------------------------------------------------------------------------

    def teardown(self):
        self.cloud.advance(60)
        assert not any(self.todo.values()), "every producer was served in the end"
        self.cloud.spawn(self.consume, "last", False, name="last")
        self.cloud.advance(120)
        there = set(self.done)
        assert set(self.confirmed) <= there, "what was persistent and confirmed is never lost"
        for bodies, commits in self.begun:
            found = [body in there for body in bodies]
            assert all(found) or not any(found), "a transaction is seen as a whole, or not at all"
            assert not any(found) or commits
        for bodies in self.committed:
            assert set(bodies) <= there
        assert there <= {*self.confirmed, *(body for bodies, _ in self.begun for body in bodies)}
        for name in self.todo:
            mine = [int(body[2:]) for body in self.seen if body.startswith(name)]
            first = list(dict.fromkeys(mine))
            assert first == sorted(first), "what one producer sends comes in its order, but for repetitions"
        stored = self.engine.store.queues.get("queue/orders", {})
        assert not stored, "what was acknowledged is not kept"
        self.cloud.close()


PairMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_the_pair_against_its_model = PairMachine.TestCase
