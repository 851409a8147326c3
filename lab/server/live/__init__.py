"""The WebSocket `/live`: everything that the pages show apart from the chat."""
