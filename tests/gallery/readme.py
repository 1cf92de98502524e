"""Makes the two pictures of the README: an instant of lab 01 in two lanes, and ten seconds of a run as a GIF.

python tests/gallery/readme.py        (needs Chromium and Pillow)
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser import harness  # noqa: E402
from browser.bench import Bench  # noqa: E402

from lablib.scenarios import Action, Run  # noqa: E402
from lablib.scenarios.lab01 import VideoQueue  # noqa: E402
from lablib.workbench import to_html  # noqa: E402

STILL, INSTANT = (1280, 760), 82.0
MOVING = (1000, 620)
FIRST, SECONDS, PACE, RATE = 58.0, 10, 4.0, 8  # of the run, of the picture, virtual seconds a second, frames a second
COLOURS = 48
MOST_BYTES = 1_500_000


@contextmanager
def page_of(size: tuple[int, int], run: Run, other: Run | None = None) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder, harness.chromium() as browser:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.goto(to_html(run, Path(folder) / "run.html", other).as_uri())
        bench = Bench(type("Saved", (), {"page": page}))
        bench.lift()
        yield bench


def picture(bench: Bench, t: float) -> Image.Image:
    bench.ask("(w, t) => w.time.seek(t, true)", t)
    bench.settled()
    return Image.open(io.BytesIO(bench.page.screenshot())).convert("RGB")


def still() -> Path:
    path = ROOT / "labs" / "images" / "workbench.png"
    with page_of(STILL, VideoQueue(mode="direct").run(7), VideoQueue().run(7)) as bench:
        picture(bench, INSTANT).save(path, optimize=True)
    return path


def moving() -> Path:
    run = VideoQueue().run(7, [Action("crash", 66.0, "consumer-2")])
    with page_of(MOVING, run) as bench:
        found = [picture(bench, FIRST + n * PACE / RATE) for n in range(SECONDS * RATE)]
    palette = found[len(found) // 2].quantize(COLOURS)  # one for all, so that a frame holds what has changed only
    first, *rest = (one.quantize(palette=palette, dither=Image.Dither.NONE) for one in found)
    path = ROOT / "docs" / "workbench.gif"
    path.parent.mkdir(exist_ok=True)
    first.save(path, save_all=True, append_images=rest, duration=1000 // RATE, loop=0, optimize=True)
    return path


def main() -> None:
    for path in (still(), moving()):
        size = path.stat().st_size
        assert size < MOST_BYTES, f"{size:,} bytes"
        print(f"{path.relative_to(ROOT)}: {size:,} bytes")


if __name__ == "__main__":
    main()
