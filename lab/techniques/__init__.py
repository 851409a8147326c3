"""The server side of the techniques: one verb towards the room and one framing on the wire each."""
