"""What explain, tokens, events of interest and series say of a RabbitMQ broker: all of it follows from its rows."""

import pika
import pytest
from mq.rabbitmq import Stage, taken

from lablib.measures.notable import notable
from lablib.measures.tokens import fold


@pytest.fixture(scope="module")
def stage():
    """m1 is acknowledged, m2 rejected into a dead-letter queue, m3 held by a worker whose node crashes, m4 unroutable,
    m5 for two queues, of which one is lost with its node."""
    with Stage(nodes=3) as stage:

        def produce():
            channel = stage.connect(1).channel()
            dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
            channel.queue_declare("q", durable=True, arguments={"x-queue-type": "quorum", **dead})
            channel.queue_declare("dead", durable=True)
            channel.queue_declare("passing")
            for queue in ("dead", "passing"):
                channel.queue_bind(queue, "amq.fanout")
            channel.confirm_delivery()
            for name, exchange, key in (("m1", "", "q"), ("m2", "", "q"), ("m3", "", "q"), ("m4", "", "none"),
                                        ("m5", "amq.fanout", "")):  # fmt: skip
                channel.basic_publish(exchange, key, b"m", pika.BasicProperties(message_id=name, delivery_mode=2))

        def work():
            connection = stage.connect(2)
            channel = connection.channel()
            channel.basic_ack(channel.basic_get("q")[0].delivery_tag)
            channel.basic_reject(channel.basic_get("q")[0].delivery_tag, requeue=False)
            channel.basic_get("q")
            connection.sleep(1000)

        stage.run(produce, name="producer", seconds=2)
        stage.spawn("worker", work)
        stage.cloud.advance(2)
        stage.crash(2)
        with pytest.raises(pika.exceptions.AMQPError):
            stage.cloud.advance(2)
        stage.crash(1)
        stage.cloud.advance(2)
        stage.cloud.advance(250)
        stage.run(lambda: taken(stage.connect(3).channel(), "q"), name="other", seconds=2)
        yield stage


def test_a_life_in_words(stage):
    words = [line.split(" s  ")[1] for line in stage.cloud.explain("m3").splitlines()]
    assert words == [
        "sent to shop/queue/q by producer, persistent, 1 bytes",
        "shop-1 has it too", "shop-2 has it too", "shop-3 has it too",
        "confirmed to producer",
        "dispatched to worker, which has not acknowledged it yet",
        "worker has it no longer: is gone with its node",
        "back in shop/queue/q: worker is gone with its node",
        "dispatched to other, marked as redelivered, which has not acknowledged it yet",
        "acknowledged by other",
    ]  # fmt: skip
    assert "has no queue for it, and drops it" in stage.cloud.explain("m4")


def test_tokens(stage):
    found = fold(stage.cloud.trace)
    stays = {}
    for token in found.tokens:
        where = found.name(token.holder) if token.holder else found.name(token.resource).removeprefix("shop/")
        stays.setdefault(found.name(token.subject), []).append((token.state, where, token.because))
    assert stays["m1"] == [
        ("waiting", "queue/q", "dispatched"), ("hidden", "queue/q", "acknowledged"), ("held", "worker", "acknowledged"),
    ]  # fmt: skip
    assert ("held", "worker", "ignored") in stays["m2"]
    assert stays["m2"][-1][:2] == ("waiting", "queue/dead")
    assert [stay for stay in stays["m3"] if stay[0] == "held"] == [
        ("held", "worker", "ignored"), ("held", "other", "acknowledged"),
    ]  # fmt: skip
    assert stays["m4"][-1][0] == "lost"
    assert stays["m5/passing"][-1][0] == "lost"
    assert stays["m5/dead"][-1][:2] == ("waiting", "queue/dead")


def test_events_of_interest(stage):
    told = [event.text for event in notable(stage.cloud.trace)]
    for sentence in (
        "shop-2 serves shop no longer.", "shop-1 serves shop no longer.", "shop-1 leads shop/queue/q from now on.",
        "shop/queue/q answers nobody: no majority of its nodes can be reached.",
        "shop/exchange/default has no queue for a message with key 'none'.",
    ):  # fmt: skip
        assert sentence in told, told
    assert len([sentence for sentence in told if "leads shop/queue/q" in sentence]) == 2
