"""Mutants of our solutions: which small mistakes does the check of an exercise let pass?

    python tests/exercises/mutants.py                    every mutant of every solution, and some pairs
    python tests/exercises/mutants.py 02.poison 03       those of these exercises
    python tests/exercises/mutants.py --sample 40        a fixed sample
    python tests/exercises/mutants.py --pairs 100        so many pairs, besides

A mutant is our solution with one mistake that programs have: a statement less, two in the wrong order, another
constant, the opposite comparison, an `except` that is too wide, work and delete under `finally`, the work done twice,
failures ignored. Each must fail the check, or stand in `survivors.txt` with the reason why it is right.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from lablib.exercises import all_exercises, exercise  # noqa: E402
from lablib.exercises.base import Endless  # noqa: E402
from lablib.exercises.solutions import source_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("survivors.txt")
FLIPPED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
NUMBERS = {  # what else is tried for an argument
    "MaxNumberOfMessages": (1, 2, 5, 9), "WaitTimeSeconds": (0, 1, 5, 15, 19), "VisibilityTimeout": (0, 5, 20, 60, 600),
}  # fmt: skip


class Mutant(NamedTuple):
    """A changed solution: its exercise, what was changed, in words, and its source."""

    id: str
    what: str
    source: str

    @property
    def key(self) -> str:
        return f"{self.id}: {self.what}"


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:70]


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Module):
                yield block


def _names_called(node: ast.AST) -> set[str]:
    calls = (n.func for n in ast.walk(node) if isinstance(n, ast.Call))
    return {c.attr if isinstance(c, ast.Attribute) else getattr(c, "id", "") for c in calls}


def edits(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Every single mistake, in words, with the changed tree."""
    for number, _ in enumerate(ast.walk(tree)):
        changed = copy.deepcopy(tree)
        node: Any = list(ast.walk(changed))[number]
        yield from ((what, after) for what, after in _edits_of(changed, node))


def _edits_of(tree: ast.Module, node: Any) -> Iterator[tuple[str, ast.Module]]:
    """The mistakes that can be made at this node. The tree is put back after each."""

    def with_(what: str, holder: Any, name: str, value: Any) -> Iterator[tuple[str, ast.Module]]:
        before = getattr(holder, name)
        setattr(holder, name, value)
        yield what, copy.deepcopy(tree)
        setattr(holder, name, before)

    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield from with_(f"{node.value} -> {not node.value}", node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        others = dict.fromkeys((0, 1, node.value + 1, node.value - 1, node.value * 2, node.value // 2))
        for other in others:
            if other != node.value and other >= 0:
                yield from with_(f"{node.value} -> {other}", node, "value", other)
    elif isinstance(node, ast.keyword) and node.arg in NUMBERS and isinstance(node.value, ast.Constant):
        for other in NUMBERS[node.arg]:
            yield from with_(f"{node.arg}={node.value.value} -> {other}", node, "value", ast.Constant(other))
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            rest = [k for k in node.keywords if k is not keyword]
            yield from with_(f"{_short(node.func)}(...) without {keyword.arg}", node, "keywords", rest)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPPED:
        for table in (FLIPPED, BOUNDARY):
            if type(node.ops[0]) in table:
                other = table[type(node.ops[0])]()
                yield from with_(f"{_short(node)}: {type(other).__name__}", node, "ops", [other])
    elif isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Constant):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield from with_(f"not ({_short(node.test)})", node, "test", negated)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
        for other in (ast.Add, ast.Sub, ast.Mult, ast.Div):
            if not isinstance(node.op, other):
                yield from with_(f"{_short(node)}: {other.__name__}", node, "op", other())
    elif isinstance(node, ast.Dict):
        for i, key in enumerate(node.keys):
            if isinstance(key, ast.Constant):
                keys, values = node.keys[:i] + node.keys[i + 1 :], node.values[:i] + node.values[i + 1 :]
                before = node.keys
                node.keys = keys
                yield from with_(f"without the key {key.value!r}", node, "values", values)
                node.keys = before
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block and not isinstance(node, ast.Module):
            yield from _edits_of_block(node, name, block, with_)


def _edits_of_block(node: Any, name: str, block: list[ast.stmt], with_: Any) -> Iterator[tuple[str, ast.Module]]:
    for i, statement in enumerate(block):
        said = _short(statement)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        rest = block[:i] + block[i + 1 :]
        yield from with_(f"without `{said}`", node, name, rest or [ast.Pass()])
        yield from with_(f"twice `{said}`", node, name, [*block[: i + 1], statement, *block[i + 1 :]])
        if i + 1 < len(block):
            swapped = [*block[:i], block[i + 1], statement, *block[i + 2 :]]
            yield from with_(f"`{_short(block[i + 1])}` before `{said}`", node, name, swapped)
            held = ast.Try(body=[statement], handlers=[], orelse=[], finalbody=block[i + 1 :])
            yield from with_(f"finally after `{said}`", node, name, [*block[:i], held])
        if _names_called(statement):
            wide = ast.ExceptHandler(type=ast.Name("Exception"), name=None, body=[ast.Pass()])
            safe = ast.Try(body=[statement], handlers=[wide], orelse=[], finalbody=[])
            yield from with_(f"except Exception: pass around `{said}`", node, name, [*block[:i], safe, *block[i + 1 :]])
        if isinstance(statement, ast.Continue | ast.Break | ast.Return):
            for other in (ast.Continue(), ast.Break(), ast.Return(None), ast.Pass()):
                if type(other) is not type(statement):
                    yield from with_(f"{said} -> {type(other).__name__.lower()}", node, name, [*block[:i], other])


def mutants(id: str) -> list[Mutant]:
    """Every mutant of the solution that can be compiled, each source once, in a fixed order."""
    tree = ast.parse(source_of(id))
    seen = {ast.unparse(tree)}
    found = []
    counts: dict[str, int] = {}
    for what, changed in edits(tree):
        source = ast.unparse(ast.fix_missing_locations(changed))
        if source in seen:
            continue
        seen.add(source)
        try:
            compile(source, id, "exec")
        except SyntaxError:
            continue
        counts[what] = counts.get(what, 0) + 1
        found.append(Mutant(id, what if counts[what] == 1 else f"{what} ({counts[what]})", source))
    return found


def pairs(id: str, count: int) -> Iterator[Mutant]:
    """So many mutants with two mistakes, drawn by a fixed seed."""
    chance = random.Random(id)
    first = mutants(id)
    for _ in range(count):
        one = chance.choice(first)
        both = list(edits(ast.parse(one.source)))
        what, changed = chance.choice(both)
        yield Mutant(id, f"{one.what} + {what}", ast.unparse(ast.fix_missing_locations(changed)))


def scope_of(id: str) -> dict[str, Any]:
    """What the notebook has: the imports and the functions of the lab's source."""
    (path,) = (ROOT / "solutions").glob(f"{id.partition('.')[0]}-*.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    scope: dict[str, Any] = {}
    exec(compile(tree, path.name, "exec"), scope)
    return scope


def passes(mutant: Mutant) -> bool:
    """Does the check let it pass?"""
    scope = scope_of(mutant.id)
    exec(compile(mutant.source, "mutant", "exec"), scope)
    e = exercise(mutant.id)
    fn = scope[e.name]
    try:
        return e.first_failing(fn) is None
    except Endless:
        return False


def known_survivors() -> dict[str, str]:
    """The mutants that are right, each with the reason."""
    lines = SURVIVORS.read_text(encoding="utf-8").splitlines() if SURVIVORS.exists() else []
    pairs = (line.split(" => ") for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def explained(mutant: Mutant, known: dict[str, str]) -> bool:
    """Does a line of `survivors.txt` say why this mutant is right?"""
    return any(re.fullmatch(pattern, mutant.key) for pattern in known)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help="exercises, or beginnings of their names")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=0)
    args = parser.parse_args()
    ids = [e.id for e in all_exercises() if not args.ids or e.id.startswith(tuple(args.ids))]
    known, new, tried = known_survivors(), 0, 0
    for id in ids:
        some = [*mutants(id), *pairs(id, args.pairs)]
        if args.sample:
            some = random.Random(id).sample(some, min(args.sample, len(some)))
        passing = [mutant for mutant in some if passes(mutant)]
        tried += len(some)
        unknown = [mutant for mutant in passing if not explained(mutant, known)]
        new += len(unknown)
        print(f"{id}: {len(some)} mutants, {len(passing)} pass, {len(unknown)} of them unexplained", flush=True)
        for mutant in unknown:
            print(f"  {mutant.key}", flush=True)
    print(f"{tried} mutants, {new} pass without an explanation")
    return 1 if new else 0


if __name__ == "__main__":
    raise SystemExit(main())
