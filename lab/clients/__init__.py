"""The listening side of the techniques: each the mirror image of a file in `lab/techniques/`."""
