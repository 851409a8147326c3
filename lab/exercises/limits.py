"""What a student's program may use: time, memory, output. One value, passed down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one check."""

    listen_s: float = 5.0
    """Seconds until the program listens; four times as many while it waits for a CPU."""
    step_s: float = 10.0
    """Seconds for one step."""
    receive_s: float = 1.0
    """Seconds within which a message must arrive, where the task says that it arrives at once."""
    prompt_s: float = 0.3
    """Seconds within which a program that waits for nothing answers."""
    silence_s: float = 7.0
    """Seconds without a message, in which a long poll must be answered in time."""
    large: int = 20_000
    """Messages of 4 kB that a client does not read."""
    stream: int = 300
    """Messages that a client must receive once and in order, while its connection breaks."""
    output_bytes: int = 1_000_000
    """Bytes that the program may print."""
    memory_bytes: int = 1 << 30
    """Its address space. A program that uses threads reserves several 100 MB without using them."""
    cpu_s: int = 60
    """Seconds of CPU."""
    ticks: int = 10
    """Ticks after which a clock must not have drifted."""
    starts: int = 8
    """How often it is started where the order of a set matters."""
    end_s: float = 0.5
    """Seconds from SIGTERM to SIGKILL."""
