"""The state of one lesson, and what the teacher can change in it; no HTTP is known here."""
