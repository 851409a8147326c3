"""The client side of the techniques: one file for each file in `lab/techniques/`."""
