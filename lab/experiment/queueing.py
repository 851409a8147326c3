"""Many listeners on one processor: the time until each is served, and how messages wait for each other.

A message for N listeners is N pieces of work, done one after the other: first by the server, which hands
the message to each socket, and then by the process of the simulated clients, which receives it from each.
The two processes work at the same time, as in a pipeline, so the slower one governs. With m processes of
clients each receives for its own ⌈N/m⌉ listeners, all at the same time, each on a core of its own: then the
clients' S is ⌈N/m⌉ × their work per listener, and the server's is N × its own, as before.

w is what one listener more adds for those behind it. The k-th of N waits for k − 1 others, and k is on
average (N + 1)/2: a message takes t + w (N − 1)/2 on average, t being the transit to a single listener.

S is the service time of a message: so long it keeps the busier side from the next one. The server needs
s₀ + (N − 1) s for it: s₀ to accept it, to store it, to read it back and for the first listener, s for each
further one. The largest process of clients needs ⌈N/k⌉ c. S is the longer of the two: in a row of queues with
constant service times the total wait is that of the slowest one alone, because it lets messages pass no
closer together than S (Friedman, Reduction Methods for Tandem Queuing Systems, 1965). ρ = λ S is the load,
the share of time in which that side is busy. A message that comes meanwhile waits: `wait_for_earlier`.

A long poll has no such queue: one answer takes all that waits. A pass over the listeners takes N − 1 times
the work of the slower side, answers and requests, and so long a listener is away after an answer
(`prediction.long_polling`). For short polls: `poll_cycle`.
"""

from math import sqrt
from typing import NamedTuple

from lab.catalogue import TECHNIQUES


class Work(NamedTuple):
    """What each listener costs, in seconds, measured with several listeners at a lab at rest.

    For polls it is the work for an answer and for the next request.
    """

    in_turn: float = 0.0
    """w: how much longer a message takes on its way for each listener that is served before."""
    handed: float = 0.0
    """The part of w until the server has handed the message to the socket."""
    server: float = 0.0
    """Processor time of the server for each listener."""
    clients: float = 0.0
    """Processor time of the simulated clients for each listener."""
    outside: float = 0.0
    """The part of a message's delay that is neither of these two: sending, the kernel, the publisher."""
    share: float = 1.0
    """The share of the listeners that the largest process of simulated clients has."""
    once: float = 0.0
    """s₀: processor time of the server for a message that has a single listener."""

    @property
    def slower(self) -> float:
        """Work per listener of the slower side of the pipeline."""
        return max(self.server, self.clients_side)

    @property
    def clients_side(self) -> float:
        """Work of the largest process of clients, for each of all listeners: ⌈N/m⌉ of N are its own."""
        return self.clients * self.share

    @property
    def next_turn(self) -> float:
        """How much longer a message takes for each listener that is served before, in this many processes."""
        return max(self.handed, self.in_turn * self.share)

    def service(self, listeners: int) -> float:
        """S: the time in which one message keeps the busier of the two processes from the next one."""
        return max(self.once + (listeners - 1) * self.server, listeners * self.clients_side)

    def one_pass(self, listeners: int) -> float:
        """The time for an answer and the next request of all listeners, after those of the first one."""
        return (listeners - 1) * self.slower

    def turn(self, listeners: int) -> float:
        """The mean time until it is a listener's turn: w (N − 1)/2."""
        return self.next_turn * (listeners - 1) / 2

    def of_clients(self, mode: str, listeners: int, waited: float) -> float:
        """The part of a predicted mean delay that is the simulated clients' own work.

        It is what would be missing if they took no time: their part of the turn, the work for one message,
        and the wait behind earlier messages when the clients are the slower side.
        """
        turn = (self.next_turn - self.handed) * (listeners - 1) / 2  # what is left when the server is done
        own = self.clients + max(0.0, turn) * (TECHNIQUES[mode].verb != "ask")
        governs = listeners * self.clients_side >= self.service(listeners)
        return own + (waited if governs else 0.0)


NO_WORK = Work()


def load(rate: float, service: float) -> float:
    """ρ = λ S: the share of time in which messages keep the lab busy; from 1 on there is no steady state."""
    return rate * service


def wait_for_earlier(rate: float, service: float, arrivals: str) -> float | None:
    """The mean time that a message waits for earlier ones; None when there is no steady state (ρ ≥ 1).

    Poisson messages, one server, the same service time for all: M/D/1. A message finds work in progress
    with probability ρ, and half of S is left of it on average; each message that waits already takes S.
    By Little's law λ W wait, so W = ρ S/2 + λ W S, hence W = ρ S / (2 (1 − ρ)) (Pollaczek and Khinchine;
    Kleinrock, Queueing Systems I, 1975, section 5.6). Evenly spaced messages: each is done before the next
    one comes, so W = 0 below ρ = 1.
    """
    busy = load(rate, service)
    if busy >= 1:
        return None
    return busy * service / (2 * (1 - busy)) if arrivals == "poisson" else 0.0


def poll_cycle(pause: float, work: float, listeners: int) -> float:
    """Seconds between two polls of one of N short pollers, which pause (timer and way) after each answer.

    Each waits W for the polls of others: C = A + W with A the pause. N polls of work s come in each C, so the
    load is ρ = N s / C, and W = ρ s / (2 (1 − ρ)) as above. The two together are a quadratic equation in C:
    (C − A)(C − N s) = N s²/2. Its greater root is near A while the lab is idle, and near N s when it is
    saturated: pollers wait for their answers, so they ask less often, and a steady state always exists.
    """
    if listeners == 1:
        return pause
    whole = listeners * work
    return (pause + whole + sqrt((pause - whole) ** 2 + 2 * whole * work)) / 2
