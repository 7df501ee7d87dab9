"""A liquid handler by PyLabRobot. Without hardware: its chatterbox backend says what it would do."""

from eutectic import serve
from eutectic.adapters.pylabrobot import Pipettor
from pylabrobot.liquid_handling.backends import LiquidHandlerChatterboxBackend
from pylabrobot.resources import cor_96_wellplate_360uL_Fb, hamilton_96_tiprack_300uL_filter, set_volume_tracking
from pylabrobot.resources.hamilton import STARLetDeck
from pylabrobot.resources.coordinate import Coordinate


def lay_out(deck):
    """Where things stand: mm from the deck's front left corner."""
    set_volume_tracking(False)
    tips = hamilton_96_tiprack_300uL_filter("tips")
    source, target = cor_96_wellplate_360uL_Fb("source"), cor_96_wellplate_360uL_Fb("target")
    for labware, x in ((tips, 200), (source, 400), (target, 600)):
        deck.assign_child_resource(labware, location=Coordinate(x, 100, 100))
    return {"tips": tips, "source": source, "target": target}


pipettor = Pipettor(LiquidHandlerChatterboxBackend(num_channels=8), STARLetDeck(), lay_out)
serve(pipettor)
