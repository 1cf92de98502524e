"""The budgets, measured here and now: `python tests/bench`, or `python tests/bench simpy memory` for some of them.

Speeds are compared within one run on one machine; where the budget is an absolute time, so is the figure, and beside it
stands what it would be on the machine for which the budget was set. Exit status 1 when a budget is broken.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import engine  # noqa: E402  found on the path of the line above
import services  # noqa: E402
import workbench  # noqa: E402

BUDGETS = [
    ("import", "import lablib", engine.import_time, "<=", 0.25, "s"),
    ("call", "one boto3 call / botocore's validation of it", engine.call_against_validation, "<=", 2.5, "x"),
    ("simpy", "message lives a second / SimPy's", engine.life_against_simpy, ">=", 2.0, "x"),
    ("crowd", "the same, 4 producers and 4 consumers at a time", engine.crowd_against_simpy, ">=", 2.2, "x"),
    ("spawn", "5,000 processes of one name / of as many", engine.spawn_of_one_name, "<=", 2.0, "x"),
    ("stdlib", "a sleep, a lock or a queue of the stdlib / a wait", engine.stdlib_against_wait, "<=", 3.0, "x"),
    ("moto", "message lives a second through boto3 / moto's", engine.life_against_moto, ">=", 100, "x"),
    ("fifo", "a FIFO life / a standard life", engine.fifo_against_standard, "<=", 2.0, "x"),
    ("growth", "cost of a message, 10^6 / 10^3", engine.cost_growth, "<=", 1.3, "x"),
    ("memory", "memory of a message", engine.memory, "<=", 700, "bytes"),
    ("hour", "5,000 messages, 4 consumers, a virtual hour", engine.hour, "<=", 2.0, "s"),
    ("record", "a stream's record, over a queue's batch entry", services.record_over_entry, "<=", 3.0, "us"),
    ("records", "cost of a record, 10^6 / 10^3", services.record_growth, "<=", 1.3, "x"),
    ("firehose", "a record through Firehose to S3 / put in a stream", services.firehose_against_stream, "<=", 1.5, "x"),
    ("stomp", "a life over STOMP / through boto3", services.stomp_against_boto3, "<=", 6.0, "x"),
    ("run", "a workbench's standard run", workbench.standard_run, "<=", 60, "ms"),
    ("bytes", "bytes of a step of a slider, two lanes", workbench.step_bytes, "<=", 150_000, "bytes"),
    ("paint", "slider to two painted lanes, 95th percentile", workbench.slider_to_paint, "<=", 150, "ms"),
    ("start", "messaging-lab to the first live workbench", workbench.first_workbench, "<=", 8, "s"),
    ("frames", "frame to frame, 500 marks, 95th percentile", workbench.frames, "<=", 17.5, "ms"),
]

YARDSTICK = 46  # microseconds of a life in SimPy on the machine for which the absolute times were set


def main(names: list[str]) -> int:
    unknown = set(names) - {name for name, *_ in BUDGETS}
    if unknown:
        print(f"no budget is called {', '.join(sorted(unknown))}; there are: {', '.join(b[0] for b in BUDGETS)}")
        return 2
    broken = 0
    print(f"{'budget':<46} {'measured':>10} {'allowed':>12}")
    for name, title, measure, relation, bound, unit in BUDGETS:
        if names and name not in names:
            continue
        value, how = measure()
        holds = value <= bound if relation == "<=" else value >= bound
        broken += not holds
        if unit in ("s", "ms"):
            pace = engine.simpy_life() * 1e6
            how += f"; {value * YARDSTICK / pace:.3g} {unit} where SimPy takes {YARDSTICK} us a life, not {pace:.0f}"
        print(
            f"{title:<46} {value:>10.3g} {relation} {bound:>5g} {unit:<6} {'ok' if holds else 'BROKEN':<7} {how}",
            flush=True,
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
