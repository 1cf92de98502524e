"""What a learner sees and touches of one workbench in a notebook. Nothing is read before it has come to rest."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from .harness import Notebook

RUN = """w => JSON.stringify([w.run, w.other].map(run => run && [run.title, run.seed, run.duration, run.messages,
    run.list.map(k => [k.m, k.state, k.place, k.holder, k.t0, k.t1])]))"""

SETTLED = """async box => {
    const {workbench} = box, {stage} = workbench, room = box.querySelector(".ml-stage");
    do await workbench.settled(); while (stage.size[0] !== room.clientWidth || stage.size[1] !== room.clientHeight);
}"""


class Bench:
    """One workbench: `number` of those on the page."""

    def __init__(self, notebook: Notebook, number: int = 0) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.box = self.page.locator(".ml-workbench:has(.ml-stage)").nth(number)
        self.box.wait_for()
        self.box.evaluate("box => box.scrollIntoView({block: 'start'})")
        self.canvas, self.now, self.card, self.side, self.scrub, self.say, self.more = (
            self.box.locator(f".ml-{x}") for x in ("canvas", "now", "card", "side", "scrub", "sentence", "more")
        )
        self.settled()

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a function of the page's workbench object (and an argument) gives."""
        return self.box.evaluate(f"(box, x) => ({script})(box.workbench, x)", argument)

    def settled(self) -> None:
        """Wait until no message is on its way, no time runs, no trace fades, and all has its size."""
        self.box.evaluate(SETTLED)

    def wait(self, script: str) -> None:
        """Wait until a function of the page's workbench object gives something true."""
        self.page.wait_for_function(f"box => ({script})(box.workbench)", arg=self.box.element_handle())

    def frames(self, count: int) -> None:
        """Wait until the page was drawn so many times."""
        self.ask("async (w, n) => { while (n--) await new Promise(requestAnimationFrame); }", count)

    def button(self, name: str) -> Locator:
        return self.box.get_by_role("button", name=name, exact=True)

    def open(self, name: str) -> None:
        """Press a tool of the head, unless it is on."""
        tool = self.button(name)
        if tool.get_attribute("aria-pressed") != "true":
            tool.click()
        self.settled()

    def tab(self, name: str) -> Locator:
        """The panel of a tab behind More."""
        self.open("More")
        self.box.get_by_role("tab", name=name, exact=True).click()
        self.settled()
        return self.box.get_by_role("tabpanel", name=name, exact=True)

    def skip_question(self) -> None:
        if self.box.get_by_role("button", name="Skip", exact=True).count():
            self.button("Skip").click()
            self.settled()

    def play(self) -> None:
        self.button("Play (Space)").click()

    def pause(self) -> None:
        if self.button("Pause (Space)").count():
            self.button("Pause (Space)").click()
        self.settled()

    def lift(self) -> None:
        """Lift the fog."""
        if self.button("Show all").is_visible():
            self.button("Show all").click()
        self.settled()

    def seek(self, t: float) -> None:
        """To an instant, with the pointer on the curve; the fog is lifted for it."""
        self.lift()
        x = self.ask("(w, t) => w.scrub.X(t)", t)
        self.scrub.click(position={"x": x, "y": 40})
        self.wait(f"w => Math.abs(w.time.t - {t}) < w.run.duration / 100")
        self.settled()

    def time(self) -> float:
        """The instant shown, as it is written."""
        self.settled()
        return float(self.now.inner_text().split()[0])

    def run(self) -> str:
        """What the page plays: the tokens of both runs."""
        self.settled()
        return str(self.ask(RUN))

    def marks(self, lane: int = 0) -> list[list[Any]]:
        """What is drawn now: [holder or place, message, sign, hollow]."""
        self.settled()
        script = """(w, i) => { const {marks, run} = w.stage.lanes[i]; return marks.map(m => [
            m.holder >= 0 ? run.actors[m.holder].name : run.places[m.place].id, m.m + 1, m.sign, m.hollow]); }"""
        return list(self.ask(script, lane))

    def spot(self, id: str) -> dict[str, float]:
        """Where something that can be touched stands on the canvas, by its id (`0a1`: actor 1 of lane 0)."""
        self.settled()
        found = self.ask(
            "(w, id) => { const h = w.hits.find(x => x.id === id); return h && [h.x, h.y, h.w ?? 0, h.h ?? 0]; }", id
        )
        assert found, f"{id} is not drawn"
        x, y, w, h = found
        return {"x": x + (w / 2 if w else 0), "y": y + (h / 2 if w else 0)}

    def click(self, id: str) -> None:
        self.canvas.click(position=self.spot(id))
        self.settled()

    def hover(self, id: str) -> None:
        self.canvas.hover(position=self.spot(id))

    def expect_time(self, text: str) -> None:
        expect(self.now).to_have_text(text)
