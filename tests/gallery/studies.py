"""Hand-made tokens for services that have no engine yet: Firehose, MQ, Auto Scaling.

Small deterministic sketches of the rules, not simulations. They exist so that stages with a layout of their own, places
that are born and closed, records that stay while readers move, gauges with limits and a layer of control have something
to show. Each function gives the document that its painter in `painters/` reads.
"""

from __future__ import annotations

import random
from typing import Any


def mq() -> dict[str, Any]:
    rng, T, dies, lock, up = random.Random(2), 40.0, 12.0, 15.2, 16.4
    attach = {"client-1": 17.0, "client-2": 18.3, "client-3": 16.6, "client-4": 19.1}
    tries = {
        "client-1": [12.1, 12.6, 13.6, 15.4, 17.0],
        "client-2": [12.2, 12.9, 14.3, 18.3],
        "client-3": [12.05, 12.4, 13.3, 14.8, 16.6],
        "client-4": [12.3, 13.2, 15.0, 19.1],
    }
    links = []
    for name in attach:
        links += [{"client": name, "broker": 1, "t0": 0.0, "t1": dies, "state": "up"}]
        last = dies
        for n, x in enumerate(tries[name]):
            ok = n == len(tries[name]) - 1
            links.append({"client": name, "broker": 2 if n % 2 else 1, "t0": last, "t1": x, "state": "retry"})
            last = x
            if ok:
                links.append({"client": name, "broker": 2, "t0": x, "t1": T, "state": "up"})
    messages = []
    t = 0.4
    n = 0
    while t < T - 1:
        sender = f"client-{1 + n % 2}"
        persistent = n % 3 != 2
        left = (
            t
            if not (dies <= t < attach[sender])
            else round(
                attach[sender]
                + 0.1
                + 0.12
                * sum(1 for m in messages if m["from"] == sender and m["left"] > dies and m["made"] < attach[sender]),
                2,
            )
        )
        messages.append(
            {
                "n": n + 1,
                "from": sender,
                "persistent": persistent,
                "made": round(t, 2),
                "left": left,
                "arrived": round(left + 0.25, 2),
                "hands": [],
                "lost": None,
                "acked": None,
            }
        )
        n += 1
        t += (0.55 if t < 20 else 1.3) + rng.random() * 0.4
    free = {"client-3": 0.9, "client-4": 1.4}
    queue = sorted(messages, key=lambda m: m["arrived"])
    pending = list(queue)
    for m in pending:
        if not m["persistent"] and m["arrived"] < dies:
            m["soft"] = True
    # two receivers, one message at a time
    t = 0.0
    waiting: list[dict] = []
    k = 0
    while t < T:
        while k < len(queue) and queue[k]["arrived"] <= t:
            waiting.append(queue[k])
            k += 1
        if abs(t - dies) < 0.024:
            for m in list(waiting):
                if not m["persistent"]:
                    m["lost"] = dies
                    waiting.remove(m)
            for m in messages:
                for h in m["hands"]:
                    if h["t1"] > dies and h["t0"] < dies:
                        h["t1"], h["why"] = dies + 0.0, "connection lost"
                        m["acked"] = None
                        if m["persistent"]:
                            waiting.insert(0, m)
                        else:
                            m["lost"] = dies
        for name in ("client-3", "client-4"):
            dark = dies <= t < attach[name]
            if not dark and free[name] <= t and waiting and not (dies - 0.0 <= t < up):
                m = waiting.pop(0)
                took = 2.0 + rng.random() * 0.8
                m["hands"].append(
                    {
                        "holder": name,
                        "t0": round(t, 2),
                        "t1": round(t + took, 2),
                        "why": "acknowledged",
                        "again": len(m["hands"]) > 0,
                    }
                )
                m["acked"] = round(t + took, 2)
                free[name] = t + took + 0.15
            elif dark:
                free[name] = attach[name]
        t = round(t + 0.02, 3)
    ts, ys = [], []
    for i in range(int(T * 5) + 1):
        x = i / 5
        ts.append(x)
        ys.append(
            sum(
                1
                for m in messages
                if m["made"] <= x and (m["acked"] is None or x < m["acked"]) and (m["lost"] is None or x < m["lost"])
            )
        )
    lost = sum(1 for m in messages if m["lost"])
    events = [
        {
            "t": dies,
            "kind": "dies",
            "big": 1,
            "place": "b1",
            "text": (
                f"Broker 1 is gone. All connections break; {lost} message{'s' * (lost != 1)} that "
                f"{'were' if lost != 1 else 'was'} only in its memory "
                f"{'are' if lost != 1 else 'is'} lost."
            ),
        },
        {
            "t": lock,
            "kind": "lock",
            "big": 1,
            "place": "lock",
            "text": ("Broker 2 gets the lock of the shared store. Only now may it open."),
        },
        {
            "t": up,
            "kind": "up",
            "big": 1,
            "place": "b2",
            "text": ("Broker 2 is active. It reads the store; clients come back one by one."),
        },
        {
            "t": attach["client-4"],
            "kind": "attached",
            "big": 1,
            "place": "client-4",
            "text": ("The last client is back: its waits had grown the longest."),
        },
    ]
    return {
        "study": True,
        "duration": T,
        "clients": [{"name": c, "role": "sends" if c in ("client-1", "client-2") else "receives"} for c in attach],
        "links": links,
        "messages": messages,
        "dies": dies,
        "lock": lock,
        "up": up,
        "attach": attach,
        "curve": {"t": ts, "y": ys},
        "events": events,
        "dark": [dies, attach["client-3"]],
    }


def firehose() -> dict[str, Any]:
    rng, T = random.Random(3), 240.0
    records, t = [], 0.5
    while t < T:
        rate = 1.0 if t < 90 or t > 180 else 4.0
        records.append(round(t, 2))
        t += rng.expovariate(rate)
    size = 0.05  # MB a record
    crates, start, inside = [], None, []
    for k, x in enumerate(records):
        if start is not None and x > start + 60:
            crates.append(
                {"t": round(start + 60, 2), "n": len(inside), "why": "fuse", "first": inside[0], "start": start}
            )
            start, inside = None, []
        if start is None:
            start = x
        inside.append(k)
        if len(inside) * size >= 5 - 1e-9:
            crates.append({"t": x, "n": len(inside), "why": "level", "first": inside[0], "start": start})
            start, inside = None, []
    a = [[x, round(x + 0.2 + rng.random() * 0.5, 2)] for x in records]
    events = [
        {
            "t": c["t"],
            "kind": c["why"] if n < 4 else c["why"] + "2",
            "big": 1,
            "n": n,
            "text": (
                f"{'The fuse of 60 s has burnt down' if c['why'] == 'fuse' else '5 MB are full'}: "
                f"{c['n']} records leave in one object."
            ),
        }
        for n, c in enumerate(crates)
    ]
    return {
        "study": True,
        "duration": T,
        "records": records,
        "size": size,
        "limit": 5,
        "fuse": 60,
        "crates": crates,
        "code": a,
        "events": events,
        "colours": [rng.randrange(3) for _ in records],
    }


def asg() -> dict[str, Any]:
    rng, T, dt = random.Random(6), 1500.0, 5.0
    runs = []
    for cooldown, boot in ((30.0, 90.0), (180.0, 90.0)):
        backlog, t, cool_until, desired, n = 40.0, 0.0, 0.0, 3, 0
        fleet = [{"id": i + 1, "born": 0.0, "up": 0.0, "drain": None, "gone": None, "slot": i} for i in range(3)]
        n = 3
        rows, points, changes = [], [], []
        while t <= T:
            rate = 1.2 if t < 200 else 3.4 if t < 800 else 0.9
            up = [w for w in fleet if w["up"] <= t and (w["drain"] is None or t < w["drain"])]
            backlog = max(0.0, backlog + (rate - 0.4 * len(up)) * dt + (rng.random() - 0.5) * 3)
            per = backlog / max(1, len(up))
            if t % 60 < dt:
                points.append([t, round(per, 1)])
            last = [p for _, p in points[-3:]]
            high, low = sum(p > 15 for p in last) >= 2, len(last) == 3 and sum(p < 3 for p in last) >= 2
            if t >= cool_until and (high or low):
                step = 2 if high else -1
                new = max(2, min(12, desired + step))
                if new != desired:
                    changes.append([t, desired, new])
                    desired, cool_until = new, t + cooldown
                    alive = [w for w in fleet if w["drain"] is None]
                    while len(alive) < desired:
                        taken = {w["slot"] for w in fleet if w["gone"] is None or w["gone"] > t}
                        slot = next(i for i in range(12) if i not in taken) if len(taken) < 12 else None
                        if slot is None:
                            break
                        n += 1
                        w = {"id": n, "born": t, "up": t + boot, "drain": None, "gone": None, "slot": slot}
                        fleet.append(w)
                        alive.append(w)
                    while len(alive) > desired:
                        w = max(alive, key=lambda w: w["slot"])
                        w["drain"], w["gone"] = t, t + 45
                        alive.remove(w)
            rows.append([t, round(backlog), round(per, 1), desired, len(up), round(rate, 1)])
            t += dt
        events = [
            {
                "t": c[0],
                "kind": f"{'out' if c[2] > c[1] else 'in'}{i if i < 2 else ''}",
                "big": 1,
                "text": (
                    f"Alarm: desired {c[1]} → {c[2]}. "
                    f"{'New workers need 90 s to boot.' if c[2] > c[1] else 'One drains: it finishes what it holds.'}"
                ),
            }
            for i, c in enumerate(changes)
        ]
        runs.append(
            {
                "cooldown": cooldown,
                "boot": boot,
                "fleet": fleet,
                "rows": rows,
                "points": points,
                "changes": changes,
                "events": events,
            }
        )
    return {"study": True, "duration": T, "min": 2, "max": 12, "line": 15, "low": 3, "runs": runs}


STUDIES = {
    "firehose": ("Read at once, or collect and carry away: how long does a record wait?", firehose),
    "mq": ("The active broker dies. What survives, and how long is it dark?", mq),
    "asg": ("Too short a cooldown: does the fleet overshoot?", asg),
}
