"""Makes the animated picture of the README: ten seconds of a run, as a GIF.

python tests/gallery/animate.py        (needs Chromium and Pillow)
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser import harness  # noqa: E402
from browser.bench import Bench  # noqa: E402

from lablib.scenarios import Action  # noqa: E402
from lablib.scenarios.lab01 import VideoQueue  # noqa: E402
from lablib.workbench import to_html  # noqa: E402

WIDTH, HEIGHT = 1000, 620
FIRST, SECONDS, PACE, RATE = 58.0, 10, 4.0, 8  # of the run, of the picture, virtual seconds a second, frames a second
COLOURS = 48
MOST_BYTES = 1_500_000


def frames() -> list[Image.Image]:
    run = VideoQueue().run(7, [Action("crash", 66.0, "consumer-2")])
    with tempfile.TemporaryDirectory() as folder, harness.chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(to_html(run, Path(folder) / "run.html").as_uri())
        bench = Bench(type("Saved", (), {"page": page}))
        bench.lift()
        found = []
        for n in range(SECONDS * RATE):
            bench.ask("(w, t) => w.time.seek(t, true)", FIRST + n * PACE / RATE)
            bench.settled()
            found.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    return found


def main() -> None:
    found = frames()
    palette = found[len(found) // 2].quantize(COLOURS)  # one for all, so that a frame holds what has changed only
    first, *rest = (one.quantize(palette=palette, dither=Image.Dither.NONE) for one in found)
    path = ROOT / "docs" / "workbench.gif"
    path.parent.mkdir(exist_ok=True)
    first.save(path, save_all=True, append_images=rest, duration=1000 // RATE, loop=0, optimize=True)
    size = path.stat().st_size
    assert size < MOST_BYTES, f"{size:,} bytes"
    print(f"{path.relative_to(ROOT)}: {size:,} bytes")


if __name__ == "__main__":
    main()
