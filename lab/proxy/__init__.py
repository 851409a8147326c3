"""A real proxy in front of the lab, with a right configuration or with faults, one switch for each."""
