"""Long lists, a page at a time."""

from __future__ import annotations


def page_of(names: list[str], marker: str | None, limit: int) -> tuple[list[str], str | None]:
    """Up to `limit` of the sorted names, and the marker with which the list goes on; None at its end.

    The marker is the last name of the page, so that what is made or deleted between two pages does no harm.
    """
    left = [name for name in names if marker is None or name > marker]
    page = left[:limit]
    return page, page[-1] if len(left) > limit else None
