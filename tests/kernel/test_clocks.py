"""The `time` module: virtual inside a process, real everywhere else."""

import datetime as dt
import inspect
import io
import logging
import pickle
import subprocess
import sys
import threading
import time
from datetime import datetime

import freezegun
import pandas
import pytest

from lablib.kernel import Kernel, stdlib


def test_inside_a_process_the_clocks_are_virtual(kernel):
    """Also those of the processor: what a program prints of them is the same in every run."""
    seconds = [time.time, time.monotonic, time.perf_counter, time.process_time, time.thread_time]
    seconds += [lambda: time.clock_gettime(time.CLOCK_REALTIME), lambda: time.clock_gettime(time.CLOCK_MONOTONIC)]
    nanoseconds = [time.time_ns, time.monotonic_ns, time.perf_counter_ns, time.process_time_ns, time.thread_time_ns]
    nanoseconds += [lambda: time.clock_gettime_ns(time.CLOCK_REALTIME)]
    clocks, seen = seconds + nanoseconds, {}

    def process():
        began = [clock() for clock in clocks]
        time.sleep(86400.5)
        ended = [clock() for clock in clocks]
        seen["passed"] = [b - a for a, b in zip(began, ended, strict=True)]
        seen["began"] = began[0]

    real = stdlib.clocks.real_perf_counter()
    kernel.run_process = kernel.spawn(process)
    kernel.advance(100_000)
    assert stdlib.clocks.real_perf_counter() - real < 5
    assert seen["passed"] == [86400.5] * len(seconds) + [86_400_500_000_000] * len(nanoseconds)
    assert time.gmtime(seen["began"])[:3] == (2023, 4, 1)


def test_a_name_imported_from_time_works_too(kernel):
    from time import sleep

    kernel.spawn(sleep, 30)
    kernel.advance(60)
    assert kernel.now == 60


def test_outside_a_process_time_is_real(kernel):
    kernel.advance(1000)
    began = time.perf_counter()
    time.sleep(0.02)
    assert 0.015 < time.perf_counter() - began < 5
    assert abs(time.time() - time.time_ns() / 1e9) < 5


def test_background_threads_keep_real_time_while_a_run_lasts(kernel):
    slept = []

    def background():
        began = stdlib.clocks.real_perf_counter()
        time.sleep(0.05)
        slept.append(stdlib.clocks.real_perf_counter() - began)

    thread = threading.Thread(target=background)

    def process():
        time.sleep(1e6)

    kernel.spawn(process)
    thread.start()
    kernel.advance(2e6)
    thread.join()
    assert 0.04 < slept[0] < 5


def test_a_long_sleep_at_the_top_of_a_cell_says_what_to_use_instead():
    code = "import lablib, time; time.sleep(0.01); time.sleep(2)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stderr.count("cloud.advance(2) lets virtual time pass") == 1
    assert "sleep(0.01) at" not in out.stderr


def test_negative_sleep_is_the_standard_error(kernel):
    kernel.spawn(time.sleep, -1)
    with pytest.raises(ValueError, match="sleep length must be non-negative"):
        kernel.advance(1)


def test_installing_twice_changes_nothing():
    before = time.sleep, time.time
    stdlib.install()
    assert (time.sleep, time.time) == before


# ---- datetime and local time ----------------------------------------------------------------------------------------

FIVE_PAST = dt.datetime(2023, 4, 2, 6, 0, 5)  # thirty hours and five seconds after the beginning


def inside(kernel, fn):
    """What fn returns in a process, thirty hours and five seconds after the beginning."""
    process = kernel.spawn(lambda: time.sleep(108_005) or fn())
    kernel.advance(200_000)
    return process.result


class Mine(dt.datetime):
    pass


@pytest.mark.parametrize(
    "ask",
    [
        dt.datetime.now,
        lambda: datetime.now(),
        dt.datetime.utcnow,
        dt.datetime.today,
        lambda: dt.datetime.now(dt.UTC).replace(tzinfo=None),
        lambda: datetime.now(tz=dt.timezone(dt.timedelta(hours=9))).replace(tzinfo=None) - dt.timedelta(hours=9),
        Mine.now,
        lambda: pandas.Timestamp.now().to_pydatetime(),
        lambda: pandas.Timestamp("now").to_pydatetime(),
        lambda: pandas.Timestamp.now("UTC").to_pydatetime().replace(tzinfo=None),
        lambda: datetime.fromtimestamp(logging.makeLogRecord({}).created, dt.UTC).replace(tzinfo=None),
        lambda: datetime.strptime(time.strftime("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S"),
        lambda: datetime.strptime(time.ctime(), "%a %b %d %H:%M:%S %Y"),
        lambda: datetime.strptime(time.asctime(), "%a %b %d %H:%M:%S %Y"),
        lambda: datetime(*time.localtime()[:6]),
        lambda: datetime(*time.gmtime()[:6]),
        lambda: datetime.fromtimestamp(time.clock_gettime(time.CLOCK_REALTIME), dt.UTC).replace(tzinfo=None),
    ],
)
def test_every_way_to_ask_for_the_time_gives_the_same(kernel, ask):
    assert inside(kernel, ask) == FIVE_PAST
    assert ask().year > 2023


def test_today_is_virtual(kernel):
    assert inside(kernel, dt.date.today) == dt.date(2023, 4, 2)


def test_datetime_stays_one_class(kernel):
    now = inside(kernel, datetime.now)
    mine = Mine.now()
    assert type(now) is datetime is dt.datetime
    assert type(mine) is Mine
    assert pickle.loads(pickle.dumps(now)) == now
    assert inspect.isbuiltin(datetime.fromtimestamp)
    assert inside(Kernel(), Mine.now) == FIVE_PAST


def test_outside_datetime_is_real():
    assert abs(datetime.now(dt.UTC).timestamp() - time.time()) < 5
    assert abs(datetime.now() - datetime.fromtimestamp(time.time())) < dt.timedelta(seconds=5)
    assert time.localtime(0) == time.localtime(0.0)


def test_freezegun_works_inside_and_outside(kernel):
    with freezegun.freeze_time("2020-02-02"):
        assert datetime.now().year == 2020
        kernel.spawn(lambda: seen.append(dt.datetime.now().year))
        seen = []
        kernel.advance(1)
    assert seen == [2020]
    assert datetime.now().year > 2023
    assert inside(Kernel(), datetime.now) == FIVE_PAST


def test_log_lines_bear_virtual_times(kernel):
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(asctime)s %(relativeCreated)d %(threadName)s %(process)d %(message)s"))
    logger = logging.getLogger("tests.kernel.clocks")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        inside(kernel, lambda: logger.warning("low"))
    finally:
        logger.removeHandler(handler)
    assert out.getvalue() == "2023-04-02 06:00:05,000 108005000 <lambda> 1 low\n"


def test_a_clock_as_an_attribute_of_a_class_is_not_bound():
    class Timed:
        clock = time.monotonic

    assert Timed().clock() > 0


def test_time_machine_is_refused():
    """With `time.time` replaced, its own replacement ends in a segmentation fault."""
    code = "import sys; sys.modules['_time_machine'] = sys; import lablib, datetime"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: time-machine and lablib both replace datetime.now" in out.stderr
