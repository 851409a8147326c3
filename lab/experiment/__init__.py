"""Measured runs: a timetable, a publisher, simulated clients in a separate process, and their results."""
