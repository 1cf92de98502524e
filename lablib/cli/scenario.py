"""`messaging-lab run`: a lab's scenario in the terminal. Its options are the scenario's own parameters."""

import argparse
import pkgutil
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import lablib.scenarios
from lablib.cli.copies import Problem
from lablib.scenarios.param import ParamSpec, near
from lablib.scenarios.run import Run, check
from lablib.scenarios.scenario import Scenario


def scenarios(lab: str) -> dict[str, type[Scenario]]:
    """The scenarios of a lab by name; the first is the default. `lab`: "01" or "01-sqs". Raises Problem."""
    labs = [
        m.name.removeprefix("lab") for m in pkgutil.iter_modules(lablib.scenarios.__path__) if m.name.startswith("lab")
    ]
    number = lab.split("-")[0]
    if number not in labs:
        raise Problem(f"there is no lab {lab!r} with a scenario; there is {', '.join(labs) or 'none'}")
    return import_module(f"lablib.scenarios.lab{number}").SCENARIOS


def chosen(lab: str, name: str | None) -> type[Scenario]:
    known = scenarios(lab)
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise Problem(f"lab {lab} has no scenario {name!r}; it has {', '.join(known)}")
    return known[name]


def about(spec: ParamSpec) -> str:
    """One line of help: what it is, what is allowed, the default, AWS's name for it."""
    if spec.choices:
        allowed = " | ".join(spec.choices)
    elif spec.kind is bool:
        allowed = "yes | no"
    else:
        allowed = spec.range
    default = ("yes" if spec.default else "no") if spec.kind is bool else spec.default
    aws = f"; AWS: {spec.aws}" if spec.aws else ""
    return f"{spec.help or spec.label} ({allowed}; default {default}{aws})".replace("%", "%%")


def option_parser(scenario: type[Scenario]) -> argparse.ArgumentParser:
    """The scenario's parameters as options: visibility_timeout is --visibility-timeout."""
    from lablib.cli import Parser

    made = Parser(prog="messaging-lab run", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    group = made.add_argument_group(f"options of {scenario.__name__}")
    for name, spec in scenario.params().items():
        option = f"--{name.replace('_', '-')}"
        more: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": about(spec)}
        if spec.kind is bool:
            group.add_argument(option, action=argparse.BooleanOptionalAction, **more)
        else:
            kinds: dict[type, Callable[[str], Any]] = {int: _whole, float: float}
            group.add_argument(option, type=kinds.get(spec.kind, str), metavar="NAME" if spec.choices else "N", **more)
    return made


def _whole(text: str) -> int | float:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)  # 3.5 gets the parameter's own answer


_whole.__name__ = "number"  # argparse names it in "invalid number value"


def report(run: Run) -> str:
    """The run's numbers, one a line, and its digest."""
    rows = [(number.label, number.text) for number in run.measures.summary()]
    rows.append(("digest", f"{run.digest[:16]} (the same for the same seed and options)"))
    wide = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{wide}}  {text}" for label, text in rows)


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab run`"""
    if args.lab.endswith(".py") or Path(args.lab).is_file():
        from lablib.cli import program

        return program.command(args, rest)
    if given := [f"--{name}" for name in ("trace", "page", "faults", "seeds") if getattr(args, name)]:
        raise Problem(f"{given[0]} is for a program of your own; a lab's scenario has none")
    scenario = chosen(args.lab, args.scenario)
    options = option_parser(scenario)
    if args.options:
        others = [name for name, other in scenarios(args.lab).items() if other is not scenario]
        print(options.format_help().strip())
        print(f"\nother scenarios of this lab (--scenario): {', '.join(others) or 'none'}")
        return 0
    values, unknown = options.parse_known_args(rest)
    if unknown:
        guess = near(unknown[0], [f"--{name.replace('_', '-')}" for name in scenario.params()])
        hint = guess or f" (messaging-lab run {args.lab} --options lists them)"
        options.exit(2, f"messaging-lab run: {scenario.__name__} has no option {unknown[0]}{hint}\n")
    try:
        value = scenario(**vars(values))
        check(value, args.seed, (), args.until, args.limits)
    except (TypeError, ValueError) as error:
        options.exit(2, f"messaging-lab run: {error}\n")
    run = value.run(seed=args.seed, until=args.until, limits=args.limits)
    print(f"{value.title} (seed {args.seed}, limits {args.limits}, {run.until:g} virtual seconds)\n\n{report(run)}")
    if args.explain:
        print(f"\n{story(run, args.explain)}")
    return 0


def story(run: Run, message: str) -> str:
    """What happened to one message. Raises Problem, with ids that exist, when it is not in the run."""
    sent = [run.trace[row].subject for row in run.measures.counted("sent")]
    if message not in sent and not run.trace.where(subject=message):
        raise Problem(f"no message {message!r} in this run; its messages are {', '.join(sent[:3]) or 'none'}, ...")
    return run.explain(message)
