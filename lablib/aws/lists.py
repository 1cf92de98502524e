"""Lists: long ones a page at a time, the tags of a resource, the entries of a batch."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lablib.aws.service import Request, ServiceError

Document = dict[str, Any]
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


# ---- pages -----------------------------------------------------------------------------------------------------------


def page_of(
    names: Iterable[str], token: str | None, limit: int, wrong: ServiceError, into: str = "NextToken"
) -> tuple[list[str], Document]:
    """Up to `limit` of the names in order, and under `into` the token of the next page, if there is one.

    The token stands for the last name of the page, so that what is made or deleted between two pages does no harm.
    Raises `wrong` for a token that no earlier page gave.
    """
    after = "" if token is None else read_token(token, wrong)
    left = sorted(name for name in names if token is None or name > after)
    page = left[:limit]
    return page, {into: write_token(page[-1])} if len(left) > limit > 0 else {}


def write_token(last: str) -> str:
    """The token of the page that ends with `last`."""
    return b64encode(last.encode()).decode()


def whole_number(text: str) -> int:
    """The number that a text is, in at most 18 digits; -1 for any other text."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else -1


def read_token(token: str, wrong: ServiceError) -> str:
    """The last name of the page that gave this token. Raises `wrong` when no page did."""
    try:
        return b64decode(token, validate=True).decode()
    except ValueError:
        raise wrong from None


# ---- tags ------------------------------------------------------------------------------------------------------------


class Tags(dict[str, str]):
    """The tags of a resource by their keys."""

    @classmethod
    def read(cls, listed: list[dict[str, str]] | None, repeated: ServiceError | None = None) -> Tags:
        """Tags as most services take them, `[{"Key": ..., "Value": ...}]`. Raises `repeated` when a key comes twice."""
        found = cls({tag["Key"]: tag["Value"] for tag in listed or ()})
        if repeated and len(found) < len(listed or ()):
            raise repeated
        return found

    def add(self, more: Mapping[str, str], most: int, too_many: ServiceError) -> None:
        """Add tags, or change their values. Raises `too_many` when the resource would have more than `most`."""
        if len({**self, **more}) > most:
            raise too_many
        self.update(more)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove the tags with these keys; unknown keys do no harm."""
        for key in keys:
            self.pop(key, None)

    def listed(self) -> list[dict[str, str]]:
        """As most services answer them."""
        return [{"Key": key, "Value": value} for key, value in self.items()]


# ---- batches ---------------------------------------------------------------------------------------------------------


def check_batch(ids: list[str], most: int, texts: Mapping[str, str], error: Callable[[str, str], ServiceError]) -> None:
    """Raise what AWS raises for a batch that is empty or too long, or whose entries' ids are malformed or repeated.

    `texts` has the service's text for each of the four errors by its name, with {most}, {count} and {id} to fill in.
    """

    def refuse(shape: str, id: str = "") -> ServiceError:
        return error(shape, texts[shape].format(most=most, count=len(ids), id=id))

    if not ids:
        raise refuse("EmptyBatchRequest")
    if len(ids) > most:
        raise refuse("TooManyEntriesInBatchRequest")
    for place, id in enumerate(ids):
        if not _BATCH_ID.fullmatch(id):
            raise refuse("InvalidBatchEntryId", id)
        if id in ids[:place]:
            raise refuse("BatchEntryIdsNotDistinct", id)


def run_batch(request: Request, entries: list[Document], single: Callable[[Document], Document]) -> Document:
    """Handle the entries of a batch one by one: `single` returns an entry's result or raises ServiceError.

    The answer lists `Successful` and `Failed` entries as AWS does: the call itself succeeds even when entries fail.
    See `without_empty_lists`.
    """
    answer: Document = {"Successful": [], "Failed": []}
    for entry in entries:
        try:
            if request.entry_fails():
                raise ServiceError("InternalError", "Please try again.", status=500, sender_fault=False)
            answer["Successful"].append({"Id": entry["Id"]} | single(entry))
        except ServiceError as error:
            about = {"SenderFault": error.sender_fault, "Code": error.code, "Message": error.message}
            answer["Failed"].append({"Id": entry["Id"]} | about)
    return answer


def without_empty_lists(answer: Document) -> Document:
    """An answer of a JSON service: a list that would be empty is not there."""
    return {key: value for key, value in answer.items() if value != []}
