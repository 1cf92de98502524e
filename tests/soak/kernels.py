"""Jupyter kernels under load: all labs in one kernel again and again, and a room of kernels on one machine."""

import os
import tempfile
import threading
import time
from pathlib import Path

import nbformat
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = sorted(ROOT.glob("solutions/*.ipynb"))
GROWTH = 20e6  # bytes that a kernel may grow from one round of all labs to the next, once it has seen three
WARM = 3  # rounds until nothing more is imported or kept for the first time


class Kernel:
    """A kernel as a learner has it, with an empty progress folder. Used as a context manager."""

    def __init__(self, folder: str) -> None:
        self.errors: list[str] = []
        self._manager = KernelManager(kernel_name="python3")
        env = {**os.environ, "MESSAGING_LAB_HOME": folder, "PYTHONHASHSEED": "0", "JUPYTER_DATA_DIR": folder}
        self._manager.start_kernel(cwd=str(ROOT / "solutions"), env=env)
        self._client: BlockingKernelClient = self._manager.client()

    def __enter__(self) -> "Kernel":
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)
        self.pid = self._manager.provisioner.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, path: Path) -> None:
        """All code cells of a notebook, from top to bottom; what goes wrong is kept in `errors`."""
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
            if cell.cell_type == "code" and (error := self._execute(cell.source, f"{path.stem} {number}")):
                self.errors.append(f"{path.stem}, cell {number}: {error}")

    def _execute(self, code: str, cell: str) -> str:
        """Run a cell as JupyterLab does, which says which cell it is. Its error."""
        client = self._client
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = client.session.msg("execute_request", content, metadata={"cellId": cell})
        client.shell_channel.send(message)
        mine, error = message["header"]["msg_id"], ""
        while True:
            heard = client.get_iopub_msg(timeout=600)
            if heard["parent_header"].get("msg_id") == mine:
                if heard["msg_type"] == "error":
                    error = f"{heard['content']['ename']}: {heard['content']['evalue']}"
                if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                    break
        while client.get_shell_msg(timeout=600)["parent_header"].get("msg_id") != mine:
            pass
        return error

    def memory(self) -> int:
        """Bytes that are its own, or its part of what it shares with other processes."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    def cpu(self) -> float:
        """Seconds of processor time, up to now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def labs_again(times: int, minutes: float) -> list[str]:
    """All labs in one kernel, `times` over or until the minutes are over. What went wrong."""
    failures, sizes, end = [], [], time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder, Kernel(folder) as kernel:
        for turn in range(1, times + 1):
            for path in SOLUTIONS:
                kernel.run(path)
            sizes.append(kernel.memory())
            print(f"round {turn}: {sizes[-1] / 1e6:.0f} MB, {kernel.cpu():.0f} s of CPU", flush=True)
            if kernel.errors or time.monotonic() > end:
                break
        failures += kernel.errors
    rounds = len(sizes) - WARM
    if rounds > 0 and (growth := (sizes[-1] - sizes[WARM - 1]) / rounds) > GROWTH:
        failures.append(f"the kernel grows by {growth / 1e6:.0f} MB a round")
    print(f"{len(SOLUTIONS)} labs, {len(sizes)} times in one kernel: {[round(size / 1e6) for size in sizes]} MB")
    return failures


def room(count: int) -> list[str]:
    """So many kernels at a time, each with a lab from top to bottom. What went wrong."""
    began, failures, seen = time.monotonic(), [], []

    def learner(number: int) -> None:
        path = SOLUTIONS[number % len(SOLUTIONS)]
        with tempfile.TemporaryDirectory() as folder, Kernel(folder) as kernel:
            first = kernel.memory()
            kernel.run(path)
            ready = time.monotonic() - began
            seen.append((path.stem, kernel.memory(), kernel.cpu(), ready))
            print(f"{path.stem}: {first / 1e6:.0f} to {kernel.memory() / 1e6:.0f} MB, {kernel.cpu():.0f} s of CPU, "
                  f"ready after {ready:.0f} s", flush=True)  # fmt: skip
            everyone.wait()  # all are there until the last is ready
            failures.extend(kernel.errors)

    everyone = threading.Barrier(count)
    threads = [threading.Thread(target=learner, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seen) < count:
        failures.append(f"{count - len(seen)} kernels did not come to the end")
    total, cpu, last = (sum(row[1] for row in seen), sum(row[2] for row in seen), max(row[3] for row in seen))
    print(f"{count} kernels: {total / 1e9:.1f} GB, {cpu:.0f} s of CPU, all ready after {last:.0f} s")
    return failures
