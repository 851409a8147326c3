"""JSON as Python's types."""

from typing import Any

JsonObject = dict[str, Any]
"""An object of JSON (RFC 8259 section 4): names with values, which are checked where they are read."""
