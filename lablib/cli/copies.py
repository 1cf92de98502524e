"""The learner's own copies of the labs: delivered, brought up to date, put back; never overwritten once changed."""

import contextlib
import json
import os
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha256
from itertools import count
from pathlib import Path

import lablib
from lablib.files import HOME, read, whole

MANIFEST = "delivered.json"
PATTERN = "[0-9][0-9]*-*.ipynb"  # of a lab's notebook: its number, which may end in a letter, and its topic


class Problem(Exception):
    """Something a learner can put right. Its text is one clear line: what is wrong, and what to do."""


def home(folder: Path) -> Path:
    """Where progress and the list of delivered copies are kept: $MESSAGING_LAB_HOME, else inside the folder."""
    return Path(os.environ.get(HOME) or folder.resolve() / ".messaging-lab")


def labs_folder() -> Path:
    """The labs as delivered: beside the installed package, or in the current folder. Raises Problem."""
    for root in (Path(lablib.__file__).resolve().parents[1], Path.cwd()):
        if any((root / "labs").glob(PATTERN)):
            return root / "labs"
    raise Problem(
        "the labs' notebooks are not here. They come with the repository, not with the package: "
        "clone it, and in its folder run: pip install -e ."
    )


def find(labs: Path, lab: str) -> Path:
    """The notebook of a lab named by number or name ("01", "01-sqs"). Raises Problem."""
    found = sorted(labs.glob(PATTERN))
    for path in found:
        if lab.removesuffix(".ipynb") in (path.stem, path.stem.split("-")[0]):
            return path
    raise Problem(f"there is no lab {lab!r}; the labs are {', '.join(path.stem for path in found)}")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def trust(notebook: Path) -> None:
    """Sign a notebook that we bring, so that Jupyter shows its pictures and, after a reload, its widgets.

    Jupyter keeps signatures in the user's own data folder. Where that cannot be written, the notebook still works; its
    posters are words until their cells run.
    """
    from jupyter_core.paths import jupyter_data_dir
    from nbformat import read
    from nbformat.sign import NotebookNotary

    with contextlib.suppress(OSError):
        Path(jupyter_data_dir()).mkdir(parents=True, exist_ok=True)
        notary = NotebookNotary(data_dir=jupyter_data_dir())
        notary.sign(read(notebook, as_version=4))
        notary.store.close()


def _beside(path: Path, word: str) -> Iterator[Path]:
    for number in count(1):
        yield path.with_name(f"{path.stem} ({word}{f' {number}' if number > 1 else ''}){path.suffix}")
    raise AssertionError


class Manifest:
    """What was delivered last, by path within the folder: the digest of the file as it came. `sign` gets each new
    notebook.
    """

    def __init__(self, folder: Path, sign: Callable[[Path], None] = trust):
        self.folder = folder
        self.sign = sign
        self.path = folder / ".messaging-lab" / MANIFEST
        try:
            self.digests: dict[str, str] = dict(read(self.path))
        except (OSError, ValueError, TypeError):
            self.digests = {}  # lost: every copy counts as changed, so nothing can be overwritten

    def key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def unchanged(self, path: Path) -> bool:
        return self.digests.get(self.key(path)) == _digest(path)

    def deliver(self, source: Path, target: Path, old: Path | None = None) -> None:
        """Copy the file; what is there already goes to `old` first, when that is given."""
        with whole(target) as part:
            shutil.copyfile(source, part)
            if old:
                target.rename(old)  # only now: whatever failed before has moved nothing
        self.digests[self.key(target)] = _digest(target)
        if target.suffix == ".ipynb":
            self.sign(target)

    def save(self) -> None:
        with whole(self.path) as part:
            part.write_text(json.dumps(self.digests, indent=1, sort_keys=True), encoding="utf-8")


def deliver(labs: Path, folder: Path, sign: Callable[[Path], None] = trust) -> list[str]:
    """Bring `folder` up to date with `labs`; returns one line for each thing the learner should know. `sign` gets each
    new notebook.

    A copy that the learner did not change is replaced. A changed one stays, and a new version is put beside it, once.
    """
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{folder} is not a folder; choose another one with --folder")
    manifest = Manifest(folder, sign)
    told = []
    for source in sorted(path for path in labs.rglob("*") if path.is_file()):
        relative = source.relative_to(labs)
        if any(part.startswith(".") for part in relative.parts):
            continue
        target, new = folder / relative, _digest(source)
        if not target.exists():
            manifest.deliver(source, target)
        elif _digest(target) == new or manifest.digests.get(manifest.key(target)) == new:
            pass  # the learner has this version, perhaps changed
        elif manifest.unchanged(target):
            manifest.deliver(source, target)
            told.append(f"{relative}: updated")
        else:
            free = next(p for p in _beside(target, "updated") if not p.exists() or manifest.unchanged(p))
            manifest.deliver(source, free)
            told.append(f"{relative}: you changed yours, so it stays; the new version is {free.name}")
        manifest.digests[manifest.key(target)] = new
    manifest.save()
    return told


def reset(labs: Path, folder: Path, lab: str) -> Path | None:
    """Put the delivered copy of a lab back. Returns where the learner's version is now, None if there was none."""
    source = find(labs, lab)
    target = folder / source.name
    manifest = Manifest(folder)
    kept = None
    if target.exists():
        kept = next(path for path in _beside(target, f"mine {date.today().isoformat()}") if not path.exists())
    manifest.deliver(source, target, kept)
    manifest.save()
    return kept


def forget(lab: str) -> None:
    """Forget the exercises, guesses and missions of a lab, such as "01"."""
    from lablib.exercises import progress
    from lablib.workbench import kept

    progress.forget(lab)
    kept.forget(lab)


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab reset`"""
    labs = labs_folder()
    sources = sorted(labs.glob(PATTERN)) if args.all else [find(labs, args.lab)]
    targets = [args.folder / source.name for source in sources]
    os.environ[HOME] = str(home(args.folder))
    known = [target for target in targets if target.exists()]
    if known and not args.yes:
        what, yours = ("all labs", "Your versions are") if args.all else (str(known[0]), "Your version is")
        try:
            answer = input(
                f"Put {what} back as delivered, forget what was guessed and passed there? {yours} kept beside. [y/N] "
            )
        except EOFError:
            raise Problem("nobody can answer here; add --yes") from None
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was changed.")
            return 1
    for source, target in zip(sources, targets):
        kept = reset(labs, args.folder, source.stem)
        forget(source.stem.split("-")[0])
        print(f"{target} is as delivered." + (f" Yours is {kept.name}." if kept else ""))
    return 0
