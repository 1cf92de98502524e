"""Signals that a program sends to itself, its handlers, and asyncio's.

Each program is alone on its machine: its process id is 1, there is no other process, and signals of the host are not
its own. A handler runs in the main thread, as Python has it: at once when the main thread sends the signal; else beside
the main thread, which goes on waiting afterwards, or gets what the handler raised. A signal without a handler ends the
program, SIGINT raises KeyboardInterrupt.
"""

from __future__ import annotations

import _thread
import errno
import os
import signal
import sys
from typing import Any

from lablib.kernel.event_loops import switch
from lablib.kernel.loop import Signal
from lablib.kernel.process import Process
from lablib.kernel.programs import current_thread, ident_of, program_of
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import virtualize

_IGNORED = {getattr(signal, name, None) for name in ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH")}  # by default
_NEVER_HANDLED = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}
_MAIN_ONLY = "only works in main thread of the main interpreter"


def patch_signal() -> None:
    """The module `signal`, and what sends signals."""
    virtualize(os, {"kill": _kill, "getpid": lambda process: 1, "getppid": lambda process: 0})
    virtualize(_thread, {"interrupt_main": lambda process, number=signal.SIGINT: _send(process, number)})
    virtualize(
        signal,
        {
            "signal": _set_handler,
            "getsignal": _handler,
            "raise_signal": _send,
            "pthread_kill": lambda process, ident, number: _send(process, number),
            "pause": _pause,
            "set_wakeup_fd": _set_wakeup,
            "siginterrupt": lambda process, number, flag: None,
        },
    )


def _handler(process: Process, number: int) -> Any:
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    return program_of(process).signal_handlers.get(number, default)


def _set_handler(process: Process, number: int, handler: Any) -> Any:
    """A handler of a program. The host's own handlers stay what they are."""
    if not callable(handler) and handler not in (signal.SIG_DFL, signal.SIG_IGN):
        raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
    if not _in_main(process):
        raise ValueError(f"signal {_MAIN_ONLY}")
    if number in _NEVER_HANDLED:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    before = _handler(process, number)
    program_of(process).signal_handlers[number] = handler
    return before


def _in_main(process: Process) -> bool:
    return current_thread(process) is current_thread(program_of(process).main)


def _set_wakeup(process: Process, fd: int, *, warn_on_full_buffer: bool = True) -> int:
    if not _in_main(process):
        raise ValueError(f"set_wakeup_fd {_MAIN_ONLY}")
    program = program_of(process)
    before, program.wakeup_fd = program.wakeup_fd, fd
    return before


def _pause(process: Process) -> None:
    program = program_of(process)
    program.signalled = program.signalled or Signal(process.kernel)
    process.kernel.wait(program.signalled)


def _kill(process: Process, pid: int, number: int) -> None:
    if pid not in (0, 1):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    if number:
        _send(process, number)


def _send(process: Process, number: int) -> None:
    """The program of `process` gets a signal."""
    if number not in signal.valid_signals():
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    program, kernel, handler = program_of(process), process.kernel, _handler(process, number)
    if handler == signal.SIG_IGN or (handler == signal.SIG_DFL and number in _IGNORED):
        return
    if handler == signal.SIG_DFL:
        kernel.kill(program.main)
        return
    if kernel.network is not None and program.wakeup_fd in kernel.network.fds:
        try:
            kernel.network.fds[program.wakeup_fd].send(memoryview(bytes([number])), 0.0)
        except OSError:  # full, or closed by the other side: Python warns at most
            pass
    if _in_main(process):
        _handle(process, handler, number)
        return
    beside = kernel.spawn(_handle_beside, handler, number, name=f"{program.name}/{signal.Signals(number).name}")
    beside.program, beside.thread, beside.ident = program, current_thread(program.main), ident_of(program.main)
    program.threads.append(beside)


def _handle(process: Process, handler: Any, number: int) -> None:
    program = program_of(process)
    try:
        handler(number, sys._getframe())
    finally:
        if program.signalled is not None:
            program.signalled.fire()


def _handle_beside(handler: Any, number: int) -> None:
    """Handle a signal that another thread has sent, and let the main thread have what the handler raises."""
    beside = current_process()
    assert beside is not None
    try:
        _handle(beside, handler, number)
    except BaseException as error:
        main, kernel = program_of(beside).main, beside.kernel
        if beside.killed or not main.alive or main.killed:
            raise
        # Like `kill`, but with an error that the main thread may catch; we go on when it waits again, or is over.
        beside.wake, main.wake, kernel.undisturbed_line = kernel._push(kernel.now, beside), -1, None
        switch(main.greenlet.throw, error)
