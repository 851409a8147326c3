"""The state of one lesson, and what the teacher can change in it; this package knows no HTTP."""
