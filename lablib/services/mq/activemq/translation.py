"""Messages as STOMP's frames have them, and destinations by their names (ActiveMQ's LegacyFrameTranslator, 2026)."""

from __future__ import annotations

from lablib.services.mq.activemq.broker import Refused
from lablib.services.mq.activemq.destinations import Message
from lablib.services.mq.activemq.stomp import Frame, is_whole

PROTOCOL = "org.apache.activemq.transport.stomp.ProtocolException"
NOT_SIMULATED = "This lab does not simulate {}"
_STANDARD = ("correlation-id", "reply-to", "type")
_NOT_PASSED_ON = ("receipt", "message-id", "redelivered", "subscription", "JMSXUserID", "content-length", "transaction")


def _whole(text: str, digits: int) -> int:
    if not is_whole(text.removeprefix("-"), digits):
        raise Refused(f'For input string: "{text}"', "java.lang.NumberFormatException")
    return int(text)


def message_of(frame: Frame, id: str, sender: str, now: int) -> Message:
    """The message that a SEND frame carries. `now`: milliseconds since 1970. Raises Refused."""
    headers = dict(frame.headers)
    destination = destination_of(headers.pop("destination"))
    if "AMQ_SCHEDULED_" in "".join(headers) and any(name.startswith("AMQ_SCHEDULED_") for name in headers):
        raise Refused(NOT_SIMULATED.format("scheduled delivery"))
    priority = _whole(headers.pop("priority"), 10) if "priority" in headers else 4
    expires = _whole(headers.pop("expires"), 19) if "expires" in headers else 0
    timestamp = _whole(headers.pop("timestamp"), 19) if "timestamp" in headers else now
    return Message(
        id,
        destination,
        frame.body,
        has_length="content-length" in headers,
        persistent=headers.pop("persistent", "false") == "true",
        headers={name: headers.pop(name) for name in _STANDARD if name in headers},
        properties={k: v for k, v in headers.items() if k not in _NOT_PASSED_ON},
        priority=min(9, max(0, priority)),
        expires=expires,
        timestamp=timestamp,
        sender=sender,
    )


def message_frame(message: Message) -> Frame:
    """The MESSAGE frame of a message, without what belongs to a subscription."""
    headers = {"destination": f"/{message.destination}", "message-id": message.id, **message.headers}
    headers["expires"] = str(message.expires)
    if message.redelivered:
        headers["redelivered"] = "true"
    headers |= {"priority": str(message.priority), "timestamp": str(message.timestamp)}
    if message.original_destination:
        headers["original-destination"] = f"/{message.original_destination}"
    if message.persistent:
        headers["persistent"] = "true"
    headers |= message.properties
    if message.has_length:
        headers["content-length"] = str(len(message.body))
    return Frame("MESSAGE", headers, message.body)


def destination_of(name: str | None) -> str:
    """ "queue/orders" of "/queue/orders". Raises Refused."""
    if not name:
        raise Refused("Invalid empty or 'null' Destination header", PROTOCOL)
    stripped = name.strip()
    for kind in ("queue", "topic"):
        if stripped.startswith(f"/{kind}/"):
            what = stripped[len(kind) + 2 :]
            if "," in what:
                raise Refused(NOT_SIMULATED.format("composite destinations"))
            if "VirtualTopic." in what:
                raise Refused(NOT_SIMULATED.format("virtual topics"))
            return f"{kind}/{what}"
    if stripped.startswith(("/temp-queue/", "/temp-topic/", "/remote-temp-")):
        raise Refused(NOT_SIMULATED.format("temporary destinations"))
    raise Refused(
        f"Illegal destination name: [{name}] -- ActiveMQ STOMP destinations must begin with one of: "
        "/queue/ /topic/ /temp-queue/ /temp-topic/",
        PROTOCOL,
    )
