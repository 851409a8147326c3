"""The room: one history of 100 messages, and three ways to receive new ones. It knows nothing of HTTP."""
