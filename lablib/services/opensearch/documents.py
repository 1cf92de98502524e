"""Indexes of documents: mappings that grow with the documents, and searches that see what was refreshed.

Sources: OpenSearch documentation, "Mappings and field types", "Query DSL", "Refresh index"; texts of refusals as quoted
in public issues of Elasticsearch, from which OpenSearch comes. Simulated: the types that a document brings by itself
(long, float, boolean, date, text with .keyword, objects), and the queries match_all, match and term.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MOMENT = re.compile(r"-?\d{1,18}", re.ASCII)
TYPES = ("long", "integer", "short", "float", "double", "boolean", "date", "text", "keyword", "object")
_NOT_SIMULATED = (
    "bool",
    "range",
    "exists",
    "prefix",
    "wildcard",
    "multi_match",
    "query_string",
    "terms",
    "ids",
    "fuzzy",
)
_WHOLE = {"long": 63, "integer": 31, "short": 15}


class Refused(Exception):
    """What OpenSearch does not do: the HTTP status, the type of the error and its reason, and perhaps its cause."""

    def __init__(self, status: int, kind: str, reason: str, cause: tuple[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.cause = status, kind, reason, cause

    def document(self) -> Document:
        """As it stands in an answer."""
        document: Document = {"type": self.kind, "reason": self.reason}
        if self.cause:
            document["caused_by"] = {"type": self.cause[0], "reason": self.cause[1]}
        return document


@dataclass(eq=False)
class Stored:
    """A document of an index. `fields`: its values by dotted names, as the mapping reads them."""

    id: str
    source: Document
    version: int
    sequence: int
    fields: dict[str, list[Any]]


@dataclass(eq=False)
class Index:
    """An index. What is written can be got by its id at once, and found by a search after the next refresh."""

    name: str
    refresh: float
    most_fields: int
    mapping: dict[str, str] = field(default_factory=dict)  # types by dotted names
    documents: dict[str, Stored] = field(default_factory=dict)
    _seen: dict[str, Stored] = field(default_factory=dict)
    _pending: list[tuple[float, str, Stored | None]] = field(default_factory=list)
    _writes: int = 0

    def put(self, id: str, source: Any, now: float, create: bool = False) -> tuple[Stored, bool]:
        """Write a document; was it new? Raises Refused when it does not fit the mapping, or exists and must not."""
        old = self.documents.get(id)
        if create and old:
            text = f"[{id}]: version conflict, document already exists (current version [{old.version}])"
            raise Refused(409, "version_conflict_engine_exception", text)
        if not isinstance(source, dict):
            raise Refused(400, "mapper_parsing_exception", "failed to parse")
        added: dict[str, str] = {}
        fields: dict[str, list[Any]] = {}
        self._read("", source, id, added, fields)
        if len(self.mapping) + len(added) > self.most_fields:
            text = f"Limit of total fields [{self.most_fields}] has been exceeded"
            raise Refused(400, "illegal_argument_exception", text)
        self.mapping |= added
        self._writes += 1
        new = Stored(id, source, old.version + 1 if old else 1, self._writes - 1, fields)
        self.documents[id] = new
        self._later(id, new, now)
        return new, old is None

    def delete(self, id: str, now: float) -> Stored | None:
        """Delete a document; what it was."""
        old = self.documents.pop(id, None)
        if old:
            self._writes += 1
            self._later(id, None, now)
        return old

    def _later(self, id: str, stored: Stored | None, now: float) -> None:
        self._refreshed(now)
        at = (now // self.refresh + 1) * self.refresh if self.refresh else now
        self._pending.append((at, id, stored))

    def _refreshed(self, now: float) -> None:
        while self._pending and self._pending[0][0] <= now:
            _, id, stored = self._pending.pop(0)
            self._seen.pop(id, None)
            if stored:
                self._seen[id] = stored

    def refresh_now(self) -> None:
        """Let searches see all that was written."""
        self._refreshed(float("inf"))

    def seen(self, now: float) -> list[Stored]:
        """The documents that a search sees, in the order in which they were written."""
        self._refreshed(now)
        return list(self._seen.values())

    # ---- mapping -----------------------------------------------------------------------------------------------------

    def _read(
        self, prefix: str, source: Document, id: str, added: dict[str, str], fields: dict[str, list[Any]]
    ) -> None:
        for key, value in source.items():
            name = f"{prefix}{key}"
            for one in _flat(value):
                if one is None:
                    continue
                kind = self.mapping.get(name) or added.get(name)
                if kind is None:
                    kind = added[name] = _guess(one)
                if isinstance(one, dict) and kind == "object":
                    self._read(f"{name}.", one, id, added, fields)
                    continue
                if kind == "object":
                    text = f"object mapping for [{name}] tried to parse field [{key}] as object, but found a concrete"
                    raise Refused(400, "mapper_parsing_exception", f"{text} value")
                fields.setdefault(name, []).append(_parsed(name, kind, one, id))

    def declare(self, about: Document, place: str, prefix: str = "") -> None:
        """Set types by hand, as the `properties` of a mapping have them. Raises Refused for what there is not."""
        properties = _map(_map(about, place).get("properties", {}), "properties")
        for key, about in properties.items():
            about = _map(about, key)
            kind = about.get("type", "object" if "properties" in about else "")
            if kind not in TYPES:
                text = f"No handler for type [{kind}] declared on field [{key}]"
                raise Refused(400, "mapper_parsing_exception", text)
            old = self.mapping.get(prefix + key, kind)
            if old != kind:
                text = f"mapper [{prefix}{key}] cannot be changed from type [{old}] to [{kind}]"
                raise Refused(400, "illegal_argument_exception", text)
            self.mapping[prefix + key] = kind
            self.declare(about, key, f"{prefix}{key}.")

    def properties(self) -> Document:
        """The mapping as OpenSearch shows it."""
        shown: Document = {}
        for name, kind in sorted(self.mapping.items()):
            *above, last = name.split(".")
            place = shown
            for part in above:
                place = place.setdefault(part, {}).setdefault("properties", {})
            about: Document = {} if kind == "object" else {"type": kind}
            if kind == "text":
                about["fields"] = {"keyword": {"type": "keyword", "ignore_above": 256}}
            place.setdefault(last, {}).update(about)
        return shown


def _map(value: Any, name: str) -> Document:
    if not isinstance(value, dict):
        raise Refused(400, "mapper_parsing_exception", f"Expected map for property [{name}]")
    return value


def _flat(value: Any) -> Iterator[Any]:
    """Lists within lists are one list, as in OpenSearch."""
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _guess(value: Any) -> str:
    """The type that a new field gets from its first value (dynamic mapping)."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "long"
    if isinstance(value, float):
        return "float"
    if isinstance(value, dict):
        return "object"
    return "date" if _is_date(value) else "text"


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and _instant(text) is not None
    except ValueError:
        return False


def _parsed(name: str, kind: str, value: Any, id: str) -> Any:
    """A value as a field of that type reads it. Raises Refused."""
    shown = _java(value)

    def wrong(cause: str, reason: str) -> Refused:
        text = (
            f"failed to parse field [{name}] of type [{kind}] in document with id '{id}'. Preview of field's value: '"
        )
        return Refused(400, "mapper_parsing_exception", f"{text}{shown}'", (cause, reason))

    if isinstance(value, dict):
        raise wrong("illegal_state_exception", f"Can't get text on a START_OBJECT at 1:{len(name) + 4}")
    if kind in ("text", "keyword"):
        return shown
    if kind == "boolean":
        if shown not in ("true", "false", ""):
            raise wrong(
                "illegal_argument_exception", f"Failed to parse value [{shown}] as only [true] or [false] are allowed."
            )
        return shown == "true"
    if kind == "date":
        try:
            return _instant(shown)
        except ValueError:
            reason = f"failed to parse date field [{shown}] with format [strict_date_optional_time||epoch_millis]"
            raise wrong("illegal_argument_exception", reason) from None
    if not _NUMBER.fullmatch(shown):
        raise wrong("illegal_argument_exception", f'For input string: "{shown}"')
    number = float(shown)
    if kind not in _WHOLE:
        if not math.isfinite(number):
            raise wrong("illegal_argument_exception", f"[{kind}] supports only finite values, but got [{shown}]")
        return number
    if abs(number) >= 2 ** _WHOLE[kind]:
        raise wrong("illegal_argument_exception", f"Value [{shown}] is out of range for a {kind}")
    return int(number)


def _java(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java(one)}" for key, one in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _instant(text: str) -> float:
    """Milliseconds since 1970; four digits are a year. Raises ValueError."""
    if _MOMENT.fullmatch(text):
        if len(text) != 4:
            return float(text)
        text += "-01-01"
    elif not _DATE.fullmatch(text):
        raise ValueError(text)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000


# ---- searching -------------------------------------------------------------------------------------------------------

Test = Callable[[Stored], float]  # the score of a document, 0 when it is not found


def tokens(text: str) -> list[str]:
    """The words of a text as the standard analyzer finds them: in small letters."""
    return re.findall(r"\w+", text.lower())


def query(body: Any, index: Index) -> Test:
    """What a query of the Query DSL says of a document. Raises Refused."""
    if not isinstance(body, dict) or len(body) != 1:
        raise Refused(400, "parsing_exception", "query malformed, must start with start_object")
    ((kind, about),) = body.items()
    if kind == "match_all":
        return lambda stored: 1.0
    if kind in _NOT_SIMULATED:
        raise Refused(501, "not_simulated", f"query [{kind}] is not simulated; there are match_all, match and term")
    if kind not in ("match", "term"):
        raise Refused(400, "parsing_exception", f"unknown query [{kind}]")
    if not isinstance(about, dict) or len(about) != 1:
        raise Refused(400, "parsing_exception", f"[{kind}] query malformed, no start_object after query name")
    ((name, wanted),) = about.items()
    if isinstance(wanted, dict):
        wanted = wanted.get("query" if kind == "match" else "value")
    if not isinstance(wanted, (str, int, float)):
        raise Refused(400, "parsing_exception", f"[{kind}] query needs a text, a number or a boolean for [{name}]")
    field, of = name.removesuffix(".keyword"), index.mapping.get(name.removesuffix(".keyword"))
    if of is None:
        return lambda stored: 0.0
    if of == "text" and field == name:  # a term is not analyzed: with a capital letter it is never found
        words = tokens(str(wanted)) if kind == "match" else [str(wanted)]
        return lambda stored: _common(words, stored.fields.get(field, ()))
    try:
        value = _parsed(field, of, wanted, "")
    except Refused:
        text = f'failed to create query: For input string: "{wanted}"'
        raise Refused(400, "query_shard_exception", text) from None
    return lambda stored: float(value in stored.fields.get(field, ()))


def _common(words: list[str], texts: Iterable[str]) -> float:
    found = [token for text in texts for token in tokens(text)]
    return float(sum(found.count(word) for word in words))


def found(indexes: list[Index], wanted: Any, now: float) -> list[tuple[float, Index, Stored]]:
    """What a query finds: score, index, document, the best first, and among equals the oldest."""
    hits = []
    for index in indexes:
        test = query(wanted, index)
        hits += [(score, index, stored) for stored in index.seen(now) if (score := test(stored)) > 0]
    hits.sort(key=lambda hit: -hit[0])
    return hits
