"""The yardstick: one queue with visibility timers and tracing, as somebody who knows SimPy would write it.

It does what a message's life needs and no more: request and answer each travel, a received message is hidden until its timer
ends, every call and every transition leaves a row. One server, no copies, no receipt handles, no validation.
"""

import random
from collections import deque

import simpy


class Queue:
    def __init__(self, env, visibility=30.0, seed=1):
        self.env = env
        self.visibility = visibility
        self.random = random.Random(seed)
        self.visible = deque()
        self.in_flight = {}
        self.arrival = env.event()
        self.trace = []
        self.count = 0

    def travel(self):
        return self.env.timeout(self.random.lognormvariate(-5.8, 0.3))

    def send(self, body):
        row = len(self.trace)
        self.trace.append([self.env.now, "SendMessage", "orders", "you", None])
        yield self.travel()
        self.count += 1
        message = {"id": f"m{self.count}", "body": body, "receives": 0}
        self.trace.append((self.env.now, "Sent", "orders", message["id"], row))
        self.show(message)
        yield self.travel()
        self.trace[row][-1] = self.env.now

    def show(self, message):
        self.visible.append(message)
        if not self.arrival.triggered:
            self.arrival.succeed()

    def receive(self, wait):
        row = len(self.trace)
        self.trace.append([self.env.now, "ReceiveMessage", "orders", "you", None])
        yield self.travel()
        if not self.visible and wait:
            self.arrival = self.env.event()
            yield self.arrival | self.env.timeout(wait)
        messages = []
        while self.visible and len(messages) < 10:
            message = self.visible.popleft()
            message["receives"] += 1
            self.in_flight[message["id"]] = message
            self.trace.append((self.env.now, "Received", "orders", message["id"], row))
            self.env.process(self.hide(message, message["receives"]))
            messages.append(message)
        yield self.travel()
        self.trace[row][-1] = self.env.now
        return messages

    def hide(self, message, receives):
        yield self.env.timeout(self.visibility)
        if message["id"] in self.in_flight and message["receives"] == receives:
            del self.in_flight[message["id"]]
            self.trace.append((self.env.now, "BecameVisible", "orders", message["id"], -1))
            self.show(message)

    def delete(self, message):
        row = len(self.trace)
        self.trace.append([self.env.now, "DeleteMessage", "orders", "you", None])
        yield self.travel()
        if self.in_flight.pop(message["id"], None):
            self.trace.append((self.env.now, "Deleted", "orders", message["id"], row))
        yield self.travel()
        self.trace[row][-1] = self.env.now


def lives(n):
    """Send, receive and delete `n` messages, one after the other."""
    env = simpy.Environment()
    queue = Queue(env)

    def program():
        for _ in range(n):
            yield from queue.send("hello")
            for message in (yield from queue.receive(20)):
                yield from queue.delete(message)

    env.run(until=env.process(program()))
    return queue
