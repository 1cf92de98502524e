"""The standard library inside a process: virtual and deterministic. Outside of processes it is the real one."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from lablib.kernel.stacks import unsimulated
from lablib.kernel.stdlib import clocks, exits, patching, randomness, refusals, signals, threads, variables

_installed = False


def install() -> None:
    """Replace what has to be virtual, in the modules that are imported and in the others as soon as they are. Doing it
    twice does no harm."""
    global _installed
    if _installed:
        return
    _installed = True
    patching.watch_imports()
    clocks.patch_time()
    threads.patch_threading()
    randomness.patch_random()
    refusals.patch_os()
    signals.patch_signal()
    variables.patch_environ()
    exits.patch_atexit()
    for name, patch in {
        "asyncio": threads.patch_asyncio,
        "concurrent.futures._base": threads.patch_futures,
        "concurrent.futures.thread": threads.patch_pools,
        "datetime": clocks.patch_datetime,
        "fcntl": _later("polls", "patch_fcntl"),
        "ipykernel.iostream": _notebook_output,
        "logging": clocks.patch_logging,
        "queue": threads.patch_queue,
        "sched": threads.patch_sched,
        "select": _later("polls", "patch_select"),
        "selectors": _later("polls", "patch_selectors"),
        "socket": _later("sockets", "patch_socket"),
        "sqlite3": _later("databases", "patch_sqlite"),
        "ssl": _later("tls", "patch_ssl"),
        "tempfile": randomness.patch_tempfile,
        "urllib.request": _later("sockets", "patch_proxies"),
        "urllib3.connection": clocks.patch_urllib3,
        "uuid": randomness.patch_uuid,
        **refusals.PATCHES,
    }.items():
        patching.when_imported(name, patch)
    patching.rebind()


def _later(module: str, name: str) -> patching.Patch:
    """A patch of a module of ours that is imported when it is needed."""

    def patch(patched: ModuleType) -> None:
        getattr(import_module(f"lablib.kernel.stdlib.{module}"), name)(patched)

    return patch


def _notebook_output(iostream: Any) -> None:
    """In a notebook, print(flush=True) waits for a real thread: it is no part of the simulation."""
    real = iostream.OutStream.flush

    def flush(self: Any) -> None:
        with unsimulated():
            real(self)

    iostream.OutStream.flush = flush
