"""Filter criteria of event source mappings: which records a function gets.

Source: Lambda developer guide, "Control which events Lambda sends to your function" and "Using event filtering with an
Amazon SQS event source". What no filter wants, Lambda removes from the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lablib.aws.attributes import json_map
from lablib.aws.documents import read_json
from lablib.aws.rules import Branch, MalformedRule, branches, leaves, mismatch
from lablib.services.lambda_.functions import Document, invalid

MOST_FILTERS = 5
LONGEST_PATTERN = 4096


@dataclass(frozen=True, slots=True)
class Criteria:
    """The filters of a mapping: a record needs to match one of them. `texts` are their patterns."""

    texts: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()

    @classmethod
    def parse(cls, document: Document) -> Criteria:
        """Read FilterCriteria. Raises InvalidParameterValueException."""
        texts = tuple(str(item.get("Pattern", "{}")) for item in document.get("Filters", ()))
        if len(texts) > MOST_FILTERS:
            raise invalid(f"An event source mapping can have at most {MOST_FILTERS} filters.")
        found: list[Branch] = []
        for text in texts:
            found += _read(text)
        return cls(texts, tuple(found))

    def refusal(self, record: Document, body: str = "body") -> str:
        """Why no filter matches this record; empty when one does. A body (under the key `body`) that is a JSON object
        is matched by its fields, any other body as a whole."""
        if not self.texts:
            return ""
        values = leaves(record | {body: _look_into(record[body])}, {key for one in self.branches for key in one})
        reasons = [mismatch(branch, values) for branch in self.branches]
        return "" if "" in reasons else reasons[0]

    def describe(self) -> Document:
        """As CreateEventSourceMapping takes it."""
        return {"FilterCriteria": {"Filters": [{"Pattern": text} for text in self.texts]}} if self.texts else {}


def _read(text: str) -> list[Branch]:
    try:
        document = read_json(text)
        if not isinstance(document, dict) or len(text) > LONGEST_PATTERN:
            raise invalid("Invalid filter pattern definition.")
        return branches(document) if document else [{}]
    except (ValueError, MalformedRule) as error:
        raise invalid(f"Invalid filter pattern definition. {error}") from None


def _look_into(body: str) -> Any:
    document = json_map(body)
    return body if document is None else document
