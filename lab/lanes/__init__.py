"""The lanes: what one listener of each technique receives, and the bytes of its requests."""
