"""Measured runs: a timetable, a publisher, listeners in a process of their own, and what came of it."""
