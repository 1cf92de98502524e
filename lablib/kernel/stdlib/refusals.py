"""What cannot be virtual: one clear line, at the call. Real processes and signals live in real time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from lablib.kernel.process import Process
from lablib.kernel.programs import program_of
from lablib.kernel.stacks import unsimulated
from lablib.kernel.stdlib.patching import Patch, dispatch, replace, virtualize

_SPAWN = "start a process of the lab with cloud.spawn(...)"
_TIMER = "use threading.Timer, or a timeout of the call that waits"
_EVENT = "let a thread or a process set a threading.Event"
_CPUS = 4  # what os.cpu_count() says inside processes; the size of default pools must not depend on the machine


def refuse(what: str, instead: str) -> Callable[..., Any]:
    """A virtual function that raises one clear line."""

    def refusal(process: Process, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{what} cannot work in virtual time (in {process.name}): {instead}")

    return refusal


def patch_os() -> None:
    """The modules `os` and `signal`."""
    names = (
        "fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp", "execv", "execve", "spawnv", "spawnve",
    )  # fmt: skip
    virtualize(os, {name: refuse(f"os.{name}", _SPAWN) for name in names})
    virtualize(os, {name: refuse(f"os.{name}", _EVENT) for name in ("killpg", "abort")})
    virtualize(os, dict.fromkeys(("cpu_count", "process_cpu_count"), lambda process: _CPUS))
    virtualize(os, {"uname": _uname(os.uname)} if hasattr(os, "uname") else {})
    virtualize(signal, {name: refuse(f"signal.{name}", _TIMER) for name in ("alarm", "setitimer")})
    waits = ("sigwait", "sigwaitinfo", "sigtimedwait")
    virtualize(signal, {name: refuse(f"signal.{name}", _EVENT) for name in waits})


def _patch_subprocess(subprocess: Any) -> None:
    popen = subprocess.Popen
    real_end = popen.__del__

    def end(self: Any, *args: Any, **kwargs: Any) -> None:
        if hasattr(self, "returncode"):  # else it was refused, and there is nothing to end
            real_end(self, *args, **kwargs)

    _refuse_construction("subprocess", popen)
    replace(popen, "__del__", end)


def _refuse_construction(what: str, kind: Any, instead: str = _SPAWN) -> None:
    refusal = refuse(what, instead)
    real = kind.__init__
    either = dispatch(real, refusal)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        either(self, *args, **kwargs)

    replace(kind, "__init__", __init__)


def _refuse_kinds(what: str, *names: str) -> Patch:
    """A patch that refuses to make objects of these classes of a module."""

    def patch(module: Any) -> None:
        for name in names:
            _refuse_construction(what, getattr(module, name))

    return patch


def _patch_connection(connection: Any) -> None:
    virtualize(connection, {name: refuse("multiprocessing", _SPAWN) for name in ("Pipe", "Client")})
    _refuse_construction("multiprocessing", connection.Listener)


def _patch_thread_pool(pool: Any) -> None:
    """It has threads, and tells them of a new one through a pipe."""
    setattr(pool.Pool, "_state", pool.INIT)  # noqa: B010 (else the end of one that was refused fails)
    _refuse_construction(
        "multiprocessing.pool.ThreadPool", pool.ThreadPool, "use concurrent.futures.ThreadPoolExecutor"
    )


def _host(real: Callable[..., Any]) -> Callable[..., Any]:
    """The virtual side of what the standard library asks the machine by a real process: the machine answers."""

    def ask(process: Process, *args: Any, **kwargs: Any) -> Any:
        with unsimulated():
            return real(*args, **kwargs)

    return ask


def _node(process: Process) -> str:
    from lablib.kernel.network import network_of  # when it is needed

    return network_of(process.kernel).host_of(program_of(process)).name


def _uname(real: Callable[[], Any]) -> Callable[..., Any]:
    """The virtual side of `os.uname`: this machine's, under the name of the program's host."""

    def uname(process: Process) -> Any:
        system, _, *others = real()
        return os.uname_result((system, _node(process), *others))

    return uname


def _patch_platform(platform: Any) -> None:
    ask = _host(platform.uname)  # it keeps what it once found
    virtualize(platform, {"uname": lambda process: ask(process)._replace(node=_node(process)), "node": _node})
    processor = getattr(platform, "_Processor", None)  # `platform.platform()` asks it, which runs `uname -p`
    if processor is not None:
        virtualize(processor, {"from_subprocess": _host(processor.from_subprocess)})


def _patch_libraries(util: Any) -> None:
    virtualize(util, {"find_library": _host(util.find_library)})


PATCHES: dict[str, Patch] = {
    "concurrent.futures.process": _refuse_kinds("ProcessPoolExecutor", "ProcessPoolExecutor"),
    "ctypes.util": _patch_libraries,
    "multiprocessing.connection": _patch_connection,
    "multiprocessing.heap": _refuse_kinds("multiprocessing", "BufferWrapper"),
    "multiprocessing.pool": _patch_thread_pool,
    "multiprocessing.process": _refuse_kinds("multiprocessing", "BaseProcess"),
    "multiprocessing.queues": _refuse_kinds("multiprocessing", "Queue", "SimpleQueue"),
    "multiprocessing.shared_memory": _refuse_kinds("multiprocessing", "SharedMemory"),
    "multiprocessing.synchronize": _refuse_kinds("multiprocessing", "SemLock"),
    "platform": _patch_platform,
    "subprocess": _patch_subprocess,
}
