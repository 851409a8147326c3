"""Faults that a lab must survive: real processes, simulated people, and a checker of what they wrote."""
