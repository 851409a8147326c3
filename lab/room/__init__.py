"""The room: one history of 100 messages and the three ways to hear of its news. Knows nothing of HTTP."""
