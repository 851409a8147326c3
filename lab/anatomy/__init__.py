"""The anatomy: the bytes of a connection, taken apart into the units and fields of their protocol.

    lab.anatomy.show("818537fa213d7f9f4d5158")  # prints each field of a masked frame
    lab.anatomy.dissect(parts, "websocket")[0].fields

Each technique has one file here for its protocol. Nothing here knows sockets, Tornado or the lab; the same
function serves `/wire`, the pages, the terminal and the notebooks.
"""

from lab.anatomy.dissection import as_json, dissect
from lab.anatomy.handshake import accept_steps
from lab.anatomy.notes import NOTES
from lab.anatomy.printing import show
from lab.anatomy.units import CUT, Field, LeftOut, Part, Unit, totals

__all__ = [
    "CUT",
    "NOTES",
    "Field",
    "LeftOut",
    "Part",
    "Unit",
    "accept_steps",
    "as_json",
    "dissect",
    "show",
    "totals",
]
