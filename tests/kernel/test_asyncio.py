"""asyncio inside a process: its own code, on virtual time and the virtual network. Outside it stays real."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time

import nbclient
import nbformat
import pytest

from lablib import Cloud
from lablib.kernel import Chance, Kernel
from lablib.kernel.network import network_of
from lablib.kernel.stdlib.clocks import real_perf_counter


def run(kernel, main, seconds=1000.0):
    process = kernel.spawn(asyncio.run, main(), name="program")
    kernel.advance(seconds)
    assert not process.alive
    return process.result


def test_sleep_gather_timeout_and_threads(kernel):
    async def worker(n):
        await asyncio.sleep(n)
        return n, time.monotonic()

    async def main():
        both = await asyncio.gather(worker(2), worker(1))
        await asyncio.to_thread(time.sleep, 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        return both, time.monotonic(), threading.current_thread().name

    both, then, name = run(kernel, main)
    assert [n for n, _ in both] == [2, 1]
    assert [t for _, t in both] == [pytest.approx(2, abs=1e-3), pytest.approx(1, abs=1e-3)]
    assert then == pytest.approx(10, abs=0.01)
    assert name == "program"


@pytest.fixture(autouse=True)
def no_loop_of_another_test():
    """A browser that other tests of this process use keeps a loop of its own running."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


def test_several_loops_run_at_once(kernel):
    seen = []

    async def main(n):
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await asyncio.sleep(n)
            assert asyncio.get_running_loop() is loop
            seen.append((n, round(time.monotonic(), 2)))

    for n in (2, 3.5):
        kernel.spawn(asyncio.run, main(n))
    kernel.advance(20)
    assert seen == [(2, 2), (3.5, 3.5), (2, 4), (2, 6), (3.5, 7), (3.5, 10.5)]
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_killed_program_says_nothing_of_its_tasks(kernel, caplog):
    """As after a crash of the real thing; its `finally` blocks run, and can wait for nothing."""
    left = []

    async def main():
        try:
            await asyncio.sleep(100)
        finally:
            left.append("main")
            time.sleep(1)

    process = kernel.spawn(lambda: asyncio.run(main()))
    kernel.advance(1)
    kernel.kill(process)
    assert (left, caplog.text) == (["main"], "")


def test_killing_another_program_leaves_ones_own_loop_running(kernel):
    async def victim():
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(kernel.now)

    async def main():
        await asyncio.sleep(1)
        kernel.kill(kernel.processes["victim"])
        await asyncio.sleep(1)
        return time.monotonic()

    ended = []
    kernel.spawn(asyncio.run, victim(), name="victim")
    assert run(kernel, main) == pytest.approx(2, abs=1e-3)
    assert ended == [pytest.approx(1, abs=1e-3)]


def test_streams(kernel):
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(b"echo " + line)
            await writer.drain()
        writer.close()

    async def serve():
        async with await asyncio.start_server(echo, "srv", 7) as server:
            await server.serve_forever()

    async def main():
        reader, writer = await asyncio.open_connection("srv", 7)
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    network_of(kernel).spawn("srv", asyncio.run, serve())
    kernel.advance(1)
    assert run(kernel, main) == b"echo hello\n"


def test_a_busy_loop_of_asyncio_lets_time_pass(kernel):
    async def main():
        while time.monotonic() < 0.5:
            await asyncio.sleep(0)
        return time.monotonic()

    assert 0.5 <= run(kernel, main) < 0.52


def test_sets_of_tasks_have_the_same_order_in_every_run():
    async def main():
        tasks = {}
        for n in range(40):
            litter.append(bytearray(random.randrange(3000)))  # another address for the next task
            tasks[asyncio.create_task(asyncio.sleep(1))] = n
        done, _ = await asyncio.wait(tasks)
        return [tasks[t] for t in done]

    litter, found = [], []
    for seed in (1, 2, 3):
        kernel = Kernel(Chance(seed))
        found.append(run(kernel, main))
        kernel.close()
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == list(range(40))


def test_outside_asyncio_is_real_also_beside_a_running_cloud():
    async def main():
        began = real_perf_counter()
        await asyncio.sleep(0.02)
        cloud = Cloud()
        process = cloud.spawn(asyncio.run, inside())
        cloud.advance(100)
        await asyncio.sleep(0)
        return process.result, real_perf_counter() - began

    async def inside():
        await asyncio.sleep(50)
        return time.monotonic()

    virtual, real = asyncio.run(main())
    assert virtual == pytest.approx(50, abs=1e-3)
    assert real > 0.015


def test_a_loop_hears_of_signals(kernel):
    """asyncio's guide, "Set signal handlers for SIGINT and SIGTERM"."""

    async def main():
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        async with asyncio.timeout(10):
            await stop.wait()
        assert loop.remove_signal_handler(signal.SIGTERM)
        return time.monotonic()

    assert run(kernel, main) == pytest.approx(3, abs=1e-3)


def test_an_interrupt_cancels_what_asyncio_runs(kernel):
    """asyncio.run: at SIGINT the main task is cancelled, and then KeyboardInterrupt is raised."""
    ended = []

    async def waiting():
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(time.monotonic())

    def program():
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(waiting())

    kernel.spawn(program)
    kernel.advance(20)
    assert ended == [pytest.approx(3, abs=1e-3)]


def test_the_order_of_addresses_does_not_show(kernel):
    """as_completed makes a set of what it is given; `wait` gives sets, also of futures that an executor made."""

    async def note(n, begun):
        begun.append(n)
        return n

    async def main():
        begun, loop = [], asyncio.get_running_loop()
        order, coroutines = random.sample(range(40), 40), [note(n, begun) for n in range(40)]
        ended = [await each for each in asyncio.as_completed([coroutines[n] for n in order])]
        first, second = loop.create_future(), loop.create_future()
        assert isinstance(first, asyncio.Future)
        with pytest.raises(TypeError):
            list(asyncio.as_completed(first))
        assert begun == ended == order
        return -hash(first) + hash(second)

    assert run(kernel, main) == 1


CELLS = [
    """
import asyncio, queue, threading, time
from lablib import Cloud
cloud = Cloud(seed=1)
results = queue.Queue()
""",
    """
async def program(n):
    await asyncio.sleep(n)
    print("flushed", n, flush=True)
    results.put(n)
for n in (1, 2):
    cloud.spawn(asyncio.run, program(n), name=f"p{n}")
cloud.advance(10)
print(results.get(), results.get())
""",
    """
await asyncio.sleep(0.01)
async def top():
    cloud.advance(5)
    await asyncio.sleep(0)
    return cloud.now
print(await top())
""",
    """
def worker():
    time.sleep(1)
    print("thread", threading.current_thread().name, flush=True)
def threads():
    for n in range(2):
        threading.Thread(target=worker, name=f"w{n}").start()
cloud.spawn(threads)
cloud.advance(5)
""",
]


def test_a_notebook_prints_awaits_and_runs_loops_beside_a_cloud():
    """A notebook's own event loop runs all the time, and print(flush=True) waits there for a real thread."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    printed = ["".join(o.get("text", "") for o in cell.outputs) for cell in notebook.cells]
    assert printed == ["", "flushed 1\nflushed 2\n1 2\n", "15.0\n", "thread w0\nthread w1\n"]


def test_asyncio_may_be_imported_before_or_inside():
    code = """
{before}
import lablib, time
from lablib.kernel import Chance, Kernel
def program():
    import asyncio
    async def main():
        await asyncio.sleep(5)
        return round(time.monotonic(), 3)
    return asyncio.run(main())
k = Kernel(); p = k.spawn(program); k.advance(10); print(p.result)
"""
    for before in ("", "import asyncio"):
        out = subprocess.run([sys.executable, "-c", code.format(before=before)], capture_output=True, text=True)
        assert out.stdout == "5.0\n", out.stderr


def test_two_kernels_may_nest(kernel):
    async def main():
        inner = Kernel()
        process = inner.spawn(asyncio.run, inside())
        inner.advance(7)
        await asyncio.sleep(1)
        return process.result, time.monotonic()

    async def inside():
        await asyncio.sleep(3)
        return time.monotonic()

    inner, outer = run(kernel, main)
    assert (inner, outer) == (pytest.approx(3, abs=1e-3), pytest.approx(1, abs=1e-3))
