"""HTTP/1.1 on connections of the virtual network: requests come in, documents of JSON go out. Nothing blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from lablib.kernel.servers import Connection

_MOST = 1 << 20  # bytes of a head


class HttpRequest(NamedTuple):
    """A request as it came. `path` without its query, split at its slashes and unquoted; `host`: the client's."""

    method: str
    path: list[str]
    query: dict[str, str]
    body: bytes
    host: str


Answer = Callable[[HttpRequest], tuple[int, Any]]


def serve(connection: Connection, answer: Answer, most: int) -> None:
    """Answer the requests of a connection one after another. `answer` gives a status and a document; a body may have
    `most` bytes."""
    _Conversation(connection, answer, most)


class _Conversation:
    def __init__(self, connection: Connection, answer: Answer, most: int) -> None:
        self._connection, self._answer, self._most = connection, answer, most
        self._data = bytearray()
        connection.on_data = self._received
        connection.on_end = lambda reason: None

    def _received(self, data: bytes) -> None:
        self._data += data
        while self._connection.open and self._one():
            pass

    def _one(self) -> bool:
        """Answer the next request, if all of it is here."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _MOST:
                self._refuse(431)
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        try:
            method, target, version = first.split(" ")
            size = headers.get("content-length", "0")
            if not re.fullmatch("[0-9]{1,18}", size):
                raise ValueError(size)
            parts = urlsplit(target)
        except ValueError:
            self._refuse(400)
            return False
        if "chunked" in headers.get("transfer-encoding", ""):
            self._refuse(411)
            return False
        if int(size) > self._most:
            self._refuse(413)
            return False
        whole = end + 4 + int(size)
        if len(self._data) < whole:
            return False
        body = bytes(self._data[end + 4 : whole])
        del self._data[:whole]
        path = [unquote(part) for part in parts.path.split("/") if part]
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        status, document = self._answer(HttpRequest(method, path, query, body, self._connection.peer))
        keep = version != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
        self._send(status, document, keep, method == "HEAD")
        return True

    def _refuse(self, status: int) -> None:
        self._send(status, {"message": HTTPStatus(status).phrase}, keep=False, bare=False)

    def _send(self, status: int, document: Any, keep: bool, bare: bool) -> None:
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        self._connection.send(head.encode() + (b"" if bare else body))
        if not keep:
            self._connection.close()
