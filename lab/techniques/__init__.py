"""The server side of the six techniques: one verb towards the room and one framing on the wire each."""
