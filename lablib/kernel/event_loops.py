"""asyncio keeps one running event loop for each real thread; each of our processes, and the notebook, has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Once asyncio is imported: how to get and set the event loop that runs in this real thread.
_running: tuple[Callable[[], Any], Callable[[Any], None]] | None = None


def follow(asyncio: Any) -> None:
    """asyncio is imported: from now on its running loop is put away at each switch."""
    global _running
    _running = asyncio._get_running_loop, asyncio._set_running_loop


def switch(go: Callable[..., Any], *args: Any) -> None:
    """Call `go(*args)`, which lets another line of execution run, without the running loop of this one."""
    loop = None if _running is None else _running[0]()
    if loop is None or _running is None:
        go(*args)
        return
    _running[1](None)
    try:
        go(*args)
    finally:
        _running[1](loop)
