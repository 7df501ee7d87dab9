"""Liquid handlers that PyLabRobot drives: `pip install pylabrobot`.

    from pylabrobot.liquid_handling.backends import STARBackend
    from pylabrobot.resources.hamilton import STARLetDeck

    serve(Pipettor(STARBackend(), STARLetDeck(), deck=lay_out))

`lay_out(deck)` puts the labware on the deck and returns it by name: `{"tips": …, "source": …, "target": …}`.
"""

import asyncio
import threading
from typing import Any, Callable

from pylabrobot.liquid_handling import LiquidHandler

from .. import Fault, Out, Q, Text, Value, capability


class Pipettor:
    """Transfers between wells, a new tip each time."""

    id, name = "pipettor", "Liquid handler by PyLabRobot"
    # Of the volume: what an air-displacement channel is usually specified to.
    relative_sd = 0.01

    def __init__(self, backend: Any, deck: Any, lay_out: Callable[[Any], dict[str, Any]]):
        self.labware = lay_out(deck)
        self.tips = list(self.labware["tips"].get_all_items())
        self.handler = LiquidHandler(backend=backend, deck=deck)
        self.ready = False
        # PyLabRobot lives in one event loop; operations and stops reach it from threads of their own.
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def _do(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result()

    def _well(self, place: str) -> Any:
        labware, _, well = place.partition("/")
        try:
            return self.labware[labware].get_well(well)
        except (KeyError, AttributeError, IndexError, ValueError) as error:
            words = f"there is no well {place!r}: write it as in source/A1, with one of {', '.join(sorted(self.labware))}"
            raise Fault("NO_WELL", words, category="request", retry="never", sample="none") from error

    @capability(
        outputs={"transferred": Out("uL", 0, 1100, uncertain=True)},
        abortable=True,
        holdable=True,
        uses={"tips": (1, "1")},
        typical_seconds=20,
        max_seconds=300,
    )
    def transfer(
        self,
        run,
        volume: Q("uL", 1, 300),
        source: Text(100) = "source/A1",
        target: Text(100) = "target/A1",
    ):
        """Takes a tip, aspirates, dispenses, and throws the tip away."""
        source_well, target_well = self._well(source), self._well(target)
        if not self.ready:
            self._do(self.handler.setup())
            self.ready = True
        tip = next((spot for spot in self.tips if spot.has_tip()), None)
        if tip is None:
            raise Fault("NO_TIP", "the rack is empty", category="precondition", sample="none", person="put in a full rack")
        try:
            run.progress(0.1, "taking a tip")
            self._do(self.handler.pick_up_tips([tip]))
            run.safe_point()
            run.point_of_no_return("modified")
            run.progress(0.4, "aspirating")
            self._do(self.handler.aspirate([source_well], vols=[volume]))
            run.progress(0.7, "dispensing")
            self._do(self.handler.dispense([target_well], vols=[volume]))
        finally:
            # With a tip on, the next operation could not begin.
            self._do(self._drop())
        return Value(volume, sd=self.relative_sd * volume)

    async def _drop(self) -> None:
        if any(head.has_tip for head in self.handler.head.values()):
            await self.handler.discard_tips()

    def refill(self) -> None:
        """The rack is full again."""
        self.labware["tips"].fill()

    def status(self) -> dict:
        """What PyLabRobot knows of its tips."""
        left = sum(spot.has_tip() for spot in self.tips)
        tips = {"id": "tips", "unit": "1", "remaining": left, "capacity": len(self.tips), "measured": True}
        return {"readiness": "ready", "consumables": [tips]}

    def safe_state(self, why: str) -> None:
        """The channel finishes the move that it is in: PyLabRobot has no call that would break it off."""
