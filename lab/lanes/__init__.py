"""The lanes: what one listener of each technique receives over time, and the bytes of its requests."""
