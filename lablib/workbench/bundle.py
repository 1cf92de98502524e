"""The browser's part as one script and one style sheet: the modules in `js/`, joined. No build step, no network.

The modules are plain ES modules, so that Node can test each. Joined, each is a function that gives what it exports, in
the order of their imports; a name of one module cannot hide that of another.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath

HERE = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import (?P<what>\{[^}]*\}|\* as \w+) from "(?P<path>[^"]+)";\n', re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
_AGAIN = re.compile(r"^export \{ ([\w, ]+) \};\n", re.MULTILINE)
_COMMENT = re.compile(
    r"^[ \t]*(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL
)  # on lines of its own: a tenth of all
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)  # a twentieth
_MAKES = re.compile(r"export\{(?P<others>(?:[^{}]*,)?)(?P<make>[\w$]+) as default\}")
_DEFAULT = re.compile(r"^export default [^\n]*\n", re.MULTILINE)


_STARTS = {
    "": "async ({ model, el }) => mount(el, liveStore(await arrived(model)))",
    "prediction": "async ({ model, el }) => mountPrediction(el, liveStore(await arrived(model)))",
    "part": "async ({ model, el }) => mount(el, await partStore(model))",
}


@cache
def script(only: str = "") -> str:
    """All modules as one, which exports what main.js exports by default; or the page of `only` a "prediction", or of a
    "part" of a workbench.
    """
    order: list[str] = []
    _after(order, "main.js")
    parts = [_wrapped(name) for name in order]
    return "\n".join(
        [
            *parts,
            f"const {{ mount, mountPrediction, savedStore }} = {_name('main.js')};",
            f"const {{ arrived, liveStore, partStore }} = {_name('store.js')};",
            f"const {{ heard }} = {_name('late.js')};",
            f"export default heard({{ render: {_STARTS[only]} }});\n",
        ]
    )


def patient(module: str) -> str:
    """The module of a figure, minified, whose default export makes the widget: it may load late, as ours may, and is as
    wide as its box. One that exports in another way stays as it is.
    """
    found = max(_MAKES.finditer(module), key=lambda match: match.start(), default=None)  # others stand in texts of it
    if found is None:
        return module
    before, after = module[: found.start()], module[found.end() :]
    name = _name("late.js")
    late = f"{_wrapped('late.js')}\nexport default () => {name}.heard({name}.fitted({found['make']}()), true);\n"
    return f"{before}export{{{found['others']}}}{after}\n{late}"


@cache
def style() -> str:
    """The style sheet."""
    return _INDENT.sub("", HERE.joinpath("style.css").read_text(encoding="utf-8"))


@cache
def _text(name: str) -> str:
    return _INDENT.sub("", _COMMENT.sub("", HERE.joinpath(name).read_text(encoding="utf-8")))


def _target(name: str, path: str) -> str:
    """The module that an import of `name` means, from the folder of all modules."""
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / path).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _after(order: list[str], name: str) -> None:
    """Puts a module behind all that it imports."""
    if name in order:
        return
    for found in _IMPORT.finditer(_text(name)):
        _after(order, _target(name, found["path"]))
    order.append(name)


def _name(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _wrapped(name: str) -> str:
    """A module as a constant that holds its exports."""

    def given(found: re.Match[str]) -> str:
        source = _name(_target(name, found["path"]))
        what = found["what"]
        names = what.removeprefix("* as ") if what.startswith("*") else what.replace(" as ", ": ")
        return f"const {names} = {source};\n"

    text = _DEFAULT.sub("", _text(name))
    exports = [*_EXPORTED.findall(text), *(n for found in _AGAIN.findall(text) for n in found.split(", "))]
    body = re.sub(r"^export ", "", _AGAIN.sub("", _IMPORT.sub(given, text)), flags=re.MULTILINE)
    return f"const {_name(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
