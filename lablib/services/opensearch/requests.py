"""What a domain is asked over HTTP: to write documents, one by one or many, to find and to count them.

Sources: OpenSearch documentation, "Bulk", "Index document", "Get document", "Search", "Count", "Create index".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from lablib.aws.documents import read_json
from lablib.aws.service import World
from lablib.kernel import Process
from lablib.services.opensearch.documents import Index, Refused, Stored, found
from lablib.services.opensearch.http import HttpRequest

Document = dict[str, Any]


@dataclass(eq=False)
class Domain:
    """A domain, its state for the API and its indexes. `process`: the program that listens on its host."""

    name: str
    id: str
    endpoint: str
    version: str
    settings: Document
    created: float
    processing: bool = True
    deleted: bool = False
    indexes: dict[str, Index] = field(default_factory=dict)
    process: Process | None = None


def answer(world: World, domain: Domain, asked: HttpRequest) -> tuple[int, Any]:
    """The status and the document with which a domain answers."""
    try:
        return _Documents(world, domain, asked).answer()
    except Refused as refused:
        error = refused.document()
        return refused.status, {"error": {"root_cause": [error], **error}, "status": refused.status}


class _Documents:
    """One request to a domain."""

    def __init__(self, world: World, domain: Domain, asked: HttpRequest) -> None:
        self._world, self._domain, self._asked, self._now = world, domain, asked, world.kernel.now

    def answer(self) -> tuple[int, Any]:
        """The status and the document. Raises Refused."""
        method, path = self._asked.method, self._asked.path
        if not path:
            return 200, {"name": self._domain.name, "version": {"distribution": "opensearch", "number": "2.5.0"}}
        name, *rest = path if not path[0].startswith("_") else ["_all", *path]
        what = rest[0] if rest else ""
        if what == "_bulk" and method in ("POST", "PUT"):
            return 200, self._bulk("" if name == "_all" else name)
        if what in ("_doc", "_create") and name != "_all":
            return self._one(name, what, rest[1] if len(rest) > 1 else "")
        if what == "_search" and method in ("GET", "POST"):
            return 200, self._search(name)
        if what == "_count" and method in ("GET", "POST"):
            return 200, {"count": len(self._found(name, self._object())), "_shards": _SHARDS}
        if what == "_refresh" and method in ("GET", "POST"):
            for index in self._indexes(name):
                index.refresh_now()
            return 200, {"_shards": _SHARDS}
        if what == "_mapping" and method == "GET":
            return 200, {i.name: {"mappings": {"properties": i.properties()}} for i in self._indexes(name)}
        if not what and name != "_all":
            return self._whole(name)
        text = f"no handler found for uri [/{'/'.join(path)}] and method [{method}]"
        return 400, {"error": text}

    def _whole(self, name: str) -> tuple[int, Any]:
        """An index itself."""
        if self._asked.method == "PUT":
            if name in self._domain.indexes:
                raise Refused(
                    400, "resource_already_exists_exception", f"index [{name}/{self._domain.id}] already exists"
                )
            index = self._new(name)
            index.declare(self._object().get("mappings", {}), "mappings")
            self._domain.indexes[name] = index
            return 200, {"acknowledged": True, "shards_acknowledged": True, "index": name}
        indexes = self._indexes(name)
        if self._asked.method == "DELETE":
            for index in indexes:
                del self._domain.indexes[index.name]
            return 200, {"acknowledged": True}
        return 200, {i.name: {"mappings": {"properties": i.properties()}} for i in indexes}

    def _one(self, name: str, what: str, id: str) -> tuple[int, Any]:
        """A document by its id."""
        if self._asked.method in ("PUT", "POST"):
            if not id and (self._asked.method == "PUT" or what == "_create"):
                return 405, {
                    "error": f"Incorrect HTTP method for uri [/{name}/{what}] and method [PUT], allowed: [POST]"
                }
            written = self._write("create" if what == "_create" else "index", name, id, self._body())
            if "refresh" in self._asked.query and self._asked.query["refresh"] != "false":
                self._domain.indexes[name].refresh_now()
            return written
        (index,) = self._indexes(name)
        if self._asked.method == "DELETE":
            return self._write("delete", name, id, None)
        stored = index.documents.get(id)
        shown: Document = {"_index": name, "_id": id, "found": stored is not None}
        if stored:
            shown |= {"_version": stored.version, "_seq_no": stored.sequence, "_source": stored.source}
        return (200 if stored else 404), shown

    def _write(self, how: str, name: str, id: str, source: Any) -> tuple[int, Document]:
        """Do one thing to one document. Raises Refused, with a row that tells why."""
        trace, place = self._world.trace, f"{self._domain.name}/{name}"
        id = id or self._world.chance.uuid("opensearch/documents").replace("-", "")[12:]
        subject = f"{place}/{id}"
        try:
            if how == "delete":
                index = self._domain.indexes.get(name) or self._new(name)
                old = index.delete(id, self._now)
                if old:
                    trace.add("DocumentDeleted", place, subject, self._asked.host)
                return (200 if old else 404), _written(name, id, old, "deleted" if old else "not_found")
            index = self._domain.indexes.get(name) or self._new(name)
            stored, is_new = index.put(id, source, self._now, how == "create")
        except Refused as refused:
            trace.add("DocumentRefused", place, subject, self._asked.host, detail=refused.reason)
            raise
        self._domain.indexes[name] = index
        trace.add("DocumentIndexed", place, subject, self._asked.host)
        return (201 if is_new else 200), _written(name, id, stored, "created" if is_new else "updated")

    def _bulk(self, default: str) -> Document:
        """Each item fails or succeeds by itself; only a body that cannot be read is refused as a whole."""
        if not self._asked.body.endswith(b"\n"):
            text = "The bulk request must be terminated by a newline [\\n]"
            raise Refused(400, "illegal_argument_exception", text)
        lines = iter(self._asked.body.split(b"\n")[:-1])
        items = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            action = _json(line)
            if not isinstance(action, dict) or len(action) != 1 or not isinstance(next(iter(action.values())), dict):
                text = f"Malformed action/metadata line [{number}], expected START_OBJECT or END_OBJECT"
                raise Refused(400, "illegal_argument_exception", text)
            ((how, about),) = action.items()
            if how not in ("index", "create", "delete"):
                text = (
                    f"Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update]"
                )
                raise Refused(400, "illegal_argument_exception", text)
            name, id = str(about.get("_index", default)), str(about.get("_id", ""))
            if not name:
                raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;")
            body = None if how == "delete" else next(lines, b"")
            try:
                status, answer = self._write(how, name, id, None if body is None else _json(body))
            except Refused as refused:
                status, answer = refused.status, {"_index": name, "_id": id or None, "error": refused.document()}
            items.append({how: {**answer, "status": status}})
        if self._asked.query.get("refresh", "false") != "false":
            for index in self._domain.indexes.values():
                index.refresh_now()
        return {"took": 1, "errors": any("error" in one for item in items for one in item.values()), "items": items}

    def _search(self, name: str) -> Document:
        body = self._object()
        for word in body:
            if word not in ("query", "size", "from", "track_total_hits"):
                raise Refused(501, "not_simulated", f"[{word}] of a search is not simulated in this lab")
        start, size = (self._number(word, body.get(word, default)) for word, default in _WINDOW)
        most = self._world.quotas["opensearch.result_window"]
        if start + size > most:
            text = f"Result window is too large, from + size must be less than or equal to: [{most}] but was"
            raise Refused(400, "illegal_argument_exception", f"{text} [{start + size}]")
        hits = self._found(name, body)
        shown = [
            {"_index": index.name, "_id": stored.id, "_score": score, "_source": stored.source}
            for score, index, stored in hits[start : start + size]
        ]
        best = max((hit[0] for hit in hits), default=None)
        total = {"value": len(hits), "relation": "eq"}
        return {"took": 1, "timed_out": False, "hits": {"total": total, "max_score": best, "hits": shown}}

    def _number(self, word: str, given: Any) -> int:
        given = self._asked.query.get(word, given)
        if isinstance(given, bool) or not re.fullmatch("-?[0-9]{1,18}", str(given)):
            text = f"Failed to parse int parameter [{word}] with value [{str(given)[:100]}]"
            raise Refused(400, "illegal_argument_exception", text)
        if int(given) < 0:
            text = f"[{word}] parameter cannot be negative, found [{given}]"
            raise Refused(400, "illegal_argument_exception", text)
        return int(given)

    def _found(self, name: str, body: Document) -> list[tuple[float, Index, Stored]]:
        return found(self._indexes(name), body.get("query", {"match_all": {}}), self._now)

    def _indexes(self, wanted: str) -> list[Index]:
        """The indexes of that name, names, or pattern. Raises Refused."""
        known = self._domain.indexes
        listed: dict[str, Index] = {}
        for one in wanted.split(","):
            if one == "_all" or "*" in one:
                matching = sorted(name for name in known if one == "_all" or fnmatchcase(name, one))
                listed |= {name: known[name] for name in matching}
            elif one in known:
                listed[one] = known[one]
            else:
                raise Refused(404, "index_not_found_exception", f"no such index [{one}]")
        return list(listed.values())

    def _new(self, name: str) -> Index:
        wrong = "must be lowercase" if name != name.lower() else ""
        if name.startswith(("_", "-", "+")):
            wrong = "must not start with '_', '-', or '+'"
        elif re.search(r'[\\/*?"<>| ,#:]', name):
            wrong = 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'
        if wrong:
            raise Refused(400, "invalid_index_name_exception", f"Invalid index name [{name}], {wrong}")
        return Index(name, self._world.quotas["opensearch.refresh"], self._world.quotas["opensearch.fields"])

    def _body(self) -> Any:
        return _json(self._asked.body) if self._asked.body.strip() else {}

    def _object(self) -> Document:
        body = self._body()
        if not isinstance(body, dict):
            raise Refused(400, "parsing_exception", "Expected [START_OBJECT] at the beginning of the request")
        return body


_SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
_WINDOW = (("from", 0), ("size", 10))


def _written(name: str, id: str, stored: Stored | None, result: str) -> Document:
    about = {"_version": stored.version, "_seq_no": stored.sequence} if stored else {}
    return {"_index": name, "_id": id, **about, "result": result}


def _no_json(word: str) -> Any:
    raise ValueError(word)  # NaN and its like, which Python reads


def _json(text: bytes) -> Any:
    try:
        return read_json(text, parse_constant=_no_json)
    except ValueError:
        raise Refused(400, "mapper_parsing_exception", "failed to parse") from None
