"""Faults that a lab must survive: real processes, simulated clients, and a checker of their records."""
