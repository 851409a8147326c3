"""The version of the lab, alone in a file, so that nothing has to import the public API to know it."""

__version__ = "1.0.0"
