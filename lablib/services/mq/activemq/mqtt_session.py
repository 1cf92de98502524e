"""One MQTT 3.1.1 client of an ActiveMQ broker, as ActiveMQ's MQTTProtocolConverter treats it.

A topic of MQTT is a topic of ActiveMQ ("a/b" is "a.b"), so STOMP clients hear what devices say. What is published with
QoS 1 is persistent, and its PUBACK comes when it is on the disk. Only a subscription with QoS 1 of a session that is
not clean is durable. A retained message lives in the broker's memory. A new connection with the same client id takes
the old one's place. QoS 2 is not simulated: a subscription is granted QoS 1, a publication ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lablib.kernel.servers import Connection
from lablib.services.mq.activemq import mqtt
from lablib.services.mq.activemq.broker import Refused
from lablib.services.mq.activemq.destinations import Consumer, Message, matches
from lablib.services.mq.activemq.mqtt import BrokenPacket, Decoder, Packet, Reader
from lablib.services.mq.activemq.session import Session

if TYPE_CHECKING:
    from lablib.services.mq.activemq.broker import Serving

_TOPIC_PREFETCH, _DURABLE_PREFETCH = 32767, 100  # ActiveMQPrefetchPolicy
_ACCEPTED, _VERSION, _IDENTIFIER, _NOT_AUTHORIZED = 0, 1, 2, 5  # section 3.2.2.3
_DURABLE = "AT_LEAST_ONCE:"  # how ActiveMQ names a durable subscription of MQTT


class MqttSession(Session[Packet]):
    """See the module."""

    def __init__(self, serving: Serving, connection: Connection) -> None:
        super().__init__(serving, connection)
        self._decoder = Decoder()
        self._clean = True
        self._will: Message | None = None
        self._subscriptions: dict[str, tuple[Consumer, int]] = {}  # by the filter: the consumer, its QoS
        self._unacknowledged: dict[int, tuple[Consumer, str]] = {}  # by the packet's id
        self._sent = self._packet_ids = 0

    # ---- packets -----------------------------------------------------------------------------------------------------

    def decode(self, data: bytes) -> Iterable[Packet]:
        return self._decoder.feed(data)

    def broken(self, error: Exception) -> None:
        self.serving.broker.emit("ClientError", actor=self.peer, detail=str(error))
        self.close("broken packet")

    def sends_to(self, item: Packet) -> str | None:
        return "topic" if item.kind == mqtt.PUBLISH else None

    def handle(self, item: Packet) -> None:
        try:
            if not self.connected and item.kind != mqtt.CONNECT:
                raise BrokenPacket("a packet before CONNECT")
            handler = _HANDLERS.get(item.kind)
            if handler is None:
                raise BrokenPacket(f"a packet of kind {item.kind} from a client")
            handler(self, item, Reader(item.body))
        except (BrokenPacket, Refused) as error:
            self.broken(error)

    def consumers(self) -> list[Consumer]:
        return [consumer for consumer, _ in self._subscriptions.values()]

    def _send(self, kind: int, body: bytes = b"", flags: int = 0) -> None:
        self.connection.send(Packet(kind, flags, body).encode())

    # ---- connecting --------------------------------------------------------------------------------------------------

    def _connect(self, packet: Packet, body: Reader) -> None:
        if self.connected:
            raise BrokenPacket("a second CONNECT")
        protocol, level, flags, keep_alive = body.text(), body.number(1), body.number(1), body.number()
        client_id = body.text()
        if flags & 1:
            raise BrokenPacket("a reserved flag of CONNECT is set")
        if (protocol, level) not in (("MQTT", 4), ("MQIsdp", 3)):
            return self._turn_away(_VERSION, f"MQTT of level {level} is not simulated: use 3.1.1")
        will = (body.text(), body.data()) if flags & 4 else None
        user = body.text() if flags & 128 else None
        password = body.data().decode(errors="replace") if flags & 64 else None
        self._clean = bool(flags & 2)
        if not client_id and not self._clean:
            return self._turn_away(_IDENTIFIER, "a session that is not clean needs a client id")
        if why := self.serving.engine.login_refused(user, password):
            return self._turn_away(_NOT_AUTHORIZED, why)
        self.client_id = client_id or self.id
        for other in [s for s in self.serving.sessions if s is not self and s.client_id == self.client_id]:
            other.close("another connection has its client id")  # ActiveMQ: link stealing, always so for MQTT
        if will is not None:
            self._will = self._message(*will, flags >> 3 & 3, bool(flags & 32))
        mine = [key for key in self.serving.durables if key[0] == self.client_id]
        self.connected = True
        self.serving.broker.emit("ClientConnected", actor=self.peer, detail=self.client_id)
        self._send(mqtt.CONNACK, bytes([bool(mine) and not self._clean, _ACCEPTED]))
        for key in mine:
            if self._clean:
                self.serving.unsubscribe_durably(key)
            elif key[1].startswith(_DURABLE):
                self._subscribe_to(key[1].removeprefix(_DURABLE), 1, retained=False)
        if keep_alive:
            self.check_silence(keep_alive * 1.5)

    def _turn_away(self, code: int, why: str) -> None:
        self.serving.broker.emit("ClientRefused", actor=self.peer, detail=why)
        self._send(mqtt.CONNACK, bytes([0, code]))
        self.close("refused")

    def _disconnect(self, packet: Packet, body: Reader) -> None:
        self._will = None
        self.close("disconnected")

    def _ping(self, packet: Packet, body: Reader) -> None:
        self._send(mqtt.PINGRESP)

    def left(self, why: str) -> None:
        """Whoever goes without DISCONNECT leaves a will."""
        if self._will is not None and self.connected:
            will, self._will = self._will, None
            self._publish_message(will)

    # ---- publishing --------------------------------------------------------------------------------------------------

    def _message(self, name: str, data: bytes, qos: int, retain: bool) -> Message:
        if not name or "+" in name or "#" in name:
            raise BrokenPacket(f"{name!r} is no topic to publish to")
        if qos > 1:
            raise Refused("This lab does not simulate QoS 2 of MQTT: use QoS 1")
        self._sent += 1
        id = f"{self.id}:-1:1:{self._sent}"
        properties = {"ActiveMQ.Retain": "true"} if retain else {}
        return Message(
            id, f"topic/{mqtt.topic_of(name)}", data, properties, persistent=qos > 0,
            timestamp=self.serving.now_ms, has_length=True, sender=self.peer,
        )  # fmt: skip

    def _publish(self, packet: Packet, body: Reader) -> None:
        name, qos = body.text(), packet.flags >> 1 & 3
        number = body.number() if qos else 0
        message = self._message(name, body.rest(), qos, bool(packet.flags & 1))
        if qos:
            acknowledge = self.when_done(lambda: self._send(mqtt.PUBACK, number.to_bytes(2, "big")))
            self._publish_message(message, acknowledge)
        else:
            self._publish_message(message)

    def _publish_message(self, message: Message, done: Callable[[], None] | None = None) -> None:
        if "ActiveMQ.Retain" in message.properties:
            if message.body:
                self.serving.retained[message.destination] = message
            else:
                self.serving.retained.pop(message.destination, None)
        self.serving.send(message, self.peer, done)

    # ---- subscribing -------------------------------------------------------------------------------------------------

    def _subscribe(self, packet: Packet, body: Reader) -> None:
        number, wanted = body.take(2), []
        while body.more():
            wanted.append((body.text(), body.number(1)))
        if not wanted or any(qos > 2 for _, qos in wanted):
            raise BrokenPacket("a SUBSCRIBE without filters, or with a QoS that is none")
        granted = bytes(min(qos, 1) if mqtt.is_filter(name) else 0x80 for name, qos in wanted)
        self._send(mqtt.SUBACK, number + granted)
        for (name, _), qos in zip(wanted, granted, strict=True):
            if qos != 0x80:
                self._subscribe_to(name, qos)

    def _subscribe_to(self, name: str, qos: int, *, retained: bool = True) -> None:
        known = self._subscriptions.get(name)
        if known is not None and known[1] != qos:
            self._forget(name)
        if known is None or known[1] != qos:
            durable = qos > 0 and not self._clean
            consumer = Consumer(
                f"{self.client_id}:{name}",
                self.peer,
                _DURABLE_PREFETCH if durable else _TOPIC_PREFETCH,
                lambda consumer, message: self._deliver(consumer, message, qos),
                self.is_clogged,
                auto=qos == 0,
            )
            self._subscriptions[name] = consumer, qos
            if durable:
                key = (self.client_id, _DURABLE + name)
                self.serving.subscribe_durably(key, mqtt.topic_of(name), "", None, consumer)
            else:
                self.serving.subscribe_to_topic(mqtt.topic_of(name), consumer)
        if retained:
            for message in self.serving.retained.values():
                if matches(mqtt.topic_of(name), message.destination.partition("/")[2]):
                    self._write(message, 0, retain=True)

    def _unsubscribe(self, packet: Packet, body: Reader) -> None:
        number = body.take(2)
        while body.more():
            self._forget(body.text())
        self._send(mqtt.UNSUBACK, number)

    def _forget(self, name: str) -> None:
        known = self._subscriptions.pop(name, None)
        if known is None:
            return
        self.serving.leave(known[0], "it unsubscribed")
        key = (self.client_id, _DURABLE + name)
        if key in self.serving.durables:
            self.serving.unsubscribe_durably(key)

    def _deliver(self, consumer: Consumer, message: Message, qos: int) -> None:
        if qos == 0:
            self._write(message, 0)
            return
        self._packet_ids = self._packet_ids % 65535 + 1
        self._unacknowledged[self._packet_ids] = consumer, message.id
        self._write(message, self._packet_ids)

    def _write(self, message: Message, number: int, *, retain: bool = False) -> None:
        name = mqtt.name_of(message.destination.partition("/")[2])
        flags = (2 if number else 0) | (8 if number and message.redelivered else 0) | retain
        id = number.to_bytes(2, "big") if number else b""
        self._send(mqtt.PUBLISH, mqtt.text(name) + id + message.body, flags)

    def _acknowledged(self, packet: Packet, body: Reader) -> None:
        consumer, id = self._unacknowledged.pop(body.number(), (None, ""))
        message = consumer.dispatched.get(id) if consumer else None
        if consumer is not None and message is not None and consumer.source is not None:
            consumer.source.acknowledge(consumer, [message])


_HANDLERS = {
    mqtt.CONNECT: MqttSession._connect,
    mqtt.PUBLISH: MqttSession._publish,
    mqtt.PUBACK: MqttSession._acknowledged,
    mqtt.SUBSCRIBE: MqttSession._subscribe,
    mqtt.UNSUBSCRIBE: MqttSession._unsubscribe,
    mqtt.PINGREQ: MqttSession._ping,
    mqtt.DISCONNECT: MqttSession._disconnect,
}
