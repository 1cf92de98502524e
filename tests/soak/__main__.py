"""Long and by hand: `python tests/soak [--minutes 10] [--seed 1]` looks for what the tests' few seeds do not reach.

Until the time is over, round after round with fresh seeds:

- each scenario of the labs, with random settings, actions and length: the run ends, twice with the same digest; its
  page can be made; each message that was sent is accounted for; and time, holders and places are in order;
- every Hypothesis machine of the suite (a service against its model), with the round's seed.

Between the rounds 100 clouds with waiting processes are bound to one name, and the memory that they leave is read. It
prints the seeds of what fails, and totals. `README.md` beside it keeps what was seen.

`python tests/soak --labs 20` runs all labs in one Jupyter kernel, 20 times over: no cell fails, and the memory stays.
`python tests/soak --room 10` runs 10 kernels at a time, a lab each, and prints what they cost.
"""

import argparse
import gc
import importlib
import itertools
import logging
import math
import pkgutil
import random
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from kernels import labs_again, room  # noqa: E402  found on the path of the line above

from lablib import Cloud, scenarios  # noqa: E402
from lablib.scenarios import Action  # noqa: E402
from lablib.scenarios.run import check, simulate  # noqa: E402
from lablib.scenarios.scenario import Scenario  # noqa: E402
from lablib.workbench import document  # noqa: E402

MACHINES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/test_*machine*.py"))
LONGEST = 120.0  # virtual seconds of a run
ROWS = 60_000  # a run with more is not made twice
GROWTH = 5e6  # bytes that 100 clouds may leave behind, once the first 100 were made


def all_scenarios() -> list[type[Scenario]]:
    """The scenarios of all labs."""
    found = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        if module.name.startswith("lab"):
            for name, kind in vars(importlib.import_module(f"lablib.scenarios.{module.name}")).items():
                if isinstance(kind, type) and issubclass(kind, Scenario) and kind.missions:
                    found[name] = kind
    return list(found.values())


def random_value(spec, dice: random.Random):
    """A value of a parameter: mostly near its default, sometimes anything that is allowed."""
    if spec.kind is bool:
        return dice.random() < 0.5
    if spec.kind is str:
        return dice.choice(spec.choices)
    high = spec.high if dice.random() < 0.15 else min(spec.high, 3 * abs(spec.default) + 1)
    value = dice.uniform(spec.low, high)
    return round(value) if spec.kind is int else value


def random_run(kind: type[Scenario], dice: random.Random):
    """Settings, actions, length and seed of a run."""
    chosen = {n: random_value(s, dice) for n, s in kind.params().items() if dice.random() < 0.35}
    scenario, until, actions = kind(**chosen), dice.uniform(5, LONGEST), []
    for _ in range(dice.randrange(4)):
        spec = dice.choice(scenario.actions())
        target = dice.choice(spec.targets or ("",))
        value = None
        if spec.kind == "set":
            value = random_value(kind.params()[target], dice)
        elif spec.value_param is not None:
            value = random_value(spec.value_param, dice)
        actions.append(Action(spec.kind, dice.uniform(0, until), target, value))
    return scenario, dice.randrange(10**6), actions, until


def look_over(run) -> None:
    """Raise AssertionError for what cannot be."""
    trace, measures = run.trace, run.measures
    times = trace.column("time")
    assert all(a <= b for a, b in itertools.pairwise(times)), "time goes back"
    assert all(0 <= time <= run.until + 1e-6 for time in times), "a row lies outside of the run"
    causes = trace.column("cause")
    assert all(cause < row for row, cause in enumerate(causes)), "a cause comes after what it caused"
    for token in run.tokens.tokens:
        assert token.end is None or token.end >= token.start - 1e-9, f"a token ends before it begins: {token}"
    for series in (measures.depth(), measures.in_flight(), measures.age_of_oldest()):
        assert min(series.y, default=0) >= -1e-9, f"{series.name} is below zero"
        assert all(map(math.isfinite, series.y)), f"{series.name} is not finite"
    assert measures.done <= measures.sent + len(measures.counted("taken")), "more was done than was sent"
    assert measures.cost() >= 0
    document.pack(document.describe(run))


def memory() -> int:
    """Bytes of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def rebound_clouds() -> None:
    """A notebook that binds a new cloud to an old name, and closes none."""
    for seed in range(100):
        cloud = Cloud(seed=seed)
        url = cloud.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        sqs = cloud.client("sqs")
        cloud.spawn(lambda sqs=sqs, url=url: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20), name="consumer")
        cloud.advance(1)
    gc.collect()


def tell(failures: list[str]) -> int:
    """Print what failed; the exit status."""
    for failure in failures:
        print(f"\nFAILED {failure}")
    return bool(failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--labs", type=int, metavar="TIMES", help="all labs in one kernel, so many times over")
    parser.add_argument("--room", type=int, metavar="KERNELS", help="so many kernels at a time, a lab each")
    options = parser.parse_args()
    if options.labs or options.room:
        return tell(labs_again(options.labs, options.minutes) if options.labs else room(options.room))
    end, seed, totals, failures = time.monotonic() + 60 * options.minutes, options.seed, Counter(), []
    kinds = all_scenarios()
    logging.getLogger("stomp.py").addHandler(logging.NullHandler())  # it tells of each attempt to connect
    while time.monotonic() < end:
        dice = random.Random(seed)
        for kind in kinds:
            if time.monotonic() > end:
                break
            arguments = random_run(kind, dice)
            try:
                run = simulate(*check(*arguments, "2023"))
                look_over(run)
                if len(run.trace) < ROWS:
                    assert run.digest == simulate(*check(*arguments, "2023")).digest, "not the same run again"
                totals["runs"] += 1
                totals["rows"] += len(run.trace)
                totals["virtual hours"] += run.until / 3600
            except ValueError as refusal:  # a worker that is not there, or no longer; too much for the memory
                if not any(words in str(refusal) for words in ("target=", "this lab keeps at most")):
                    failures.append(f"seed {seed}, {arguments}:\n{traceback.format_exc(limit=-3)}")
                totals["refused"] += 1
            except Exception:
                failures.append(f"seed {seed}, {arguments}:\n{traceback.format_exc(limit=-3)}")
        if time.monotonic() < end:
            machine = MACHINES[seed % len(MACHINES)]
            command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", machine]
            done = subprocess.run([*command, f"--hypothesis-seed={seed}"], cwd=ROOT, capture_output=True, text=True)
            totals["machines"] += 1
            if done.returncode:
                failures.append(f"seed {seed}, {machine}:\n{done.stdout[-3000:]}")
        gc.collect()
        before = memory()
        rebound_clouds()
        totals["clouds"] += 100
        if seed > options.seed and memory() - before > GROWTH:
            failures.append(f"seed {seed}: 100 clouds left {(memory() - before) / 1e6:.0f} MB behind")
        print(f"seed {seed}: {dict(totals)}, {memory() / 1e6:.0f} MB, {len(failures)} failures", flush=True)
        seed += 1
    print(f"\n{dict(totals)} with seeds {options.seed} to {seed - 1}: {len(failures)} failures")
    return tell(failures)


if __name__ == "__main__":
    sys.exit(main())
