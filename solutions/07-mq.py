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
# # Lab 07: Amazon MQ, real clients and failover
#
# First do lab 01. Lab 04 (topics) helps.
#
# After this lab you can
#
# - say what it costs to move a program that speaks STOMP to *Amazon MQ*, and what to move it to SQS;
# - say what a *broker* (브로커) keeps through a restart, and what it forgets;
# - say what happens in a *failover* (페일오버, 장애 조치): who is without a broker, and for how long;
# - write a producer that loses nothing, and a consumer that does nothing twice;
# - choose between Amazon MQ, SQS and SNS by what was measured.
#
# {minutes}

# %%
import logging
import ssl
import threading
import time
from contextlib import suppress

import pika
import stomp

from lablib import Cloud, exercise, limits, workbench
from lablib.scenarios.actions import Action
from lablib.scenarios.lab07 import (
    Cluster,
    Warehouse,
    dark,
    failed_over,
    lost,
    ready_broker,
    twice,
)
from lablib.workbench import predict

for noisy in ("stomp.py", "pika"):  # they write each broken connection into the log
    logging.getLogger(noisy).setLevel(logging.CRITICAL)

# %% [markdown]
# ## 1. An existing program
#
# A warehouse has a program that is years old. It speaks *STOMP* (스톰프), an open protocol in which frames are lines of
# text. It uses the library stomp.py, and it runs here as it is: `import stomp` is the real library.


# %%
def order_program(hosts, tls=True):
    """The old program: it sends orders, receives them, and acknowledges each."""
    done = []

    class Packer(stomp.ConnectionListener):
        def on_message(self, frame):
            done.append(frame.body)
            connection.ack(frame.headers["ack"])

    connection = stomp.Connection12(hosts)
    if tls:
        connection.set_ssl(for_hosts=hosts)
    connection.set_listener("packer", Packer())
    connection.connect("shop", "warehouse-42", wait=True)
    connection.subscribe("/queue/orders", id="1", ack="client-individual")
    for order in ("tea", "rice", "soap"):
        connection.send("/queue/orders", order)
    time.sleep(1)
    connection.disconnect()
    return done


# %% [markdown]
# Make a broker on Amazon MQ. It takes about a quarter of an hour, in virtual time.

# %%
cloud = Cloud(seed=1)
mq = cloud.client("mq")
made = mq.create_broker(
    BrokerName="warehouse",
    EngineType="ACTIVEMQ",
    DeploymentMode="SINGLE_INSTANCE",
    HostInstanceType="mq.m5.large",
    PubliclyAccessible=False,
    Users=[{"Username": "shop", "Password": "warehouse-42"}],
)
while True:
    about = mq.describe_broker(BrokerId=made["BrokerId"])
    if about["BrokerState"] == "RUNNING":
        break
    cloud.advance(60)
print(f"running after {cloud.now / 60:.0f} minutes")
for endpoint in about["BrokerInstances"][0]["Endpoints"]:
    print(endpoint)

# %% [markdown]
# Each endpoint is a protocol. At home the program was called like this:
# `order_program([("broker.warehouse", 61613)], tls=False)`.

# %%
predict("07.lines")

# %%
host = about["BrokerInstances"][0]["Endpoints"][2].split("/")[2].split(":")[0]
print(cloud.run(order_program, [(host, 61614)]))

# %% [markdown]
# **What to notice.** One line: where it connects to. The rest of the program does not know that its broker is at AWS
# now. To move it to SQS you rewrite the listener as a loop, the acknowledgement as a delete, and the subscription as a
# poll (exercise 6).
#
# | who speaks what | STOMP | MQTT | AMQP 1.0 | AMQP 0-9-1 | OpenWire (JMS) | HTTPS (boto3) |
# | --- | --- | --- | --- | --- | --- | --- |
# | Amazon MQ, ActiveMQ | yes | yes | yes | no | yes | no |
# | Amazon MQ, RabbitMQ | no | no | from version 4 | yes | no | no |
# | SQS, SNS | no | no | no | no | no | yes |
#
# (The lab simulates STOMP, MQTT and AMQP 0-9-1. The other ports are there, and say so.)
#
# ## 2. Queues and topics in one broker
#
# In AWS a queue is SQS and a topic is SNS. A broker has both, and makes each when it is first used.

# %%
predict("07.late")


# %%
def subscriber(hosts, heard, name=None):
    """A connection that hears what is published. `name`: it subscribes durably."""

    class Ear(stomp.ConnectionListener):
        def on_message(self, frame):
            heard.append(frame.body)

    connection = stomp.Connection12(hosts)
    connection.set_ssl(for_hosts=hosts)
    connection.set_listener("", Ear())
    client = {"client-id": name} if name else {}
    connection.connect("shop", "warehouse-42", wait=True, headers=client)
    durable = {"activemq.subscriptionName": name} if name else {}
    connection.subscribe("/topic/news", id="1", headers=durable)
    time.sleep(0.5)
    return connection


# %%
def news(hosts):
    found = {"ordinary": [], "durable": []}
    for kind, heard in found.items():
        name = "log" if kind == "durable" else None
        publisher = subscriber(hosts, [])
        for part in ("before", "while it is away", "after"):
            if part != "while it is away":
                connection = subscriber(hosts, heard, name)
            publisher.send("/topic/news", part, headers={"persistent": "true"})
            time.sleep(0.5)
            if part != "while it is away":
                connection.disconnect()
    return found


# %%
cloud = Cloud(seed=2)
for kind, heard in cloud.run(news, ready_broker(cloud)).items():
    print(f"{kind:9}", heard)

# %% [markdown]
# **What to notice.** An ordinary subscriber is like a browser tab: what it does not hear is gone. A *durable
# subscription* (지속 구독) has a name, and the broker keeps messages for it. SNS has no such thing: you put a queue
# behind the topic (lab 04).
#
# | | one broker | SQS and SNS |
# | --- | --- | --- |
# | a queue is made | when it is first used | with CreateQueue |
# | who receives | the broker pushes | you poll |
# | several receivers of one message | a topic | SNS, a queue for each |
# | choose by content | a selector of the consumer | a filter policy of the subscription |
# | transactions over several messages | yes | no |
# | hidden for a while, and then again | no: until the connection ends | visibility timeout |
# | how much | what one machine can | no limit that you will reach |
#
# ## 3. What one broker forgets
#
# Ten orders are sent without a header, and ten with `persistent:true`. Nobody receives. Then the broker is rebooted.

# %%
predict("07.restart")


# %%
def shop(hosts, headers, count=10):
    connection = subscriber(hosts, [])
    for n in range(count):
        connection.send("/queue/orders", f"order {n}", headers=headers)
    time.sleep(1)


# %%
cloud = Cloud(seed=3)
hosts = ready_broker(cloud)
cloud.run(shop, hosts, {})
cloud.run(shop, hosts, {"persistent": "true"})
mq = cloud.client("mq")
(broker,) = mq.list_brokers()["BrokerSummaries"]
mq.reboot_broker(BrokerId=broker["BrokerId"])
cloud.advance(600)
recovered = cloud.trace.where("Recovered")
forgotten = cloud.trace.where("MemoryLost")
print(f"{len(recovered)} are there, {len(forgotten)} are gone")

# %% [markdown]
# **What to notice.** *Persistent* (지속) is a wish of the sender, for each message. In JMS it is the default, in STOMP
# it is not. SQS has no such choice: what it accepted is on several disks.
#
# A consumer says how it acknowledges, when it subscribes:
#
# | `ack` | the broker forgets a message | a crash of the consumer loses |
# | --- | --- | --- |
# | `auto` (the default) | when it has sent it | all that it had in hand |
# | `client` | with all before it, when one is acknowledged | nothing |
# | `client-individual` | when it is acknowledged | nothing |
#
# How many may a consumer have in hand? That is its **prefetch** (프리페치).

# %%
predict("07.first")


# %%
def packers(hosts, prefetch):
    """How many orders each of three packers has in hand. Nobody acknowledges."""
    shop(hosts, {"persistent": "true"}, 60)
    hands = [[], [], []]
    size = {"activemq.prefetchSize": str(prefetch)}
    kept = []
    for hand in hands:
        connection = subscriber(hosts, hand)
        connection.subscribe("/queue/orders", id="2", ack="client", headers=size)
        kept.append(connection)
        time.sleep(1)
    return [len(hand) for hand in hands]


# %%
for prefetch in (1000, 10, 1):
    cloud = Cloud(seed=4)
    print(f"prefetch {prefetch:4}:", cloud.run(packers, ready_broker(cloud), prefetch))

# %% [markdown]
# **What to notice.** The broker pushes, and does not know who is busy. A small prefetch shares out; a large one saves
# waiting for the network. What is in a hand when its connection ends goes back to the queue, marked `redelivered`.
#
# ## 4. Failover
#
# A *pair* (액티브/스탠바이): two brokers in two Availability Zones, one store (EFS), and one **lock** (잠금). Who has the
# lock serves; the other one waits for it. Each has a host name of its own.

# %%
bench = workbench(Warehouse, seed=7)
bench

# %% [markdown]
# In the picture, what is drawn in the store is on its disk; what is drawn in a broker is only in its memory. A filled
# mark waits; a dashed ring is with a packer, which has not acknowledged it. A clock at a client runs out when the client
# tries again.
#
# ### Try it: the missions above the picture, and these
#
# Do the missions first; the sixth is about section 6, and can wait until then. Then run the cell of the workbench again:
# its settings are as at first, and what you have met stays met.
#
# 1. Play, stop at about 20 s, and do *Crash the active broker*. Play on. Which messages are lost? Who has no broker, and
#    what is each client waiting for?
# 2. Set *persistent* to "yes". What lies in the store now, and what happens to it in the crash? Then set *receipts* to
#    "yes": what do the shops keep?
# 3. Set *clients know* to "first". The standby serves, and nobody comes. Set it back to "both".
# 4. Set *senders* to 8, and press A|B at *between two tries*. Look at the curve: when do the clients come back, with
#    doubling and with jitter? (See below.)

# %%
crash = [Action("crash_broker", 20.0)]
for persistent in ("no", "yes"):
    for receipts in ("no", "yes"):
        setting = {"persistent": persistent, "receipts": receipts}
        run = Warehouse(**setting).run(seed=7, actions=crash)
        print(
            f"persistent {persistent:3}  receipts {receipts:3}"
            f"   lost {len(lost(run)):2}   done twice {len(twice(run)):2}"
        )

# %% [markdown]
# **What to notice.**
#
# - *Persistent* alone still loses: what was sent into a connection whose other end was gone. `send()` raised nothing.
# - *Receipts* alone still lose: a receipt says that the broker has it, not that the disk has it.
# - Both lose nothing. The price is paid on the other side: what was done and not yet acknowledged is done **again**,
#   and nothing marks it. A broker that crashed does not know what it had sent.
#
# How long is a client without a broker? From the crash to the lock, from the lock to the open port, and then until the
# client tries again. With a lock that is tried every 10 s the standby served after 8.8 s, and the last client came after
# 15 s.

# %%
predict("07.dark")

# %%
for lock_poll, longest in ((10, 30), (10, 1), (1, 30), (1, 1)):
    pair = Warehouse(lock_poll=lock_poll, longest=longest, receipts="yes")
    run = pair.run(seed=7, actions=crash)
    print(
        f"lock tried every {lock_poll:2} s, longest wait {longest:2} s:"
        f"   standby after {failed_over(run) - 20:4.1f} s,"
        f" last client after {max(dark(run).values()):4.1f} s"
    )

# %% [markdown]
# **What to notice.** A wait that doubles is short as long as the darkness is short. Clients that all lost their
# connection at nearly the same instant, and wait equally long, come back as a *herd* (한꺼번에 몰림): with eight shops
# and doubling in two groups, each within a second; with jitter one after the other, over four seconds.
#
# With SQS there is no failover to watch: many machines answer behind one name, and a call that fails is repeated.
#
# ## 5. RabbitMQ (extra)
#
# The other engine. Its protocol is AMQP 0-9-1, its library pika. A program never sends to a queue: it sends to an
# *exchange* (익스체인지), and *bindings* (바인딩) say which queues get the message. The message has a *routing key*, words
# with dots between them; a binding has a pattern for it.


# %%
def channel_to(hosts):
    """A channel of pika, over TLS."""
    name, port = hosts[0]
    tls = pika.SSLOptions(ssl.create_default_context(), name)
    login = pika.PlainCredentials("shop", "warehouse-42")
    parameters = pika.ConnectionParameters(
        name, port, credentials=login, ssl_options=tls, socket_timeout=3
    )
    return pika.BlockingConnection(parameters).channel()


# %%
def try_exchanges(hosts):
    channel = channel_to(hosts)
    bindings = {"direct": "kr.high", "fanout": "", "topic": "kr.*"}
    for kind, pattern in bindings.items():
        channel.exchange_declare(kind + "-x", kind)
        channel.queue_declare(kind)
        channel.queue_bind(kind, kind + "-x", pattern)
    for key in ("kr.high", "kr.low", "us.low"):
        got = []
        for kind in bindings:
            channel.basic_publish(kind + "-x", key, b"order")
            time.sleep(0.1)
            if channel.basic_get(kind, auto_ack=True)[0]:
                got.append(kind)
        print(f"{key:8}", got)


# %%
cloud = Cloud(seed=5)
cloud.run(try_exchanges, ready_broker(cloud, engine="RABBITMQ"))

# %% [markdown]
# **What to notice.** A `direct` exchange wants the whole key, `fanout` does not look at it, `topic` compares word by
# word: `*` stands for one word, `#` for any number.
#
# What no binding wants is dropped, and a publisher that asked for a *confirm* (발행 확인) gets one all the same: the
# exchange has done its work. `mandatory=True` brings such a message back.
#
# A cluster has three nodes. A *quorum queue* (쿼럼 큐) has a copy on each, and a majority decides.

# %%
predict("07.two-down")


# %%
def publish(hosts):
    """One confirmed message to a quorum queue; "no confirm" after five seconds."""
    told = []

    def attempt():
        channel = channel_to(hosts)
        quorum = {"x-queue-type": "quorum"}
        channel.queue_declare("orders", durable=True, arguments=quorum)
        channel.confirm_delivery()
        lasting = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", "orders", b"order", lasting)
        told.append("confirmed")

    def try_it():
        try:
            attempt()
        except pika.exceptions.AMQPError:
            told.append("nobody answers")

    threading.Thread(target=try_it, daemon=True).start()
    time.sleep(5)
    return told[0] if told else "no confirm"


# %%
cloud = Cloud(seed=6, limits="today")
hosts = ready_broker(cloud, "CLUSTER_MULTI_AZ", "RABBITMQ")
print("three nodes:", cloud.run(publish, hosts))
for n, left in ((2, "two nodes:  "), (3, "one node:   ")):
    cloud.network.power_off(f"warehouse-{n}")
    cloud.advance(30)
    print(left, cloud.run(publish, hosts))

# %% [markdown]
# **What to notice.** One node may be missing, and nobody notices more than a new connection. With two missing the third
# node still lets you in and takes the order, but it is a minority, and confirms nothing: it would rather stand still than
# give another answer than the two. (The course of 2023 had *mirrored* queues here; they are gone in version 4. And until
# 4.2 a node that sees a minority pauses after a minute, and lets nobody in.)
#
# See it happen. A mark in a node is a message on its disk: filled when a majority has it, hollow when it has not. A
# hollow mark at a shop is an order that waits for its confirm.

# %%
cluster = workbench(Cluster, seed=7, limits="today")
cluster

# %% [markdown]
# ### Try it (extra)
#
# 1. Play, stop at about 20 s, and do *Power off a node* with the one that leads. Play on. For how long is nothing
#    confirmed? What does the node miss?
# 2. At about 30 s do *Power off a node* with the one that follows. The one that leads still takes an order. Why does
#    nobody confirm it?
# 3. Play until the machines are repaired. What becomes of the orders that waited?
# 4. Do *Cut a node off* with the one that leads. Two nodes go on. What happens to a shop that is connected to the third?
#
# ## 6. Ten times the load
#
# A broker is one machine, and a persistent message waits for its disk.

# %%
predict("07.ten")


# %%
def stored_a_second(senders, seconds=5):
    """How many persistent orders, each with a receipt, one broker stores a second."""
    cloud, sure = Cloud(seed=7), {"persistent": "true", "receipt": "1"}
    hosts = ready_broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")

    def sender():
        got = threading.Event()

        class Receipt(stomp.ConnectionListener):
            def on_receipt(self, frame):
                got.set()

        connection = subscriber(hosts, [])
        connection.set_listener("", Receipt())
        while True:
            got.clear()
            connection.send("/queue/orders", "x" * 1000, headers=sure)
            got.wait()

    for n in range(senders):
        cloud.spawn(sender, name=f"sender-{n}")
    cloud.advance(2)
    before = len(cloud.trace.where("Stored"))
    cloud.advance(seconds)
    return (len(cloud.trace.where("Stored")) - before) / seconds


# %%
for senders in (1, 10):
    print(f"{senders:2} senders: {stored_a_second(senders):4.0f} orders/s")

# %% [markdown]
# **What to notice.** The disk writes what came meanwhile in one go: of ten senders five are written together, while the
# other five wait for the next write. It ends where the machine ends: about 5,000 messages a second that are not
# persistent, says an old guide of AWS.
#
# ### Flow control, and SQS beside it (extra)
#
# What happens when orders come faster than they leave? Ten programs send ten orders of 10 KB a second, each; nobody
# receives. The broker has memory for 500 of them (a real one for 100,000).


# %%
def flood(senders):
    """Orders that are handed over, and that the broker takes, in each second."""
    cloud = Cloud(seed=8, assume={"mq.memory": 5_500_000})
    hosts, sent = ready_broker(cloud), []

    def sender():
        connection = subscriber(hosts, [])
        while True:
            connection.send("/queue/orders", "x" * 10_000)
            sent.append(cloud.now)
            time.sleep(0.1)

    for n in range(senders):
        cloud.spawn(sender, name=f"sender-{n}")
    cloud.advance(12)
    taken = [row.time for row in cloud.trace.where("Enqueued")]
    for name, times in (("handed over", sent), ("taken", taken)):
        each = [sum(t <= s < t + 1 for s in times) for t in range(2, 12)]
        print(f"{name:12}", *(f"{n:4}" for n in each))


# %%
flood(10)


# %%
def sent_to_sqs(senders, seconds=5):
    """How many orders so many programs send to SQS in a second, one after the other."""
    cloud = Cloud(seed=7)
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]

    def sender():
        while True:
            sqs.send_message(QueueUrl=url, MessageBody="x" * 1000)

    for n in range(senders):
        cloud.spawn(sender, name=f"sender-{n}")
    cloud.advance(seconds)
    return len(cloud.trace.where("Sent")) / seconds


# %%
for senders in (1, 10):
    print(f"{senders:2} senders: {sent_to_sqs(senders):4.0f} orders/s")

# %% [markdown]
# **What to notice.** When the memory for messages is full, the broker reads nothing more from its senders: **flow
# control** (흐름 제어). No program is told. Over TLS, `send()` of stomp.py does not even wait: the orders pile up in the
# memory of the program, and go with it. Only a receipt that does not come shows it. In SQS ten programs send ten times
# as much, each as fast as before.
#
# Then watch it: in the workbench of section 4 make the broker stop every shop (its last mission), and crash it while they
# are stopped. Which orders are lost that no broker ever had? What becomes of them with *receipts* "yes"?
#
# ### What it costs (extra)
#
# A pair of mq.m5.large costs by the hour, whether it works or not. SQS costs by the request.

# %%
broker_month = 2 * 0.288 * 730  # two brokers, dollars an hour (us-east-1, assumed)
for orders in (1e5, 1e7, 1e9):
    requests = orders * 3  # send, receive, delete
    sqs_month = max(0.0, requests - 1e6) * 0.40 / 1e6
    month = f"MQ ${broker_month:,.0f}, SQS ${sqs_month:,.0f}"
    print(f"{orders:13,.0f} orders a month: {month}")

# %% [markdown]
# ### When Amazon MQ, when SQS and SNS
#
# | when | take | because, as measured here |
# | --- | --- | --- |
# | a program that speaks an open protocol, and is not to be rewritten | Amazon MQ | one line changed (section 1) |
# | transactions, selectors, durable subscribers, push | Amazon MQ | SQS and SNS have none of them (section 2) |
# | a new program in AWS | SQS, SNS | nothing to run, no failover to survive (section 4) |
# | load that grows tenfold over night | SQS, SNS | a broker ends where its machine ends (section 6) |
# | few messages | SQS, SNS | a broker costs by the hour, idle or busy |
#
# ## 7. Exercises
#
# As in lab 01: write the function, run the check. It looks for the smallest case that breaks your function.
#
# ### Exercise 1 (core): a producer that loses nothing
#
# Send every order (a text) to `/queue/orders`, and return when all are safe: no sooner. The broker is a pair. While you
# send, the active one can crash, or its machine can lose its power. Each order must be in the store when your function
# returns, and still be there after another crash. After a crash some may be there twice, with the same text.
#
# `connect(listener)` gives a connection of stomp.py to the broker that serves, with your listener; it tries until one
# does. Your listener derives from `stomp.ConnectionListener`.


# %%
def send(connect, orders):
    """Send every order; return when all are safe."""
    ### BEGIN SOLUTION
    confirmed = set()

    class Listener(stomp.ConnectionListener):
        def on_receipt(self, frame):
            confirmed.add(frame.headers["receipt-id"])

    connection = connect(Listener())
    for number, order in enumerate(orders):
        sure = {"persistent": "true", "receipt": str(number)}
        while str(number) not in confirmed:
            with suppress(stomp.exception.StompException):
                connection.send("/queue/orders", order, headers=sure)
            while str(number) not in confirmed and connection.is_connected():
                time.sleep(0.01)
            if str(number) not in confirmed:
                connection = connect(Listener())
    ### END SOLUTION


exercise("07.producer").check(send)

# %% [markdown]
# ### Exercise 2 (core): charge once
#
# Receive orders from `/queue/orders`, for ever; `connect` is that of exercise 1. The text of a message (`frame.body`)
# is the name of an order. Charge each order once: `book.charge(order)`. The broker can crash, and so can your program;
# it is started again with an empty memory. The shop may have sent an order twice. `book.charged(order)` tells whether
# it is charged. In the end the queue is empty.


# %%
def consumer(connect, book):
    """Charge every order once, for ever."""
    ### BEGIN SOLUTION
    frames = []

    class Listener(stomp.ConnectionListener):
        def on_message(self, frame):
            frames.append(frame)

    while True:
        frames.clear()
        connection = connect(Listener())
        connection.subscribe("/queue/orders", id="1", ack="client-individual")
        while connection.is_connected():
            if not frames:
                time.sleep(0.05)
                continue
            frame = frames.pop(0)
            if not book.charged(frame.body):
                book.charge(frame.body)
            with suppress(stomp.exception.StompException):  # or it comes again
                connection.ack(frame.headers["ack"])
    ### END SOLUTION


exercise("07.consumer").check(consumer)

# %% [markdown]
# ### Exercise 3: acknowledgement and prefetch (extra)
#
# A queue is full. `workers` workers take from it, one after the other begins; a message takes `seconds` of work.
# Return the mode (`"auto"`, `"client"`, `"client-individual"`) and the prefetch (1 to 1000). All should be done nearly
# as fast as the workers can. A worker may crash; nothing may be lost unless `may_lose` is true.


# %%
def choose(seconds, workers, may_lose):
    """The acknowledgement mode and the prefetch."""
    ### BEGIN SOLUTION
    prefetch = max(1, min(1000, int(0.1 / seconds)))
    return "client-individual", prefetch
    ### END SOLUTION


exercise("07.prefetch").check(choose)

# %% [markdown]
# ### Exercise 4: route with exchanges (extra)
#
# Declare the exchange `orders`, four queues and the bindings, with a channel of pika. A routing key is
# `country.kind.priority`, sometimes with more words behind, sometimes with less.
#
# | queue | gets |
# | --- | --- |
# | `korea` | all that begins with the word `kr` |
# | `payments` | all whose second word is `payment` |
# | `urgent` | all whose last word is `high` |
# | `rest` | what none of the three gets |
#
# The broker may restart before the first message, and consumers come and go.


# %%
def wire(channel):
    """Declare the exchange, the queues and the bindings."""
    ### BEGIN SOLUTION
    channel.exchange_declare("rest", "fanout", durable=True)
    channel.queue_declare("rest", durable=True)
    channel.queue_bind("rest", "rest")
    other = {"alternate-exchange": "rest"}
    channel.exchange_declare("orders", "topic", durable=True, arguments=other)
    patterns = {"korea": "kr.#", "payments": "*.payment.#", "urgent": "#.high"}
    for queue, pattern in patterns.items():
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, "orders", pattern)
    ### END SOLUTION


exercise("07.routes").check(wire)

# %% [markdown]
# ### Exercise 5: a night of maintenance (extra)
#
# Clients wait between two tries: first `first` seconds, then twice as long each time, up to `longest`; with `jitter`
# each wait is between half of that and all of it, by chance. A heart-beat is sent every `heartbeat` seconds (0: none).
# `hosts` are the names that they try. Return these five as a dict.
#
# In the night the active broker is rebooted, or crashes, or its machine loses its power. At most 5 s after a broker
# serves again, every client must be connected. They must not try much more than once a second, and not come as a herd.


# %%
def settings(hosts):
    """What a client needs to know for the night."""
    ### BEGIN SOLUTION
    return {
        "hosts": hosts,
        "first": 0.5,
        "longest": 2.0,
        "jitter": True,
        "heartbeat": 1.0,
    }
    ### END SOLUTION


exercise("07.night").check(settings)

# %% [markdown]
# ### Exercise 6: the same program on SQS (extra)
#
# A packer speaks STOMP. It calls `pack(body)` for each message, and acknowledges it after that. When `pack` raises
# ValueError, nobody can ever pack this order: it sends a NACK, which moves the message to the dead-letter queue at
# once. After any other error it does nothing and goes on, and the message comes again later. While it works on a
# message, nobody else has it.
#
# Write the same for SQS. Work takes a second; the queue's visibility timeout is 5 s. Several packers can run. Each asks
# an empty queue as seldom as SQS allows.


# %%
def packer(sqs, queue_url, dead_url, pack):
    """Pack every order; what nobody can pack goes to the dead-letter queue."""
    ### BEGIN SOLUTION
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            body, handle = message["Body"], message["ReceiptHandle"]
            try:
                pack(body)
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=body)
            except Exception:
                continue  # it comes again by itself
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)
    ### END SOLUTION


exercise("07.move").check(packer)

# %% [markdown]
# ## Then and now (extra)
#
# What the course of 2023 says still holds for ActiveMQ. RabbitMQ has changed: mirrored queues are gone, quorum queues
# are the default in version 4, and brokers of version 4 run on mq.m7g only.

# %%
limits("mq", changed=True)

# %% [markdown]
# ## What the model leaves out (extra)
#
# - **Times.** AWS gives no number for a failover. The model has a lock that is tried every 10 s, as ActiveMQ does by
#   default, and 1.5 s to read the store: `limits("mq")` lists what is assumed. A real pair on one machine was compared
#   with it: what was lost, doubled and marked is the same.
# - **Protocols.** AMQP 1.0, OpenWire and WebSocket answer with one line.
# - **Configurations.** A broker keeps its configuration with all revisions, and does not act on what stands in it.
# - **The network.** Bytes take half a millisecond between two machines, and TLS is a check of names.
#
# ## What to remember
#
# - Amazon MQ is for programs that already speak an open protocol.
# - Over STOMP a message is in the memory of one machine, until you say `persistent:true`.
# - A receipt, or a confirm, is the only thing that tells a sender that a message is safe.
# - In a failover the lock moves first, and the clients come when they try again. Both have a number.
# - What was not acknowledged comes again, and after a crash nothing marks it.
# - A majority of nodes decides in a quorum queue; without one it stands still.
#
# This is the last lab. One more thing to try: take a program of your own and run it with `messaging-lab run`.
