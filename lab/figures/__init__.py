"""Figures of runs, for notebooks, print and projector. The only part of the lab that loads matplotlib.

    lab.figures.overhead_over_rate(runs)             bytes and delay of a message against the rate: begin here
    lab.figures.overhead(runs)                       what one delivered message costs, and in what
    lab.figures.requests(runs)                       number of requests, and of empty responses
    lab.figures.latency(runs)                        distributions of the latency
    lab.figures.prediction(runs)                     measured points on predicted curves
    lab.figures.scale(runs)                          cost against the number of listeners
    lab.figures.memory(runs)                         memory of the server against connections
    lab.figures.ladder(runs)                         one message's way, technique by technique
    lab.figures.comparison(runs)                     four of them on one sheet
    lab.figures.capacity(runs)                       what a million listeners would need, from unit costs
    lab.figures.compression(runs)                    ways to compress: bytes, processor time, memory

Each takes runs and `size="page"` or `"projector"`, and returns a matplotlib Figure. `capacity` also
takes what `lab.capacity` returned.
"""

from lab.figures import loading  # noqa: F401 - before anything else of matplotlib
from lab.figures.bars import overhead, requests
from lab.figures.capacity import capacity
from lab.figures.comparison import comparison
from lab.figures.compression import compression
from lab.figures.curves import prediction
from lab.figures.growth import scale
from lab.figures.ladder import ladder
from lab.figures.lines import latency
from lab.figures.memory import memory
from lab.figures.rates import overhead_over_rate

__all__ = [
    "capacity",
    "comparison",
    "compression",
    "ladder",
    "latency",
    "memory",
    "overhead",
    "overhead_over_rate",
    "prediction",
    "requests",
    "scale",
]
