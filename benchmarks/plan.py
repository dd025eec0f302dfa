"""How long the planner takes for 1,000 sites and 10,000 rounds of 100 billion parameters."""

import time

from archipel.plan import simulate
from archipel.plan.inputs import make_plan


def run(quick: bool) -> dict[str, float | int]:
    """Play the rounds in this process, which uses one core, and return the seconds."""
    sites, rounds = 1_000, 1_000 if quick else 10_000
    plan = make_plan(
        {
            "parameters": 100e9,
            "tokens": 10e12,
            "sites": [
                {
                    "name": f"site-{number}",
                    "hardware": "h100",
                    "count": 512,
                    "link": {"up": 10_000 + number, "down": 20_000 + number, "rtt": 50},
                }
                for number in range(sites)
            ],
            "batch_tokens": 1e6,
            "codec": "int4",
        }
    )
    began = time.process_time()
    line = simulate(plan, rounds)
    return {
        "sites": sites,
        "rounds": rounds,
        "seconds": round(time.process_time() - began, 2),
        "late_share": round(line.late, 3),
    }
