"""A run as a short text: `ml1-`, then the question that was asked (not the answer), packed, with a checksum.

The packing: JSON, deflated with a dictionary of words that are likely, a CRC-32 in front, base64 for addresses. The
dictionary belongs to version 1 of the text and must never change; a new one needs a new prefix.
"""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from lablib.scenarios.actions import Action
from lablib.scenarios.scenario import find

if TYPE_CHECKING:
    from lablib.scenarios.run import Run

PREFIX = "ml1-"
_LIKELY = (
    b'"away":"every":"per_day":"connections":"query":"spread":"pause":"backlog":"timeout":"restart":"retention":"outages":'
    b'"spike_factor":"spike_length":"spike_start":"arrivals":"day""poisson""steady""work":"batch_size":"wait_time":'
    b'"visibility_timeout":"rate":"consumers":1"mode":"direct"}[["server_down",1,"server-1",30]["burst",2,"",100]'
    b'["set",3,"consumers",["stall",4,"consumer-1",5.5]["crash",6,"consumer-2"]],null,"today",'
    b'["Promises",{["Fleet",{["VideoQueue",{},0,[],'
)
_RENAMED = {
    "stall": "freeze",
    "subscribe": "add_analytics",
}  # kinds of actions, in texts from before they were called otherwise
_LONGEST = 8_000  # characters of a text; and bytes of what is in it
_NOT_ONE = "this is not a run's text: copy all of it, from 'ml1-' to the end"


def encode(
    name: str,
    changed: dict[str, Any],
    seed: int,
    actions: tuple[Action, ...],
    until: float | None,
    limits: str,
    cursor: float | None,
) -> str:
    """The text for these parts of a run."""
    acts = [_trim([a.kind, _short(a.at), a.target, _short(a.value)]) for a in actions]
    parts = _trim([name, {k: _short(v) for k, v in changed.items()}, seed, acts, _short(until), limits, _short(cursor)])
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_LIKELY)
    packed = packer.compress(json.dumps(parts, separators=(",", ":")).encode()) + packer.flush()
    return PREFIX + urlsafe_b64encode(zlib.crc32(packed).to_bytes(4, "big") + packed).decode().rstrip("=")


def _short(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _trim(parts: list[Any]) -> list[Any]:
    defaults = {"2023"}
    while parts and (parts[-1] in (None, "", []) or (isinstance(parts[-1], str) and parts[-1] in defaults)):
        parts.pop()
    return parts


def decode(text: str) -> Run:
    """The run behind a text, computed. Raises ValueError with one clear line when it is not the text of a run."""
    name, changed, seed, acts, until, limits, cursor = _unpack(text)
    scenario_class = find(name)
    try:
        scenario = scenario_class(**changed)
        actions = [Action(_RENAMED.get(str(kind), kind), *rest) for kind, *rest in acts]
        return scenario.run(seed, actions, until, limits).at_cursor(cursor)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _unpack(text: str) -> list[Any]:
    if not isinstance(text, str) or not text.strip().startswith(PREFIX) or len(text) > _LONGEST:
        raise ValueError(_NOT_ONE)
    code = text.strip().removeprefix(PREFIX)
    try:
        raw = urlsafe_b64decode(code + "=" * (-len(code) % 4))
        if len(raw) < 5 or zlib.crc32(raw[4:]) != int.from_bytes(raw[:4], "big"):
            raise ValueError
        opener = zlib.decompressobj(-15, zdict=_LIKELY)
        parts = json.loads(opener.decompress(raw[4:], _LONGEST))
        if not opener.eof or not isinstance(parts, list) or not 1 <= len(parts) <= 7:
            raise ValueError
        full = [*parts, *[None, {}, 0, [], None, "2023", None][len(parts) :]]
        if not isinstance(full[0], str) or not isinstance(full[1], dict) or not _are_actions(full[3]):
            raise ValueError
    except (ValueError, RecursionError, zlib.error):
        raise ValueError(_NOT_ONE) from None
    return full


def _are_actions(acts: Any) -> bool:
    return isinstance(acts, list) and all(isinstance(a, list) and 2 <= len(a) <= 4 for a in acts)
