"""What a run will cost, how long it takes and how busy its sites will be, before it starts."""

from archipel.plan.engine import Timeline, simulate
from archipel.plan.forecast import Forecast, forecast
from archipel.plan.inputs import Link, Plan, Prices, Site, read_plan

__all__ = [
    "Forecast",
    "Link",
    "Plan",
    "Prices",
    "Site",
    "Timeline",
    "forecast",
    "read_plan",
    "simulate",
]
