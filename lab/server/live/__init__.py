"""The WebSocket `/live`: what the pages show beside the chat."""
