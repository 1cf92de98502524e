"""A connection: the handshake, heartbeats, frames for its channels, and its end. As rabbit_reader does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lablib.kernel import servers
from lablib.kernel.loop import Timer
from lablib.services.mq.engine import Node
from lablib.services.mq.rabbitmq import codec
from lablib.services.mq.rabbitmq.channel import Channel
from lablib.services.mq.rabbitmq.codec import AmqpError, Frame, Method

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq import RabbitMq

_HANDSHAKE = 10.0  # seconds until a client must have opened (RabbitMQ: handshake_timeout)
_CLOSING = 30.0  # seconds for which close-ok is waited for (RabbitMQ: ?CLOSING_TIMEOUT)
_SILENT_CLOSE = 3.0  # seconds after which a refused client is cut off (rabbit_reader: ?SILENT_CLOSE_DELAY)
_CHANNELS, _FRAME, _HEARTBEAT = 2047, 131072, 60  # what RabbitMQ proposes
_CAPABILITIES = (
    "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
    "authentication_failure_close", "per_consumer_qos",
)  # fmt: skip


class _Content:
    """A message that is coming in: its command, then the header, then so many bytes of body."""

    def __init__(self, args: dict[str, Any]) -> None:
        self.args = args
        self.properties: bytes | None = None
        self.size = 0
        self.body = bytearray()


class Connection:
    """One client. `peer`: its host; `user`: as whom it has logged in. `state`: header, start, tune, open, running,
    closing, closed."""

    def __init__(self, broker: RabbitMq, node: Node, wire: servers.Connection) -> None:
        self.broker, self.node, self.wire = broker, node, wire
        self.peer = wire.peer
        self.user = ""
        self.state = "header"
        self.channels: dict[int, Channel] = {}
        self.blocked = False
        self._content: dict[int, _Content] = {}
        self._half_closed: set[int] = set()  # channels whose close-ok we wait for
        self._reader = codec.FrameReader()
        self._capabilities: dict[str, Any] = {}
        self._frame_max, self._channel_max = _FRAME, _CHANNELS
        self._heard = self._said = broker.now
        self._timers: list[Timer] = [node.after(_HANDSHAKE, self._too_slow)]
        wire.on_data, wire.on_end = self._receive, self._lost

    def can(self, capability: str) -> bool:
        """Does the client understand this extension?"""
        return self._capabilities.get(capability) is True

    # ---- sending ----------------------------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        self._said = self.broker.now
        self.wire.send(data)

    def say(self, channel: int, name: str, **args: Any) -> None:
        """Send a command."""
        self._send(codec.frame(codec.METHOD, channel, codec.write_method(name, **args)))

    def send_content(self, channel: int, method: bytes, properties: bytes, body: bytes) -> None:
        """Send a command with a message."""
        self._send(codec.content(channel, method, properties, body, self._frame_max))

    # ---- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        self._heard = self.broker.now
        if self.state == "header":
            ours = self._reader.take_protocol_header(data)
            if ours is False:
                self._send(codec.PROTOCOL_HEADER)
                self._end("spoke another protocol")
            if not ours:
                return
            self._start()
            data = b""
        try:
            for frame in self._reader.feed(data):
                if self.state == "closed":
                    return
                self._take(frame)
        except AmqpError as error:
            self.close(error, "")

    def _take(self, frame: Frame) -> None:
        name = ""
        channel = self.channels.get(frame.channel)
        try:
            if frame.kind == codec.HEARTBEAT:
                if frame.channel:
                    raise AmqpError(501, f"heartbeat on channel {frame.channel}")
            elif frame.kind == codec.METHOD:
                method = codec.read_method(frame.payload)
                name = method.name
                self._method(frame.channel, method)
            elif self.state == "running" and frame.channel not in self._half_closed:
                self._take_content(frame)
        except AmqpError as error:
            if error.ends_connection or channel is None:
                self.close(error, name)
            else:
                self.fail(channel, error, name)

    def _method(self, number: int, method: Method) -> None:
        name, args = method
        if name == "connection.close":
            self.say(0, "connection.close-ok")
            return self._end("closed the connection")
        if name == "connection.close-ok":
            return self._end(self._why)
        if self.state == "closing":
            return
        if number == 0:
            handler = getattr(self, "_" + name.replace(".", "_").replace("-", "_"), None)
            if not name.startswith("connection.") or handler is None:
                raise AmqpError(503, f"unexpected method in connection state {self.state}")
            return handler(**args)
        if self.state != "running":
            raise AmqpError(503, f"unexpected method in connection state {self.state}")
        self._channel_method(number, name, args)

    def _channel_method(self, number: int, name: str, args: dict[str, Any]) -> None:
        if number in self._half_closed:
            if name == "channel.close":
                self.say(number, "channel.close-ok")
            if name in ("channel.close", "channel.close-ok"):
                self._half_closed.discard(number)
            return
        channel = self.channels.get(number)
        if number in self._content:
            what = "body" if self._content[number].properties is not None else "header for class 60"
            non = "body" if self._content[number].properties is not None else "header"
            raise AmqpError(505, f"expected content {what}, got non content {non} frame instead")
        if name == "channel.open":
            if channel is not None:
                raise AmqpError(504, "second 'channel.open' seen")
            if len(self.channels) >= self._channel_max:
                text = f"number of channels opened ({len(self.channels)}) has reached the negotiated channel_max"
                raise AmqpError(530, f"{text} ({self._channel_max})")
            self.channels[number] = Channel(self, number)
            self.say(number, "channel.open-ok")
        elif channel is None:
            raise AmqpError(504, "expected 'channel.open'")
        elif name == "channel.close":
            del self.channels[number]
            channel.close("closed its channel")
            self.say(number, "channel.close-ok")
        elif name == "basic.publish":
            self._content[number] = _Content(args)
        else:
            channel.handle(name, args)

    def _take_content(self, frame: Frame) -> None:
        content = self._content.get(frame.channel)
        if content is None:
            raise AmqpError(505, "expected method frame, got non method frame instead")
        if frame.kind == codec.HEADER:
            if content.properties is not None:
                raise AmqpError(505, "expected content body, got non content body frame instead")
            class_id, content.size, content.properties = codec.read_header(frame.payload)
            if class_id != 60:
                raise AmqpError(505, f"expected content header for class 60, got one for class {class_id} instead")
        elif content.properties is None:
            raise AmqpError(505, "expected content header for class 60, got non content header frame instead")
        else:
            content.body += frame.payload
        if len(content.body) > content.size:
            raise AmqpError(505, "expected content body, got non content body frame instead")
        if len(content.body) == content.size:
            del self._content[frame.channel]
            self.channels[frame.channel].publish(
                **content.args, properties=content.properties, body=bytes(content.body)
            )
            if self.broker.alarm:
                self.block(self.broker.alarm)

    # ---- the handshake ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.state = "start"
        properties = {
            "capabilities": dict.fromkeys(_CAPABILITIES, True),
            "cluster_name": f"rabbit@{self.broker.broker.dns()}",
            "platform": "Erlang/OTP", "product": "RabbitMQ", "version": self.broker.broker.version,
        }  # fmt: skip
        self.say(0, "connection.start", version_major=0, version_minor=9, server_properties=properties,
                 mechanisms="PLAIN AMQPLAIN", locales="en_US")  # fmt: skip

    def _expect(self, state: str) -> None:
        if self.state != state:
            raise AmqpError(503, f"unexpected method in connection state {self.state}")

    def _connection_start_ok(
        self, client_properties: dict[str, Any], mechanism: str, response: str, locale: str
    ) -> None:
        self._expect("start")
        capabilities = client_properties.get("capabilities")
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        if mechanism == "PLAIN":
            _, name, password = [*response.split("\0", 2), "", ""][:3]
        elif mechanism == "AMQPLAIN":
            found = codec.read_fields(response)
            name, password = str(found.get("LOGIN", "")), str(found.get("PASSWORD", ""))
        else:
            raise AmqpError(504, f"unknown authentication mechanism '{mechanism}'")
        user = self.broker.broker.users.get(name)
        if user is None or user.password != password:
            return self._refuse(name, mechanism)
        self.user, self.state = name, "tune"
        self.say(0, "connection.tune", channel_max=_CHANNELS, frame_max=_FRAME, heartbeat=_HEARTBEAT)

    def _refuse(self, name: str, mechanism: str) -> None:
        """A client that says it understands is told; any other is cut off, after a while."""
        self.broker.emit("ClientRefused", actor=self.peer, detail=f"no user {name!r} with this password")
        if self.can("authentication_failure_close"):
            text = f"Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
            self.close(AmqpError(403, text), "")
        else:
            self.state = "closing"
            self._timers.append(self.node.after(_SILENT_CLOSE, self._end, "was refused"))

    def _connection_tune_ok(self, channel_max: int, frame_max: int, heartbeat: int) -> None:
        self._expect("tune")
        if 0 < frame_max < codec.MIN_FRAME:
            raise AmqpError(530, f"frame_max={frame_max} < {codec.MIN_FRAME} min size")
        if frame_max > _FRAME:
            raise AmqpError(530, f"frame_max={frame_max} > {_FRAME} max size")
        if channel_max > _CHANNELS:
            raise AmqpError(530, f"channel_max={channel_max} > {_CHANNELS} max size")
        self._frame_max = self._reader.frame_max = frame_max
        self._channel_max = channel_max or _CHANNELS
        self.state = "open"
        if heartbeat:
            self._beat(heartbeat)

    def _connection_open(self, virtual_host: str) -> None:
        self._expect("open")
        if virtual_host != "/":
            raise AmqpError(530, f"vhost {virtual_host} not found")
        self.state = "running"
        self._timers[0].cancel()
        self.broker.emit("ClientConnected", actor=self.peer, detail=f"{self.user}, to {self.node.name}")
        self.say(0, "connection.open-ok")

    def _connection_update_secret(self, new_secret: str, reason: str) -> None:
        raise AmqpError(540, "connection.update-secret is not simulated in this lab")

    def _too_slow(self) -> None:
        self._end("did not finish the handshake in time")

    def _beat(self, interval: int) -> None:
        """Send when nothing else was sent for half an interval; hang up when nothing came in two."""
        if self.state == "closed":
            return
        now = self.broker.now
        if self.blocked:  # it is not read, so that it cannot be silent
            self._heard = now
        if now - self._heard > 2 * interval:
            self.wire.abort()
            return self._lost(f"missed heartbeats from client, timeout: {interval}s")
        if now - self._said >= interval / 2:
            self._send(codec.frame(codec.HEARTBEAT, 0))
        self._timers[1:] = [self.node.after(interval / 2, self._beat, interval)]

    # ---- alarms -----------------------------------------------------------------------------------------------------

    def block(self, why: str) -> None:
        """It has published while an alarm is on: nothing more is read from it."""
        if self.blocked or self.state != "running":
            return
        self.blocked = True
        self.wire.pause()
        self.broker.emit("ProducerBlocked", actor=self.peer, detail=f"low on {why}")
        if self.can("connection.blocked"):
            self.say(0, "connection.blocked", reason=f"low on {why}")

    def unblock(self) -> None:
        """The alarm is over."""
        if self.blocked:
            self._let_on()
            if self.can("connection.blocked"):
                self.say(0, "connection.unblocked")
            self.wire.resume()

    def _let_on(self) -> None:
        if self.blocked:
            self.blocked = False
            self.broker.emit("ProducerUnblocked", actor=self.peer)

    # ---- the end ----------------------------------------------------------------------------------------------------

    _why = "was closed after an error"

    def fail(self, channel: Channel, error: AmqpError, method: str) -> None:
        """An error that closes a channel."""
        if not channel.open:
            return
        self._tell(channel.number, "channel.close", error, method)
        self.channels.pop(channel.number, None)
        self._content.pop(channel.number, None)
        self._half_closed.add(channel.number)
        channel.close("lost its channel after an error")

    def close(self, error: AmqpError, method: str) -> None:
        """An error that closes the connection, or the word that the node shuts down."""
        if self.state in ("closing", "closed"):
            return
        if self.state in ("header", "start") and error.code != 403:
            self.state = "closing"  # RabbitMQ says nothing to whom it does not know yet, and cuts it off
            self._timers.append(self.node.after(_SILENT_CLOSE, self._cut_off))
            return
        self._tell(0, "connection.close", error, method)
        self.state = "closing"
        self._release("lost its connection after an error")
        self._timers.append(self.node.after(_CLOSING, self._end, self._why))

    def _tell(self, channel: int, name: str, error: AmqpError, method: str) -> None:
        text = str(error)
        self.broker.emit("ClientError", actor=self.peer, detail=f"{error.code} {text}")
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > 255:
            text = data[:252].decode("utf-8", "ignore") + "..."
        class_id, method_id = codec.ids_of(method)
        self.say(channel, name, reply_code=error.code, reply_text=text, class_id=class_id, method_id=method_id)

    def _cut_off(self) -> None:
        self.wire.abort()
        self._end(self._why)

    def _lost(self, why: str) -> None:
        self._end(why)

    def _end(self, why: str) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        self._let_on()
        self.wire.close()
        self._release("is gone")
        for timer in self._timers:
            timer.cancel()
        self.broker.disconnected(self)
        if self.user:
            self.broker.emit("ClientGone", actor=self.peer, detail=why)

    def _release(self, why: str) -> None:
        for channel in self.channels.values():
            channel.close(why)
        self.channels.clear()
        self._content.clear()
        self.broker.delete_exclusive(self)

    def vanish(self) -> None:
        """Its node is gone, and nobody there can do anything any more."""
        self.state = "closed"
        self._let_on()
        for channel in self.channels.values():
            channel.open = False
