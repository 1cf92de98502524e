"""Threads: a thread that a process starts is a process of the same kernel and the same program.

Replaced are who one is (`get_ident`, `current_thread`), how a thread starts and is joined, and the locks. Condition,
Event, Semaphore, Barrier, Timer, Queue, Future and ThreadPoolExecutor are the standard library's own code.

`Thread.start` does not wait until the thread has begun, which Python allows: ThreadPoolExecutor starts threads while
it holds a lock. An error in a thread is printed by `threading.excepthook`, and the other threads go on. Nothing is put
into `threading._active`, so the interpreter does not wait for our threads at its end.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from lablib.kernel import event_loops
from lablib.kernel.process import Process
from lablib.kernel.programs import current_thread, ident_of, program_of, steady_hash
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.locks import Local, Lock, SimpleQueue, at_home
from lablib.kernel.stdlib.patching import dispatch, replace, virtualize
from lablib.kernel.waits import late, look

_real_start, _real_join, _real_is_alive = threading.Thread.start, threading.Thread.join, threading.Thread.is_alive
_real_is_set = threading.Event.is_set


def _start(self: Any) -> None:
    process = current_process()
    if process is None:
        return _real_start(self)
    if not self._initialized:
        raise RuntimeError("thread.__init__() not called")
    if self._started.is_set():
        raise RuntimeError("threads can only be started once")
    program = program_of(process)
    child = process.kernel.spawn(_run, self, name=f"{program.name}/{self.name}")
    child.program, child.thread = program, self
    program.threads.append(child)
    self._lab_process = child
    self._ident = self._native_id = ident_of(child)
    self._started.set()


def _run(thread: Any) -> None:
    try:
        thread.run()
    except SystemExit:
        pass
    except Exception as error:
        thread._invoke_excepthook(thread)
        process: Process = thread._lab_process
        if process.kernel.on_event is not None:
            process.kernel.on_event("ThreadFailed", process.name, "", f"{type(error).__name__}: {error}")
    finally:
        thread._is_stopped = True  # for its repr


def _join(self: Any, timeout: float | None = None) -> None:
    child: Process | None = self._lab_process
    if child is None:
        return _real_join(self, timeout)
    if self is threading.current_thread():
        raise RuntimeError("cannot join current thread")
    if child.alive and not child.kernel.closed:
        child.kernel.wait(child.done, None if timeout is None else late(max(timeout, 0.0)))


def _is_alive(self: Any) -> bool:
    process = current_process()
    if process is not None:
        look(process)
    return _real_is_alive(self) if self._lab_process is None else self._lab_process.alive


def _is_set(self: Any) -> bool:
    process = current_process()
    if process is not None:
        look(process)
    return _real_is_set(self)


def _start_new(process: Process, fn: Callable[..., Any], args: Any, kwargs: Any = None) -> int:
    thread = threading.Thread(target=fn, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return ident_of(thread._lab_process)  # type: ignore[attr-defined]


def _all(process: Process) -> list[threading.Thread]:
    program = program_of(process)
    return [current_thread(program.main), *map(current_thread, program.threads)]


def patch_threading() -> None:
    """The module `threading`."""
    thread: Any = threading.Thread
    thread._lab_process = None
    thread.__hash__ = steady_hash  # programs keep their threads in sets
    for name, method in {"start": _start, "join": _join, "is_alive": _is_alive}.items():
        setattr(thread, name, method)
    replace(threading.Event, "is_set", _is_set)
    replace(threading, "Lock", at_home(Lock, threading.Lock))
    replace(threading, "_allocate_lock", threading.Lock)
    # RLock() asks for the C class by this name, however it was imported. The Python class waits in the lock above.
    replace(threading, "_CRLock", at_home(threading._PyRLock, threading._CRLock))  # type: ignore[attr-defined]
    virtualize(
        threading,
        {
            "get_ident": ident_of,
            "get_native_id": ident_of,
            "current_thread": current_thread,
            "main_thread": lambda process: current_thread(program_of(process).main),
            "enumerate": _all,
            "_enumerate": _all,
            "active_count": lambda process: len(_all(process)),
            "_counter": lambda process: program_of(process).count("thread"),
        },
    )
    replace(threading, "local", Local)
    virtualize(_thread, {"start_new_thread": _start_new})


def patch_queue(queue: ModuleType) -> None:
    """The module `queue`."""
    replace(queue, "SimpleQueue", SimpleQueue)


def patch_sched(sched: Any) -> None:
    """The module `sched`, whose clock and sleep are default arguments."""
    import time

    sched.scheduler.__init__.__defaults__ = (time.monotonic, time.sleep)


# ---- ThreadPoolExecutor --------------------------------------------------------------------------------------------


class _PoolQueues(WeakKeyDictionary):
    """concurrent.futures.thread._threads_queues: the pools that Python shuts down at its end. Those of a process belong
    to its program."""

    def __setitem__(self, thread: Any, work: Any) -> None:
        if thread._lab_process is None:
            super().__setitem__(thread, work)
        else:
            program_of(thread._lab_process).pool_queues[thread._lab_process] = work


class _Ending:
    """concurrent.futures.thread._shutdown: is the interpreter ending? In a process: is its program ending?"""

    def __bool__(self) -> bool:
        process = current_process()
        return process is not None and process.program is not None and process.program.ending


def _submit(real: Callable[..., Any]) -> Callable[..., Any]:
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        process = current_process()
        if self._threads and (next(iter(self._threads))._lab_process is None) != (process is None):
            kind, where = ("real", "inside the process") if process else ("a process's", "outside of processes")
            raise RuntimeError(f"the threads of this ThreadPoolExecutor are {kind}: make another one {where}")
        return real(self, fn, *args, **kwargs)

    submit.__doc__ = real.__doc__
    return submit


def _not_killed(record: object) -> bool:
    """A worker logs whatever ends it; that it was killed is no news."""
    process = current_process()
    return process is None or not process.killed


def patch_futures(base: Any) -> None:
    """The module `concurrent.futures._base`: `wait` returns sets of futures, `as_completed` goes through them."""
    base.Future.__hash__ = steady_hash


def patch_asyncio(asyncio: Any) -> None:
    """The package `asyncio`: its own loop runs over virtual sockets and clocks. `wait` and `all_tasks` give sets of
    tasks and futures, `as_completed` begins coroutines in the order of a set."""
    event_loops.follow(asyncio)
    steady = {"__hash__": steady_hash, "__module__": "asyncio"}
    future = type("Future", (asyncio.Future,), steady)
    asyncio.base_events.BaseEventLoop.create_future = lambda loop: future(loop=loop)
    real_as_completed = asyncio.as_completed

    @wraps(real_as_completed)
    def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
        single = asyncio.isfuture(fs) or asyncio.iscoroutine(fs)  # which is an error
        if current_process() is not None and asyncio._get_running_loop() is not None and not single:
            fs = [asyncio.ensure_future(each) for each in dict.fromkeys(fs)]
        return real_as_completed(fs, timeout=timeout)

    for module in (asyncio.tasks, asyncio):
        replace(module, "as_completed", as_completed)
    asyncio.Task = asyncio.tasks.Task = type("Task", (asyncio.Task,), steady)
    asyncio.log.logger.addFilter(_not_killed)  # of a loop whose program was killed: nobody is there to be told


def patch_pools(pools: Any) -> None:
    """The module `concurrent.futures.thread`."""
    pools._global_shutdown_lock = Lock()  # taken by processes while threads start
    pools._threads_queues = _PoolQueues(pools._threads_queues)
    pools._shutdown = _Ending()
    pool = pools.ThreadPoolExecutor
    pool._counter = dispatch(pool._counter, lambda process: program_of(process).count("pool") - 1)
    pool.submit = _submit(pool.submit)
    pools._base.LOGGER.addFilter(_not_killed)
