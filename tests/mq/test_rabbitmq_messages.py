"""One RabbitMQ broker and unmodified clients: routing, taking, acknowledging, confirming, expiring, dead letters."""

import ssl

import kombu
import pika
import pytest
from mq.rabbitmq import PASSWORD, USER, Stage, taken

guide, reported, ours = pytest.mark.guide, pytest.mark.reported, pytest.mark.ours
LASTING = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
def stage():
    with Stage() as stage:
        yield stage


def in_channel(stage, fn, **more):
    """Run `fn(channel)` in a program."""

    def program():
        with stage.connect() as connection:
            return fn(connection.channel())

    return stage.run(program, **more)


# ---- clients ---------------------------------------------------------------------------------------------------------


def test_pikas_select_connection_sends_and_receives(stage):
    got = []

    def program():
        def opened(channel):
            channel.queue_declare("q", callback=lambda _: consume(channel))

        def consume(channel):
            def take(ch, method, properties, body):
                got.append(body)
                ch.basic_ack(method.delivery_tag)
                connection.close()

            channel.basic_consume("q", take)
            channel.basic_publish("", "q", b"hello")

        connection = pika.SelectConnection(
            stage.parameters(), on_open_callback=lambda c: c.channel(on_open_callback=opened),
            on_close_callback=lambda c, _: c.ioloop.stop(),
        )  # fmt: skip
        connection.ioloop.start()

    stage.run(program)
    assert got == [b"hello"]


def test_kombu_sends_and_receives(stage):
    def program():
        where = f"amqps://{USER}:{PASSWORD.replace(' ', '%20')}@{stage.host}:5671//"
        context = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": stage.host}
        with kombu.Connection(where, ssl=context) as connection:
            queue = connection.SimpleQueue("orders")
            queue.put({"order": 1})
            message = queue.get(timeout=5)
            message.ack()
            queue.close()
            return message.payload

    assert stage.run(program) == {"order": 1}


# ---- exchanges (specification 3.1.3; RabbitMQ's pages on exchanges) --------------------------------------------------


def reached(channel, exchange, key, queues, **properties):
    channel.basic_publish(exchange, key, b"m", pika.BasicProperties(**properties))
    return [queue for queue in queues if taken(channel, queue)]


@guide
def test_where_messages_go_by_the_type_of_the_exchange(stage):
    def play(channel):
        for name in "abc":
            channel.queue_declare(name)
        for kind in ("direct", "fanout", "topic", "headers"):
            channel.exchange_declare(kind, kind)
        for queue, key in (("a", "red"), ("b", "blue"), ("c", "red")):
            channel.queue_bind(queue, "direct", key)
        for queue in "ab":
            channel.queue_bind(queue, "fanout")
        for queue, pattern in (("a", "eu.*.order"), ("b", "eu.#"), ("c", "#")):
            channel.queue_bind(queue, "topic", pattern)
        channel.queue_bind("a", "headers", arguments={"x-match": "all", "kind": "order", "size": 3})
        channel.queue_bind("b", "headers", arguments={"x-match": "any", "kind": "order", "size": 3})
        channel.queue_bind("c", "headers", arguments={"size": None})
        go = lambda *args, **more: "".join(reached(channel, *args, "abc", **more))  # noqa: E731
        assert (go("direct", "red"), go("direct", "blue"), go("direct", "green")) == ("ac", "b", "")
        assert go("fanout", "whatever") == "ab"
        assert (go("topic", "eu.de.order"), go("topic", "eu"), go("topic", "us.ny.order")) == ("abc", "bc", "c")
        assert go("topic", "eu.order") == "bc"
        assert go("headers", "", headers={"kind": "order", "size": 3}) == "abc"
        assert go("headers", "", headers={"kind": "order"}) == "b"
        assert go("headers", "", headers={"size": 4}) == "c"
        assert go("", "b") == "b"  # the default exchange: by the queue's name

    in_channel(stage, play)


@guide
def test_what_no_queue_takes_goes_to_the_alternate_exchange(stage):
    def play(channel):
        channel.exchange_declare("rest", "fanout")
        channel.exchange_declare("x", "direct", arguments={"alternate-exchange": "rest"})
        channel.queue_declare("all")
        channel.queue_bind("all", "rest")
        return reached(channel, "x", "nobody", ["all"])

    assert in_channel(stage, play) == ["all"]


@guide
def test_exchanges_may_be_bound_to_exchanges_and_a_queue_gets_one_copy(stage):
    def play(channel):
        channel.exchange_declare("in", "fanout")
        channel.exchange_declare("out", "fanout")
        channel.exchange_bind("out", "in")
        channel.exchange_bind("in", "out")  # a circle
        channel.queue_declare("q")
        channel.queue_bind("q", "in")
        channel.queue_bind("q", "out")
        channel.basic_publish("in", "", b"m")
        return taken(channel, "q")

    assert in_channel(stage, play) == [("m", False)]


@guide
def test_a_copy_for_each_queue_is_a_subject_of_its_own(stage):
    def play(channel):
        for name in "ab":
            channel.queue_declare(name)
            channel.queue_bind(name, "amq.fanout")
        channel.basic_publish("amq.fanout", "", b"m", pika.BasicProperties(message_id="order-1"))

    in_channel(stage, play)
    trace = stage.cloud.trace
    assert [r.subject for r in trace.where("CopyEnqueued")] == ["order-1/a", "order-1/b"]
    assert trace.parent("order-1/a") == "order-1"


# ---- what is confirmed, what is given back ---------------------------------------------------------------------------


@guide
def test_what_cannot_be_routed_is_lost_silently_or_given_back_and_confirmed_all_the_same(stage):
    def play(channel):
        channel.basic_publish("", "nowhere", b"silent")
        channel.confirm_delivery()
        channel.basic_publish("", "nowhere", b"confirmed")  # no error: it is confirmed
        with pytest.raises(pika.exceptions.UnroutableError) as error:
            channel.basic_publish("", "nowhere", b"mandatory", mandatory=True)
        back = error.value.messages[0]
        return back.method.reply_code, back.method.reply_text, back.body

    assert in_channel(stage, play) == (312, "NO_ROUTE", b"mandatory")
    assert len(stage.cloud.trace.where("Unroutable")) == 2


@ours
def test_a_persistent_message_is_confirmed_when_it_is_on_the_disk(stage):
    stage.cloud.quotas["mq.rabbitmq_sync"] = 0.5

    def play(channel):
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        took = []
        for mode in (1, 2):
            before = stage.cloud.now
            channel.basic_publish("", "q", b"m", pika.BasicProperties(delivery_mode=mode))
            took.append(round(stage.cloud.now - before, 2))
        return took

    assert in_channel(stage, play) == [0.0, 0.5]


# ---- acknowledging ---------------------------------------------------------------------------------------------------


@guide
def test_what_is_not_acknowledged_comes_back_in_its_place_and_flagged(stage):
    def play(channel):
        channel.queue_declare("q")
        for n in range(4):
            channel.basic_publish("", "q", f"{n}")
        tags = [channel.basic_get("q")[0].delivery_tag for _ in range(3)]
        channel.basic_nack(tags[1])
        channel.basic_reject(tags[0])
        channel.basic_ack(tags[2])
        return taken(channel, "q")

    assert in_channel(stage, play) == [("0", True), ("1", True), ("3", False)]


@guide
@pytest.mark.parametrize("how", ["the channel closes", "the connection closes", "the program is killed"])
def test_what_a_consumer_has_comes_back_when_it_goes(stage, how):
    def consumer():
        connection = stage.connect()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"m")
        channel.basic_get("q")
        if how == "the channel closes":
            channel.close()
        elif how == "the connection closes":
            connection.close()
        stage.cloud.kernel.sleep(5)

    process = stage.spawn("consumer", consumer)
    stage.cloud.advance(2)
    stage.cloud.kill(process)
    assert in_channel(stage, lambda channel: taken(channel, "q")) == [("m", True)]


@guide
def test_several_are_acknowledged_at_once(stage):
    def play(channel):
        channel.queue_declare("q")
        for n in range(4):
            channel.basic_publish("", "q", f"{n}")
        tags = [channel.basic_get("q")[0].delivery_tag for _ in range(3)]
        channel.basic_ack(tags[1], multiple=True)
        channel.basic_recover(requeue=True)
        return taken(channel, "q")

    assert in_channel(stage, play) == [("2", True), ("3", False)]


@guide
def test_prefetch_shares_the_work(stage):
    """Without a prefetch the first consumer gets everything; with one, each gets what it can do."""
    seen = {}

    def worker(name, prefetch):
        connection = stage.connect()
        channel = connection.channel()
        channel.queue_declare("q")
        if prefetch:
            channel.basic_qos(prefetch_count=prefetch)

        def work(ch, method, properties, body):
            connection.sleep(1)
            seen.setdefault((prefetch, name), []).append(int(body))
            ch.basic_ack(method.delivery_tag)

        channel.basic_consume("q", work)
        channel.start_consuming()

    def send(channel):
        channel.queue_declare("q")
        for n in range(6):
            channel.basic_publish("", "q", str(n))

    for prefetch in (0, 1):
        in_channel(stage, send)
        workers = [stage.spawn("first", worker, "first", prefetch)]
        stage.cloud.advance(0.5)
        workers.append(stage.spawn("second", worker, "second", prefetch))
        stage.cloud.advance(10)
        for process in workers:
            stage.cloud.kill(process)
        stage.cloud.advance(1)
    assert seen[0, "first"] == [0, 1, 2, 3, 4, 5]
    assert seen[1, "first"] == [0, 2, 4]
    assert seen[1, "second"] == [1, 3, 5]


@reported  # celery/celery#6760
def test_after_half_an_hour_without_acknowledgement_the_channel_is_closed(stage):
    def program():
        connection = stage.connect()
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"long work")
        channel.basic_consume("q", lambda *_: None)
        connection.sleep(1700)
        assert channel.is_open
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
            channel.start_consuming()
        return error.value.reply_code, error.value.reply_text

    assert stage.run(program, seconds=2000) == (
        406,
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. This "
        "timeout value can be configured, see consumers doc guide to learn more",
    )
    assert in_channel(stage, lambda channel: taken(channel, "q")) == [("long work", True)]


@guide
def test_a_consumer_is_told_when_its_queue_is_deleted(stage):
    def program():
        connection = stage.connect()
        channel = connection.channel()
        channel.queue_declare("q")
        told = []
        channel.add_on_cancel_callback(lambda frame: told.append(frame.method.consumer_tag))
        channel.basic_consume("q", lambda *_: None, consumer_tag="mine")
        connection.channel().queue_delete("q")
        connection.process_data_events(1)
        return told

    assert stage.run(program) == ["mine"]


@guide
def test_single_active_consumer(stage):
    seen = []

    def worker(name):
        with stage.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q", arguments={"x-single-active-consumer": True})
            for _, _, body in channel.consume("q", auto_ack=True, inactivity_timeout=4):
                if body is None:
                    return
                seen.append((name, body.decode()))

    first = stage.spawn("first", worker, "first")
    stage.cloud.advance(1)
    stage.spawn("second", worker, "second")

    def send(channel):
        channel.basic_publish("", "q", b"1")
        channel.basic_publish("", "q", b"2")

    in_channel(stage, send, seconds=1)
    stage.cloud.kill(first)
    in_channel(stage, send, seconds=1)
    assert seen == [("first", "1"), ("first", "2"), ("second", "1"), ("second", "2")]


# ---- transactions ----------------------------------------------------------------------------------------------------


@guide
def test_a_transaction_is_all_or_nothing(stage):
    def play(channel):
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"0")
        channel.tx_select()
        tag = channel.basic_get("q")[0].delivery_tag
        channel.basic_publish("", "q", b"1")
        channel.basic_ack(tag)
        channel.tx_rollback()
        assert len(channel.queue_declare("q", passive=True).method.queue) and taken(channel, "q") == []
        channel.basic_publish("", "q", b"2")
        channel.basic_ack(tag)
        channel.tx_commit()
        return taken(channel, "q")

    assert in_channel(stage, play) == [("2", False)]


# ---- time and length -------------------------------------------------------------------------------------------------


@guide
@pytest.mark.parametrize("who", ["queue", "message"])
def test_messages_expire(stage, who):
    def play(channel):
        channel.queue_declare("q", arguments={"x-message-ttl": 2000} if who == "queue" else {})
        channel.basic_publish("", "q", b"m", pika.BasicProperties(expiration="2000" if who == "message" else None))
        left = [channel.queue_declare("q", passive=True).method.message_count]
        for _ in range(2):
            channel.connection.sleep(1.2)
            left.append(channel.queue_declare("q", passive=True).method.message_count)
        return left

    assert in_channel(stage, play) == [1, 1, 0]


@guide  # RabbitMQ: TTL, "messages are expired only when they reach the head"
def test_a_short_time_to_live_waits_behind_a_long_one(stage):
    def play(channel):
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"long", pika.BasicProperties(expiration="5000"))
        channel.basic_publish("", "q", b"short", pika.BasicProperties(expiration="1000"))
        channel.connection.sleep(3)
        before = channel.queue_declare("q", passive=True).method.message_count
        channel.connection.sleep(3)
        return before, channel.queue_declare("q", passive=True).method.message_count

    assert in_channel(stage, play) == (2, 0)


@guide
def test_a_full_queue_drops_its_head_or_refuses(stage):
    def play(channel):
        channel.queue_declare("drops", arguments={"x-max-length": 2})
        channel.queue_declare("refuses", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        channel.queue_declare("bytes", arguments={"x-max-length-bytes": 25})
        channel.confirm_delivery()
        refused = []
        for queue in ("drops", "refuses", "bytes"):
            for n in range(3):
                try:
                    channel.basic_publish("", queue, f"message {n}")
                except pika.exceptions.NackError:
                    refused.append((queue, n))
        return refused, [[body[-1] for body, _ in taken(channel, q)] for q in ("drops", "refuses", "bytes")]

    assert in_channel(stage, play) == ([("refuses", 2)], [["1", "2"], ["0", "1"], ["1", "2"]])


@guide
def test_a_queue_that_nobody_uses_goes(stage):
    def play(channel):
        channel.queue_declare("q", arguments={"x-expires": 3000})
        channel.connection.sleep(2)
        channel.queue_declare("q", arguments={"x-expires": 3000})
        channel.connection.sleep(2)
        channel.queue_declare("q", passive=True)
        channel.connection.sleep(4)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
            channel.queue_declare("q", passive=True)

    in_channel(stage, play)


@guide
def test_exclusive_and_auto_delete_queues_go_with_their_users(stage):
    def program():
        one, other = stage.connect(), stage.connect()
        mine = one.channel().queue_declare("", exclusive=True).method.queue
        auto = one.channel()
        auto.queue_declare("auto", auto_delete=True)
        tag = auto.basic_consume("auto", lambda *_: None)
        assert mine.startswith("amq.gen-")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="405"):
            other.channel().queue_declare(mine, passive=True)
        auto.basic_cancel(tag)
        one.close()
        for name in (mine, "auto"):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
                other.channel().queue_declare(name, passive=True)
        other.close()

    stage.run(program)


# ---- dead letters ----------------------------------------------------------------------------------------------------


@guide  # RabbitMQ: dead letter exchanges
def test_dead_letters_say_where_they_have_been_and_why(stage):
    def play(channel):
        channel.queue_declare("dead")
        channel.queue_declare("q", arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-max-length": 2})  # fmt: skip
        for n, expiration in enumerate([None, "1000", None]):
            channel.basic_publish("", "q", str(n), pika.BasicProperties(expiration=expiration, message_id=f"m{n}"))
        channel.connection.sleep(2)  # 0 was dropped for 2, 1 has expired
        channel.basic_reject(channel.basic_get("q")[0].delivery_tag, requeue=False)
        found = {}
        while (got := channel.basic_get("dead", auto_ack=True))[0]:
            death = got[1].headers["x-death"][0]
            found[got[2].decode()] = (death["reason"], death["queue"], death["count"], death.get("original-expiration"))
            assert got[1].expiration is None and got[1].headers["x-first-death-reason"] == death["reason"]
            assert death["exchange"] == "" and death["routing-keys"] == ["q"]
        return found

    assert in_channel(stage, play) == {
        "0": ("maxlen", "q", 1, None), "1": ("expired", "q", 1, "1000"), "2": ("rejected", "q", 1, None),
    }  # fmt: skip
    assert [r.subject for r in stage.cloud.trace.where("DeadLettered")] == ["m0", "m1", "m2"]
    assert "moved from shop/queue/q to shop/queue/dead" in stage.cloud.explain("m1")


@guide  # RabbitMQ: dead letter exchanges
def test_a_dead_letter_goes_to_all_queues_of_its_exchange(stage):
    def play(channel):
        channel.exchange_declare("graveyard", "fanout")
        for name in ("for people", "for the log"):
            channel.queue_declare(name)
            channel.queue_bind(name, "graveyard")
        channel.queue_declare("q", arguments={"x-dead-letter-exchange": "graveyard"})
        channel.basic_publish("", "q", b"bad", pika.BasicProperties(message_id="m"))
        channel.basic_reject(channel.basic_get("q")[0].delivery_tag, requeue=False)
        channel.connection.sleep(1)
        return taken(channel, "for people"), taken(channel, "for the log"), taken(channel, "q")

    assert in_channel(stage, play) == ([("bad", False)], [("bad", False)], [])
    assert "graveyard" in stage.cloud.explain("m")


@guide  # AMQP 0-9-1, queue.purge: what waits is gone, what is out stays out
def test_a_purge_takes_what_is_ready(stage):
    def play(channel):
        channel.queue_declare("q")
        for n in range(3):
            channel.basic_publish("", "q", str(n))
        tag = channel.basic_get("q")[0].delivery_tag
        count = channel.queue_purge("q").method.message_count
        channel.basic_nack(tag)
        channel.connection.sleep(1)
        return count, taken(channel, "q")

    assert in_channel(stage, play) == (2, [("0", True)])
    assert [row.detail for row in stage.cloud.trace.where("Discarded")] == ["the queue was purged"] * 2


@guide
def test_a_circle_without_a_rejection_ends_and_one_with_goes_on(stage):
    def play(channel):
        back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work"}
        channel.queue_declare("work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "wait"})
        channel.queue_declare("wait", arguments={**back, "x-message-ttl": 1000})
        channel.queue_declare("round", arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "round", "x-message-ttl": 500})  # fmt: skip
        channel.basic_publish("", "round", b"lost")
        channel.basic_publish("", "work", b"tried again")
        counts = []
        for _ in range(3):
            method, properties, _ = channel.basic_get("work")
            counts.append([(d["queue"], d["count"]) for d in (properties.headers or {}).get("x-death", [])])
            channel.basic_reject(method.delivery_tag, requeue=False)
            channel.connection.sleep(2)
        return counts, taken(channel, "round")

    assert in_channel(stage, play) == (
        [[], [("wait", 1), ("work", 1)], [("wait", 2), ("work", 2)]], [],
    )  # fmt: skip


# ---- heartbeats and alarms -------------------------------------------------------------------------------------------


@guide
def test_a_client_that_is_silent_is_cut_off_and_its_messages_come_back(stage):
    def busy():
        connection = stage.connect(heartbeat=10)
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"m")
        channel.basic_get("q")
        stage.cloud.kernel.sleep(120)  # work without heartbeats

    stage.spawn("busy", busy)
    stage.cloud.advance(15)
    assert in_channel(stage, lambda channel: taken(channel, "q", ack=False), seconds=1) == []
    stage.cloud.advance(15)
    assert in_channel(stage, lambda channel: taken(channel, "q"), seconds=1) == [("m", True)]


@guide
def test_an_idle_client_with_heartbeats_stays(stage):
    def program():
        with stage.connect(heartbeat=10) as connection:
            connection.sleep(300)
            connection.channel()
            return True

    assert stage.run(program, seconds=400)


@guide  # RabbitMQ: alarms; Amazon MQ's guide, memory alarm
def test_low_memory_blocks_publishers_and_not_consumers():
    with Stage(assume={"mq.rabbitmq_memory": 50_000}) as stage:
        said = []

        def publisher():
            connection = stage.connect()
            connection.add_on_connection_blocked_callback(lambda _, m: said.append(m.method.reason))
            connection.add_on_connection_unblocked_callback(lambda *_: said.append("unblocked"))
            channel = connection.channel()
            channel.queue_declare("q")
            for _ in range(100):
                channel.basic_publish("", "q", bytes(1000))
                connection.sleep(0.1)
            while said[-1] != "unblocked":
                connection.sleep(1)
            return "done"

        process = stage.spawn("publisher", publisher)
        stage.cloud.advance(20)
        assert said == ["low on memory"]
        assert stage.engine.alarm == "memory"
        with pytest.raises(stage.mq.exceptions.BadRequestException):
            stage.mq.reboot_broker(BrokerId=stage.id)
        stage.cloud.advance(300)  # it is not taken for silent
        assert len(stage.engine.connections) == 1
        for _ in range(10):
            in_channel(stage, lambda channel: taken(channel, "q"), name="consumer", seconds=5)
        stage.cloud.advance(30)
        assert process.result == "done"
        assert said == ["low on memory", "unblocked"]
