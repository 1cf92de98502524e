"""The standard library's own tests of threads, queues, selectors and sockets, run inside a process.

They are the best measure of whether what is virtual is what Python promises. What they ask beyond that (internals, real
files, signals, IPv6) is left out by name, with the reason. CPython's test package is not everywhere; the patterns are
those of 3.11 to 3.13.
"""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.ci,  # slow: they wait in real time in places
    pytest.mark.skipif(
        subprocess.run([sys.executable, "-c", "import test.test_queue"], capture_output=True).returncode != 0,
        reason="this Python has no test package",
    ),
]

RUN = """
import faulthandler, importlib, re, sys, unittest
faulthandler.dump_traceback_later(240, exit=True)
import lablib, _thread, threading, types
from lablib.kernel import Kernel
from lablib.kernel.stdlib.locks import Lock
name, wanted, left_out = sys.argv[1:]
module = importlib.import_module(name)
if hasattr(module, "_thread"):  # they ask the C module itself, which stays real for the sake of imports
    module._thread = types.SimpleNamespace(
        allocate_lock=Lock, start_new_thread=_thread.start_new_thread, get_ident=threading.get_ident, error=RuntimeError
    )
_thread._count = lambda: threading.active_count() - 1
def flat(suite):
    for test in suite:
        yield from flat(test) if isinstance(test, unittest.TestSuite) else [test]
tests = [t for t in flat(unittest.defaultTestLoader.loadTestsFromModule(module))
         if re.search(wanted, t.id()) and not re.search(left_out, t.id())]
def program():
    result = unittest.TextTestRunner(verbosity=0).run(unittest.TestSuite(tests))
    for test, trace in result.failures + result.errors:
        print(test.id(), trace.strip().splitlines()[-1])
    print(result.testsRun >= 10)
kernel = Kernel()
kernel.spawn(program)
kernel.advance(1e6)
"""

INTERNALS = (
    "tstate_lock|shutdown_locks|limbo_cleanup|ident_of_no_threading|excepthook_thread_None|disallow_instant|repr"
)
OTHER_WORLDS = (
    "Subinterp|Atexit|InterruptMain|CRLock|fork|shutdown|ctypes|SetAsyncExc|foreign_thread|dummy|Misc|main_thread|"
    "finali[sz]|JoinOnShutdown|locals_at_exit|recursion_limit|Daemon|daemon_param|print_exception|trace|profile|start_new_thread_(failed|at)|import"
)
CASES = {
    "test.test_queue": (".", "CSimpleQueue"),
    "test.test_sched": (".", "^$"),
    "test.test_threading_local": (".", "[.]ThreadLocalTest"),  # the C class itself
    "test.test_threading": (".", f"{INTERNALS}|{OTHER_WORLDS}"),
    "test.test_selectors": (
        "EpollSel|PollSel|SelectSel|DefaultSel",
        "fileno|interrupt|register_file|close_and_reuse|above_fd_setsize",  # signals, real files and numbers
    ),
    "test.test_socket": (
        "BasicTCP|TCPCloser|FileObjectClass|NonBlockingTCP|NetworkConnectionBehaviour|NetworkConnectionAttributes|"
        "TCPTimeout|BufferIO|UnbufferedFile|LineBuffered|SmallBuf|UnicodeRead|ContextManagers|SendfileUsingSendTest",
        "[dD]up|FromFd|overflow|SetBlocking|InitNonBlocking|Interrupted|test_errors|ipv6|Vsock|UDP|SCTP",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_pythons_own_tests_pass_in_virtual_time(name):
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, name, *CASES[name]], capture_output=True, text=True, timeout=300
    )
    assert out.stdout.splitlines()[-1:] == ["True"], out.stdout + out.stderr[-3000:]
    assert [line for line in out.stdout.splitlines() if line.startswith("test.test_")] == []
