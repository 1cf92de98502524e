"""The management API over HTTP: what programs ask for the numbers of queues, nodes and the whole broker.

As RabbitMQ's HTTP API reference describes it, with the fields that the lab can tell. All else is answered with 404.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lablib.aws.documents import read_json
from lablib.kernel import servers
from lablib.services.mq.engine import Node
from lablib.services.mq.rabbitmq.queues import Queue
from lablib.services.mq.rabbitmq.settings import Policy

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq import RabbitMq

_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 413: "Request Entity Too Large",
}  # fmt: skip
_MOST = 1 << 20  # bytes of a request that are taken


class _Refused(Exception):
    def __init__(self, status: int, error: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.body = status, {"error": error, "reason": reason}


class Page:
    """One HTTP connection to a node."""

    def __init__(self, broker: RabbitMq, node: Node, wire: servers.Connection) -> None:
        self.broker, self.node, self.wire = broker, node, wire
        self._data = b""
        wire.on_data = self._receive

    def _receive(self, data: bytes) -> None:
        self._data += data
        while self.wire.open and (parts := self._whole()) is not None:
            line, headers, body = parts
            self._answer(line, headers, body)
        if len(self._data) > _MOST:
            self._send(413, {"error": "bad_request", "reason": "too large"}, close=True)

    def _whole(self) -> tuple[str, dict[str, str], bytes] | None:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = headers.get("content-length", "0")
        length = int(size) if re.fullmatch("[0-9]{1,18}", size) else 0
        if len(rest) < length:
            return None
        self._data = rest[length:]
        return first, headers, rest[:length]

    def _answer(self, line: str, headers: dict[str, str], body: bytes) -> None:
        method, _, path = line.rpartition(" ")[0].partition(" ")
        close = headers.get("connection", "").lower() == "close"
        try:
            if not path:
                raise _Refused(400, "bad_request", "no HTTP request")
            self._check_login(headers.get("authorization", ""))
            parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
            status, answer = self._resource(method, parts, body)
        except _Refused as refused:
            status, answer = refused.status, refused.body
        self._send(status, answer, close)

    def _send(self, status: int, answer: Any, close: bool = False) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        more = 'WWW-Authenticate: Basic realm="RabbitMQ Management"\r\n' if status == 401 else ""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(data)}\r\n{more}{'connection: close' if close else 'server: Cowboy'}\r\n\r\n"
        )
        self.wire.send(head.encode() + data)
        if close:
            self.wire.close()

    def _check_login(self, given: str) -> None:
        try:
            kind, _, code = given.partition(" ")
            name, _, password = base64.b64decode(code, validate=True).decode().partition(":")
        except ValueError:
            kind = name = password = ""
        user = self.broker.broker.users.get(name)
        if kind.lower() != "basic" or user is None or user.password != password:
            raise _Refused(401, "not_authorized", "Login failed")
        self.user = name

    # ---- what there is ----------------------------------------------------------------------------------------------

    def _resource(self, method: str, parts: list[str], body: bytes) -> tuple[int, Any]:
        vhost = self.broker.vhost
        if parts[0] != "api":
            raise _Refused(404, "Object Not Found", "Not Found")
        if parts[1:2] == ["policies"] and len(parts) == 4 and method in ("PUT", "DELETE"):
            return self._change_policy(method, parts[3], body)
        if method != "GET":
            raise _Refused(405, "method_not_allowed", "Method Not Allowed")
        lists = {
            "overview": self._overview,
            "whoami": lambda: {"name": self.user, "tags": ["administrator"]},
            "nodes": lambda: [self._node(number) for number in range(1, len(self.broker.broker.hosts) + 1)],
            "queues": lambda: [self._queue(queue) for queue in vhost.queues.values()],
            "exchanges": lambda: [self._exchange(name) for name in vhost.exchanges],
            "bindings": self._bindings,
            "connections": lambda: [
                {"name": f"{c.peer}:{c.wire.peer_port}", "user": c.user, "state": "blocked" if c.blocked else c.state,
                 "channels": len(c.channels), "node": self.broker.node_name(c.node.number)}
                for c in self.broker.connections
            ],
            "policies": lambda: [self._policy(policy) for policy in vhost.policies.values()],
        }  # fmt: skip
        match parts[1:]:
            case [what] if what in lists:
                return 200, lists[what]()
            case [what, "/"] if what in ("queues", "exchanges", "bindings", "policies"):
                return 200, lists[what]()
            case ["queues", "/", name] if name in vhost.queues:
                return 200, self._queue(vhost.queues[name])
            case ["exchanges", "/", name] if name in vhost.exchanges:
                return 200, self._exchange(name)
        raise _Refused(404, "Object Not Found", "Not Found")

    def _overview(self) -> dict[str, Any]:
        broker = self.broker
        infos = [queue.info() for queue in broker.vhost.queues.values()]
        counts = ("messages", "messages_ready", "messages_unacknowledged")
        return {
            "product_name": "RabbitMQ", "rabbitmq_version": broker.broker.version,
            "cluster_name": broker.broker.dns(), "node": broker.node_name(self.node.number),
            "queue_totals": {name: sum(info[name] for info in infos) for name in counts},
            "object_totals": {
                "channels": sum(len(c.channels) for c in broker.connections),
                "connections": len(broker.connections), "consumers": sum(info["consumers"] for info in infos),
                "exchanges": len(broker.vhost.exchanges), "queues": len(infos),
            },
        }  # fmt: skip

    def _node(self, number: int) -> dict[str, Any]:
        used = self.broker.used()[number]
        return {
            "name": self.broker.node_name(number), "running": number in self.broker.nodes,
            "mem_used": used["memory"], "mem_limit": self.broker.quota("memory"),
            "mem_alarm": used["memory"] > self.broker.quota("memory"),
            "disk_free_alarm": used["disk"] > self.broker.quota("disk"),
            "partitions": [],
        }  # fmt: skip

    def _queue(self, queue: Queue) -> dict[str, Any]:
        nodes = [self.broker.node_name(number) for number in queue.copies.nodes]
        running = [self.broker.node_name(n) for n in queue.copies.nodes if n in self.broker.nodes]
        of_type = (
            {"leader": self.broker.node_name(queue.home), "members": nodes, "online": running} if queue.quorum else
            {"slave_nodes": nodes[1:], "synchronised_slave_nodes": [
                self.broker.node_name(n) for n in getattr(queue.copies, "synchronised", ())]}
        )  # fmt: skip
        return {
            "name": queue.name, "vhost": "/", "type": "quorum" if queue.quorum else "classic",
            "durable": queue.durable, "auto_delete": queue.auto_delete, "exclusive": queue.owner is not None,
            "arguments": dict(queue.settings.arguments), "node": self.broker.node_name(queue.home),
            "state": "running" if queue.available else "down", **queue.info(), **of_type,
        }  # fmt: skip

    def _exchange(self, name: str) -> dict[str, Any]:
        found = self.broker.vhost.exchanges[name]
        return {
            "name": name, "vhost": "/", "type": found.type, "durable": found.durable, "auto_delete": found.auto_delete,
            "internal": found.internal, "arguments": dict(found.arguments),
        }  # fmt: skip

    def _bindings(self) -> list[dict[str, Any]]:
        return [
            {"source": exchange.name, "vhost": "/", "destination": binding.destination,
             "destination_type": binding.kind, "routing_key": binding.routing_key,
             "arguments": dict(binding.arguments)}
            for exchange in self.broker.vhost.exchanges.values() for binding in exchange.bindings
        ]  # fmt: skip

    # ---- policies ---------------------------------------------------------------------------------------------------

    def _policy(self, policy: Policy) -> dict[str, Any]:
        return {
            "name": policy.name, "vhost": "/", "pattern": policy.pattern, "apply-to": policy.apply_to,
            "definition": dict(policy.definition), "priority": policy.priority,
        }  # fmt: skip

    def _change_policy(self, method: str, name: str, body: bytes) -> tuple[int, Any]:
        policies = self.broker.vhost.policies
        if method == "DELETE":
            if name not in policies:
                raise _Refused(404, "Object Not Found", "Not Found")
            del policies[name]
            status = 204
        else:
            try:
                given = read_json(body)
                made = Policy(name, given["pattern"], given["definition"], given.get("priority", 0),
                              given.get("apply-to", "all"))  # fmt: skip
            except ValueError:
                raise _Refused(400, "bad_request", "not_json") from None
            except (KeyError, TypeError) as error:
                raise _Refused(400, "bad_request", f"key_missing: {error}") from None
            if wrong := made.wrong():
                raise _Refused(400, "bad_request", f"Validation failed\n\n{wrong}")
            status = 204 if name in policies else 201
            policies[name] = made
        self.broker.vhost.policies_changed()
        return status, None
