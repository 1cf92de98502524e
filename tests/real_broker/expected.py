"""What a real broker does, as `SEEN.md` tells it: the checks that both a real and a simulated broker must pass."""

ROUTES = {
    ("direct", "red"): ["a", "b"], ("direct", "blue"): ["b"], ("direct", "Red"): ["c"],
    ("direct", "none"): [], ("direct", ""): [],
    ("fanout", "red"): ["a", "b"], ("fanout", ""): ["a", "b"],
    ("topic", "quick.orange.rabbit"): ["a", "b", "d"], ("topic", "lazy.orange.elephant"): ["a", "c", "d"],
    ("topic", "lazy"): ["c", "d", "e"], ("topic", "lazy.a.b.c.d"): ["c", "d"], ("topic", "one"): ["d", "e"],
    ("topic", ""): ["d"], ("topic", "orange"): ["d", "e"], ("topic", "a.b"): ["d"],
    ("headers", "{'color': 'red'}"): ["any", "none"],
    ("headers", "{'color': 'red', 'size': 1}"): ["all", "any", "none"],
    ("headers", "{'size': 1}"): ["any"], ("headers", "{'size': '1'}"): [], ("headers", "{}"): [],
}  # fmt: skip

CONFIRMS = {
    "routable": "confirmed", "unroutable": "confirmed", "mandatory": "returned 312 NO_ROUTE",
    "first of one": "confirmed", "second of one": "refused", "drop-head": "confirmed", "left": "2",
}  # fmt: skip


def _death(body, queue, reason):
    fields = {"reason": reason, "queue": queue, "count": 1, "exchange": "", "routing-keys": [queue]}
    return body, queue, fields, (reason, queue)


DEAD_LETTERS = [
    _death("m1", "work", "maxlen"), _death("m2", "work", "rejected"), _death("m3", "work", "rejected"),
    _death("m4", "slow", "expired"),
]  # fmt: skip

REDELIVERIES = {
    "requeued": [("m1", True), ("m2", False), ("m3", False)],
    "taken": [("m1", True), ("m2", True)],
    "after": [("m1", True), ("m2", True), ("m3", True)],
}

_UNEQUAL = "406 PRECONDITION_FAILED - inequivalent arg"

MISTAKES = {
    "passive": "404 NOT_FOUND - no queue 'no-such' in vhost '/'",
    "consume": "404 NOT_FOUND - no queue 'no-such' in vhost '/'",
    "publish": "404 NOT_FOUND - no exchange 'no-such' in vhost '/'",
    "tag": "406 PRECONDITION_FAILED - unknown delivery tag 99",
    "durable": f"{_UNEQUAL} 'durable' for queue 'made' in vhost '/': received 'false' but current is 'true'",
    "argument": f"{_UNEQUAL} 'x-message-ttl' for queue 'plain' in vhost '/': "
    "received the value '5' of type 'signedint' but current is none",
    "classic": "fine",
    "quorum": f"{_UNEQUAL} 'x-queue-type' for queue 'plain' in vhost '/': "
    "received the value 'quorum' of type 'longstr' but current is none",
    "quorum again": f"{_UNEQUAL} 'x-queue-type' for queue 'made' in vhost '/': "
    "received the value 'quorum' of type 'longstr' but current is none",
    "type": f"{_UNEQUAL} 'type' for exchange 'typed' in vhost '/': received 'topic' but current is 'direct'",
    "reserved": "403 ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
    "unknown type": "! 503 COMMAND_INVALID - unknown exchange type 'sideways'",
    "default": "403 ACCESS_REFUSED - operation not permitted on the default exchange",
    "exclusive": "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could "
    "be originally declared on another connection or the exclusive property value does not match that of the original "
    "declaration.",
    "not empty": "406 PRECONDITION_FAILED - queue 'made' in vhost '/' not empty",
}

KEPT = [("mode2", True), "404 NOT_FOUND - no queue 'transient' in vhost '/'"]

WRONG_FRAMES = {
    "subscribe without id": ["SUBSCRIBE received without a subscription id!"],
    "subscribe without destination": ["Invalid empty or 'null' Destination header"],
    "send without destination": ["SEND received without a Destination specified!"],
    "ack of nothing": ["Unexpected ACK received for message-id [null]"],
    "nack of nothing": ["Unexpected NACK received for message-id [null]"],
    "unsubscribe of nothing": ["No subscription matched."],
    "commit of nothing": ["Invalid transaction id: t9"],
    "unknown command": ["Unknown STOMP action: SHOUT", "hangs up"],
    "connect twice": ["Already connected."],
}

SELECTED = {
    "urgent = 'yes'": (["yes1", "yes9"], ["no2"]),
    "urgent <> 'yes'": (["no2"], ["yes1", "yes9"]),
    "urgent = 'yes' AND size = '9'": (["yes9"], ["yes1", "no2"]),
    "urgent LIKE 'y%'": (["yes1", "yes9"], ["no2"]),
    "urgent IN ('no')": (["no2"], ["yes1", "yes9"]),
    "nope IS NULL": (["yes1", "no2", "yes9"], []),
    "size > 3": (["yes9"], ["yes1", "no2"]),
    "size > '3'": ([], ["yes1", "no2", "yes9"]),
}

FLAGS_AFTER_LEAVING = (
    ["m1", "m2", "m3"],
    [("m1", True), ("m2", True), ("m3", True), ("m4", False), ("m5", False)],
)
FLAGS_AFTER_CRASH = (
    ["m1", "m2", "m3"],
    [("m1", False), ("m2", False), ("m3", False), ("m4", False), ("m5", False)],
)


def check_failover(seen, *, persistent, receipts, attached, at=300):
    """What a failover may do, and what it may not. The exact numbers differ from run to run, on a real broker too."""
    lost, doubled = seen["lost"], seen["doubled"]
    assert not seen["flagged"], "a crash flags nothing: the broker does not write down what it had dispatched"
    assert not seen["unconfirmed"]
    assert seen["dark"] > 0
    if receipts and (persistent or attached):
        assert not [n for n in lost if n >= at], "what was not confirmed was sent again"
    if receipts and persistent:
        assert not lost
    if not receipts:
        assert at <= max(lost) < at + 100, "what went into a dead connection is gone"
    if not receipts and (persistent or attached):
        assert min(lost) >= at - 5, "what was stored, or handed on, before the crash is there"
    if not persistent and not attached:
        assert set(range(1, at - 1)) <= set(lost), "what was only in the memory of the broker is gone"
    assert len(doubled) <= 5 and all(abs(n - at) < 100 for n in doubled), "only what was under way at the crash"
    if not attached and not receipts:
        assert not doubled
    assert not [pair for pair in seen["back"] if pair[0] - pair[1] > 5], "the order of a queue is kept"
