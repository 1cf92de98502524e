"""A widget whose page asks and Python answers; one for each cell."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import anywidget

RAISE = "MESSAGING_LAB_RAISE"  # when set, what goes wrong in answering the page is raised too: for tests


class Page(anywidget.AnyWidget):
    """A widget whose page asks questions: each message {"do": name, ...} is answered by the method `_on_<name>`.

    What goes wrong is shown on the page, in an alert, and nothing changes.
    """

    _esm = ""  # strings, not paths: a path is watched for changes, and then the widget is never freed
    _css = ""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(type(self)._heard)

    def _heard(self, content: dict[str, Any], _buffers: Any = None) -> None:
        reply: dict[str, Any] = {}
        buffers: list[bytes] = []
        try:
            answer = getattr(self, f"_on_{content.get('do')}")(
                **{k: v for k, v in content.items() if k not in ("do", "id")}
            )
            if isinstance(answer, bytes):
                buffers = [answer]
            else:
                reply = answer or {}
        except Exception as error:  # whatever it is, the learner must see it
            self._failed(error)
            reply = {"error": str(error)}
            if os.environ.get(RAISE):
                raise
        finally:
            self.send({**reply, "id": content.get("id")}, buffers)

    def _failed(self, error: Exception) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Take it off the page and free it, its layout too."""
        layout, self_closed = getattr(self, "layout", None), self.comm is None
        super().close()
        if layout is not None and not self_closed:
            layout.close()


_live: dict[str, weakref.ref[Page]] = {}


def cell_id() -> str:
    """The notebook cell that is running; "" outside a notebook, or when the front end does not say."""
    try:
        from IPython import get_ipython

        header = getattr(get_ipython(), "parent_header", None) or {}
    except ImportError:
        return ""
    return str(header.get("metadata", {}).get("cellId", ""))


def only_one(make: Callable[[], Page]) -> Page:
    """What `make` makes; what the same cell made before is closed."""
    key = cell_id()
    before = _live.pop(key)() if key in _live else None
    if before is not None:
        before.close()
    page = make()
    if key:
        _live[key] = weakref.ref(page)
    return page
