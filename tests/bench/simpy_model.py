"""The yardstick: the same queue as a SimPy model, in SimPy's idiom.

The same physics as the lab's standard queue: servers with copies, a long poll that asks the servers in random order,
visibility timeout and retention, receipt handles, digests, a request and an answer that travel, a row for each call and
each transition. SimPy's idiom is that an entity is a process which waits for what comes first: a message waits to be
received or to expire, then to be deleted, to be shown again, or to expire. What a life does not touch (delay, dead
letters, outages, errors, limits, batches, approximate counters) is left out, in SimPy's favour.
"""

import random
import uuid
from collections import deque
from hashlib import md5

import simpy


class Queue:
    def __init__(self, env, servers=8, copies=2, visibility=30.0, retention=345600.0, seed=1):
        self.env = env
        self.servers = [deque() for _ in range(servers)]
        self.copies = copies
        self.visibility = visibility
        self.retention = retention
        self.random = random.Random(seed)
        self.messages = {}
        self.visible = 0
        self.arrival = env.event()
        self.trace = []

    def travel(self):
        return self.env.timeout(self.random.lognormvariate(-5.8, 0.3))

    def open(self, operation):
        self.trace.append([self.env.now, operation, "orders", "you", -1, None, None])
        return len(self.trace) - 1

    def note(self, kind, message, cause, detail=None, until=0.0):
        self.trace.append((self.env.now, kind, "orders", message["id"], cause, detail, until))

    def complete(self, row, count):
        self.trace[row][5:] = count, self.env.now

    def send(self, body):
        row = self.open("SendMessage")
        yield self.travel()
        id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        holders = self.random.sample(self.servers, self.copies)
        message = {"id": id, "body": body, "receives": 0, "hidden": False, "sent": self.env.now, "holders": holders}
        message["received"], message["deleted"] = self.env.event(), self.env.event()
        self.messages[id] = message
        self.note("Sent", message, row, len(body))
        self.env.process(self.live(message))
        yield self.travel()
        self.complete(row, 1)
        return {"MessageId": id, "MD5OfMessageBody": md5(body.encode()).hexdigest()}

    def show(self, message):
        message["hidden"] = False
        self.visible += 1
        for server in message["holders"]:
            server.append((message, message["receives"]))
        if not self.arrival.triggered:
            self.arrival.succeed()

    def take(self, most, row):
        answer = []
        for server in self.random.sample(self.servers, len(self.servers)):
            while server and self.visible and len(answer) < most:
                message, receives = server.popleft()
                if message["hidden"] or message["receives"] != receives or message["id"] not in self.messages:
                    continue
                message["hidden"] = True
                message["receives"] += 1
                self.visible -= 1
                self.note("Received", message, row, message["receives"], self.env.now + self.visibility)
                message["received"].succeed()
                answer.append({"MessageId": message["id"], "Body": message["body"],
                               "MD5OfBody": md5(message["body"].encode()).hexdigest(),
                               "ReceiptHandle": f"{message['id']}#{message['receives']}"})  # fmt: skip
        return answer

    def receive(self, most, wait):
        row = self.open("ReceiveMessage")
        yield self.travel()
        answer = self.take(most, row)
        if not answer and wait:
            self.arrival = self.env.event()
            yield self.arrival | self.env.timeout(wait)
            answer = self.take(most, row)
        yield self.travel()
        self.complete(row, len(answer))
        return answer

    def live(self, message):
        """A message: visible until it is received, hidden until it is deleted or its timeout ends, gone when it
        expires."""
        expired = self.env.timeout(self.retention)
        while True:
            self.show(message)
            yield message["received"] | expired
            if not expired.processed:
                hidden = self.env.timeout(self.visibility)
                yield message["deleted"] | hidden | expired
            if message["deleted"].processed:
                return
            if expired.processed:
                self.note("Expired", message, -1)
                del self.messages[message["id"]]
                return
            self.note("BecameVisible", message, -1)
            message["received"] = self.env.event()

    def delete(self, handle):
        row = self.open("DeleteMessage")
        yield self.travel()
        id, _, receives = handle.partition("#")
        message = self.messages.get(id)
        if message and message["receives"] == int(receives):
            del self.messages[id]
            message["deleted"].succeed()
            self.note("Deleted", message, row)
        yield self.travel()
        self.complete(row, 1)


def crowd(n, pairs=4):
    """`pairs` producers send `n` messages, and as many consumers receive and delete them at the same time."""
    env = simpy.Environment()
    queue, left = Queue(env), [n]
    over = env.event()

    def producer():
        for _ in range(n // pairs):
            yield from queue.send("hello")

    def consumer():
        while left[0]:
            for message in (yield from queue.receive(10, 20)):
                yield from queue.delete(message["ReceiptHandle"])
                left[0] -= 1
        if not over.triggered:
            over.succeed()

    for _ in range(pairs):
        env.process(producer())
        env.process(consumer())
    env.run(until=over)
    return queue


def lives(n):
    """Send, receive and delete `n` messages, one after the other."""
    env = simpy.Environment()
    queue = Queue(env)

    def program():
        for _ in range(n):
            yield from queue.send("hello")
            for message in (yield from queue.receive(10, 20)):
                yield from queue.delete(message["ReceiptHandle"])

    env.run(until=env.process(program()))
    return queue
