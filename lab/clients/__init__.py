"""The listening side of the six techniques: each the mirror image of a file in `lab/techniques/`."""
