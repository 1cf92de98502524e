"""One STOMP client of an ActiveMQ broker, as ActiveMQ's ProtocolConverter and StompSubscription treat it (source of
2026).

Frames are handled one after the other. A receipt comes when its frame has had its effect; for a persistent message that
is when it is on the disk, and until then nothing more of that client is looked at. Without a receipt nobody waits, and
nobody knows. An error does not end the connection, except in bytes that are no frame, and at the login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lablib.kernel.servers import Connection
from lablib.services.mq.activemq.broker import Refused
from lablib.services.mq.activemq.destinations import Consumer, Message
from lablib.services.mq.activemq.selectors import SelectorError
from lablib.services.mq.activemq.session import Session
from lablib.services.mq.activemq.stomp import BrokenFrame, Decoder, Frame, detect_version, is_whole
from lablib.services.mq.activemq.translation import NOT_SIMULATED, PROTOCOL, destination_of, message_frame, message_of

if TYPE_CHECKING:
    from lablib.services.mq.activemq.broker import Serving

_QUEUE_PREFETCH, _TOPIC_PREFETCH, _DURABLE_PREFETCH = 1000, 32767, 100  # ActiveMQPrefetchPolicy


class _Subscription:
    """What a client calls a subscription: its id, its consumer, how it acknowledges ("auto", "client",
    "client-individual").

    `in_transaction`: messages acknowledged in a transaction that is not committed yet."""

    def __init__(self, id: str, mode: str, destination: str) -> None:
        self.id, self.mode, self.destination = id, mode, destination
        self.consumer: Consumer
        self.in_transaction: list[Message] = []


class _Transaction:
    """What a client has done since BEGIN."""

    def __init__(self) -> None:
        self.sends: list[Message] = []
        self.acks: list[tuple[_Subscription, Message]] = []


class StompSession(Session[Frame]):
    """See the module."""

    def __init__(self, serving: Serving, connection: Connection) -> None:
        super().__init__(serving, connection)
        self.version = "1.0"
        self._decoder = Decoder()
        self._subscriptions: list[_Subscription] = []
        self._acks: dict[str, tuple[str, _Subscription]] = {}
        self._ack_ids_of: dict[str, list[str]] = {}  # by the id of the message
        self._transactions: dict[str, _Transaction] = {}
        self._sent = self._ack_ids = 0

    # ---- frames in, frames out ---------------------------------------------------------------------------------------

    def decode(self, data: bytes) -> Iterable[Frame]:
        return self._decoder.feed(data)

    def broken(self, error: Exception) -> None:
        self._error(str(error), None)
        self.close("broken frame")

    def sends_to(self, item: Frame) -> str | None:
        return item.headers.get("destination", "") if item.command == "SEND" else None

    def handle(self, item: Frame) -> None:
        try:
            self._do(item)
        except Refused as error:
            self._error(str(error), item, error.java)
            self._blocked = False  # what the frame would have waited for does not come
            self.connection.resume()

    def consumers(self) -> list[Consumer]:
        return [subscription.consumer for subscription in self._subscriptions]

    def _send(self, frame: Frame) -> None:
        self.connection.send(frame.encode(self.version))

    def _receipt(self, frame: Frame) -> None:
        if "receipt" in frame.headers:
            self._send(Frame("RECEIPT", {"receipt-id": frame.headers["receipt"]}))

    def _when_done(self, frame: Frame) -> Callable[[], None] | None:
        """Give this as `done` for what a receipt waits for; nothing more is handled until then."""
        return self.when_done(lambda: self._receipt(frame)) if "receipt" in frame.headers else None

    def _error(self, text: str, frame: Frame | None, java: str = PROTOCOL) -> None:
        headers = {"content-type": "text/plain", "message": text}
        if frame is not None and "receipt" in frame.headers:
            headers["receipt-id"] = frame.headers["receipt"]
        self.serving.broker.emit("ClientError", actor=self.peer, detail=text)
        self._send(Frame("ERROR", headers, f"{java}: {text}\n".encode()))

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _do(self, frame: Frame) -> None:
        command, do = frame.command, _COMMANDS.get(frame.command)
        if do is None:
            if command in ("CONNECT", "STOMP"):
                return self._connect(frame)
            if command == "DISCONNECT":
                return self._disconnect(frame)
            self._error(f"Unknown STOMP action: {command}", frame)
            return self.close("unknown command")  # the one mistake after which a real broker hangs up
        if not self.connected:
            raise Refused("Not connected.", PROTOCOL)
        do(self, frame)

    def _connect(self, frame: Frame) -> None:
        if self.connected:
            raise Refused("Already connected.", PROTOCOL)
        headers = frame.headers
        try:
            self.version = self._decoder.version = detect_version(headers)
            reads, writes = self._heart_beats(headers.get("heart-beat", "0,0").strip())
        except BrokenFrame as error:
            self._error(str(error), frame)
            return self.close("login")
        self.client_id = headers.get("client-id") or self.id
        if why := self.serving.engine.login_refused(headers.get("login"), headers.get("passcode")):
            return self._turn_away(frame, why, "java.lang.SecurityException")
        if any(s is not self and s.client_id == self.client_id for s in self.serving.sessions):
            taken = next(s for s in self.serving.sessions if s is not self and s.client_id == self.client_id)
            text = (
                f"Broker: {self.serving.broker.name} - Client: {self.client_id} already connected from {taken.address}"
            )
            return self._turn_away(frame, text, "javax.jms.InvalidClientIDException")
        self.connected = True
        self.serving.broker.emit("ClientConnected", actor=self.peer, detail=self.client_id)
        answer = {"session": self.client_id, "version": self.version, "heart-beat": f"{writes},{reads}"}
        answer["server"] = f"ActiveMQ/{self.serving.broker.version}"
        self.connection.send(Frame("CONNECTED", answer).encode("1.0"))
        if reads:  # the first look without a byte is no silence yet: readCheck of ActiveMQ's AbstractInactivityMonitor
            self.serving.node.after(min(reads, writes or reads) / 1000, self.check_silence, reads / 1000, 2)
        if writes:
            self.serving.node.after(writes / 1000, self._beat, writes / 1000)

    def _turn_away(self, frame: Frame, text: str, java: str) -> None:
        self.serving.broker.emit("ClientRefused", actor=self.peer, detail=text)
        self._error(text, frame, java)
        self.close("refused")

    @staticmethod
    def _heart_beats(text: str) -> tuple[int, int]:
        reads, comma, writes = text.partition(",")
        if not comma or not is_whole(reads.strip(), 10) or not is_whole(writes.strip(), 10):
            raise BrokenFrame(f"Invalid heart-beat header:{text}")
        return int(reads), int(writes)

    def _beat(self, interval: float) -> None:
        if self.connection.open:
            self.connection.send(b"\n")
            self.serving.node.after(interval, self._beat, interval)

    def _disconnect(self, frame: Frame) -> None:
        self._receipt(frame)
        self.close("disconnected")

    def _message_sent(self, frame: Frame) -> None:
        serving, headers = self.serving, frame.headers
        if "destination" not in headers:
            raise Refused("SEND received without a Destination specified!", PROTOCOL)
        transaction = self._transaction(frame)
        self._sent += 1
        message = message_of(frame, f"{self.id}:-1:1:{self._sent}", self.peer, serving.now_ms)
        if transaction is not None:
            transaction.sends.append(message)
            return self._receipt(frame)
        serving.send(message, self.peer, self._when_done(frame))

    # ---- subscriptions -----------------------------------------------------------------------------------------------

    def _subscribe(self, frame: Frame) -> None:
        headers, serving = frame.headers, self.serving
        id = headers.get("id")
        if id is None and self.version != "1.0":
            raise Refused("SUBSCRIBE received without a subscription id!", PROTOCOL)
        destination = destination_of(headers.get("destination"))
        kind, _, name = destination.partition("/")
        durable = headers.get("activemq.subscriptionName")
        if kind == "queue" and durable is not None:
            raise Refused("Invalid Subscription: cannot durably subscribe to a Queue destination!", PROTOCOL)
        if headers.get("browser") == "true":
            raise Refused(NOT_SIMULATED.format("queue browsers"))
        if kind == "queue" and ("*" in name or ">" in name):
            raise Refused(NOT_SIMULATED.format("wildcards in the names of queues"))
        selector = headers.get("selector", "")
        try:
            test = serving.engine.selector(selector)
        except SelectorError as error:
            raise Refused(str(error), "javax.jms.InvalidSelectorException") from None
        mode = headers.get("ack", "auto")
        mode = mode if mode in ("client", "client-individual") else "auto"
        usual = _QUEUE_PREFETCH if kind == "queue" else _DURABLE_PREFETCH if durable is not None else _TOPIC_PREFETCH
        subscription = _Subscription(id if id is not None else "", mode, destination)
        consumer = subscription.consumer = Consumer(
            f"{self.client_id}:{id}" if id is not None else self.client_id,
            self.peer,
            _number(headers.get("activemq.prefetchSize"), usual),
            lambda consumer, message: self._deliver(subscription, message),
            self.is_clogged,
            auto=mode == "auto",
            selector=test,
            exclusive=headers.get("activemq.exclusive") == "true",
            priority=_number(headers.get("activemq.priority"), 0),
        )
        prefetch, consumer.prefetch = consumer.prefetch, 0  # no message comes before the receipt
        if durable is not None:
            source = serving.subscribe_durably((self.client_id, durable), name, selector, test, consumer)
        else:
            subscribe = serving.subscribe_to_queue if kind == "queue" else serving.subscribe_to_topic
            source = subscribe(name, consumer)
        self._subscriptions.append(subscription)
        self._receipt(frame)
        consumer.prefetch = prefetch
        source.dispatch()

    def _unsubscribe(self, frame: Frame) -> None:
        headers = frame.headers
        id, destination = headers.get("id"), headers.get("destination")
        if id is None and self.version != "1.0":
            raise Refused("UNSUBSCRIBE received without a subscription id!", PROTOCOL)
        if id is None and destination is None:
            raise Refused("Must specify the subscriptionId or the destination you are unsubscribing from", PROTOCOL)
        durable = headers.get("activemq.subscriptionName")
        if durable is not None:
            return self.serving.unsubscribe_durably((self.client_id, durable), self._when_done(frame))
        for subscription in self._subscriptions:
            if subscription.id == id or (id is None and subscription.destination == destination_of(destination)):
                self._subscriptions.remove(subscription)
                self.serving.leave(subscription.consumer, "it unsubscribed")
                return self._receipt(frame)
        raise Refused("No subscription matched.", PROTOCOL)

    def _deliver(self, subscription: _Subscription, message: Message) -> None:
        frame = message_frame(message)
        if subscription.id:
            frame.headers["subscription"] = subscription.id
        if self.version == "1.2" and subscription.mode != "auto":
            self._ack_ids += 1
            ack = frame.headers["ack"] = f"{self.id}:ack:{self._ack_ids}"
            self._acks[ack] = (message.id, subscription)
            self._ack_ids_of.setdefault(message.id, []).append(ack)
        self._send(frame)

    # ---- acknowledgements --------------------------------------------------------------------------------------------

    def _ack(self, frame: Frame) -> None:
        subscription, message_id = self._acknowledged(frame, "ACK")
        transaction = self._transaction(frame)
        message = subscription.consumer.dispatched.get(message_id) if subscription else None
        if subscription is None or message is None:
            raise Refused(f"Unexpected ACK received for message-id [{message_id}]", PROTOCOL)
        messages = [message]
        if subscription.mode == "client":  # this one and all before it
            dispatched = list(subscription.consumer.dispatched.values())
            messages = dispatched[: dispatched.index(message) + 1]
        if transaction is not None:
            new = [m for m in messages if m not in subscription.in_transaction]
            subscription.in_transaction += new
            transaction.acks += [(subscription, m) for m in new]
            return self._receipt(frame)
        self._forget_acks(messages)
        source = subscription.consumer.source
        assert source is not None
        source.acknowledge(subscription.consumer, messages, self._when_done(frame))

    def _nack(self, frame: Frame) -> None:
        if self.version == "1.0":
            raise Refused("NACK received but connection is in v1.0 mode.", PROTOCOL)
        subscription, message_id = self._acknowledged(frame, "NACK")
        self._transaction(frame)
        message = subscription.consumer.dispatched.get(message_id) if subscription else None
        if subscription is None or message is None:
            raise Refused(f"Unexpected NACK received for message-id [{message_id}]", PROTOCOL)
        self._forget_acks([message])
        source = subscription.consumer.source
        assert source is not None
        source.poison(subscription.consumer, message, "its consumer sent NACK", self._when_done(frame))

    def _acknowledged(self, frame: Frame, what: str) -> tuple[_Subscription | None, str]:
        """The subscription and the message's id that an ACK or NACK names, in the way of its version."""
        headers, version = frame.headers, self.version
        message_id, id = headers.get("message-id"), headers.get("subscription")
        if message_id is None and version != "1.2":
            raise Refused(f"{what} received without a message-id to acknowledge!", PROTOCOL)
        if id is None and version == "1.1":
            raise Refused(f"{what} received without a subscription id for acknowledge!", PROTOCOL)
        if version == "1.2":
            if "id" not in headers:
                name = "ack id for" if what == "ACK" else "ack header to"
                raise Refused(f"{what} received without a{'n' if what == 'NACK' else ''} {name} acknowledge!", PROTOCOL)
            known = self._acks.get(headers["id"])
            return (known[1], known[0]) if known else (None, str(message_id or "null"))
        for subscription in self._subscriptions:
            if id in (None, subscription.id) and message_id in subscription.consumer.dispatched:
                return subscription, str(message_id)
        return None, str(message_id)

    def _forget_acks(self, messages: list[Message]) -> None:
        for message in messages:
            for ack in self._ack_ids_of.pop(message.id, ()):
                del self._acks[ack]

    # ---- transactions ------------------------------------------------------------------------------------------------

    def _transaction(self, frame: Frame) -> _Transaction | None:
        name = frame.headers.get("transaction")
        if name is None:
            return None
        if name not in self._transactions:
            raise Refused(f"Invalid transaction id: {name}", PROTOCOL)
        return self._transactions[name]

    def _begin(self, frame: Frame) -> None:
        name = frame.headers.get("transaction")
        if name is None:
            raise Refused("Must specify the transaction you are beginning", PROTOCOL)
        if name in self._transactions:
            raise Refused(f"The transaction was already started: {name}", PROTOCOL)
        self._transactions[name] = _Transaction()
        self._receipt(frame)

    def _take_transaction(self, frame: Frame) -> _Transaction:
        name = frame.headers.get("transaction")
        if name is None:
            raise Refused("Must specify the transaction you are committing", PROTOCOL)
        if name not in self._transactions:
            raise Refused(f"Invalid transaction id: {name}", PROTOCOL)
        return self._transactions.pop(name)

    def _commit(self, frame: Frame) -> None:
        """All of it goes to the disk together; then the messages can be seen, and the receipt comes."""
        transaction, serving = self._take_transaction(frame), self.serving
        changes: list[Any] = []
        sends = [(message, serving.changes_of(message)) for message in transaction.sends]
        for _, each in sends:
            changes += each
        sources = []
        for subscription, message in transaction.acks:
            source = subscription.consumer.source
            subscription.in_transaction.remove(message)
            if source is not None and message.id in subscription.consumer.dispatched:
                self._forget_acks([message])
                changes += source.settle(subscription.consumer, [message])
                sources.append(source)

        def visible() -> None:
            for message, each in sends:
                serving.deliver(message, self.peer, each, stored=True)
            for source in dict.fromkeys(sources):
                source.dispatch()
            self._receipt(frame)

        serving.write(changes, self.when_done(visible))

    def _abort(self, frame: Frame) -> None:
        """Nothing of it is done. What was received stays with the client, and can be acknowledged again."""
        transaction = self._take_transaction(frame)
        for subscription, message in transaction.acks:
            subscription.in_transaction.remove(message)
        self._receipt(frame)


_COMMANDS: dict[str, Callable[[StompSession, Frame], None]] = {
    "SEND": StompSession._message_sent,
    "SUBSCRIBE": StompSession._subscribe,
    "UNSUBSCRIBE": StompSession._unsubscribe,
    "ACK": StompSession._ack,
    "NACK": StompSession._nack,
    "BEGIN": StompSession._begin,
    "COMMIT": StompSession._commit,
    "ABORT": StompSession._abort,
}


def _number(text: str | None, usual: int) -> int:
    """A whole number of a header; what is none is passed over, as ActiveMQ does."""
    return int(text) if text is not None and is_whole(text.removeprefix("-"), 10) else usual
