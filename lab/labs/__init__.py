"""Several labs on one Redis behind an nginx: started and ended together, each a process of its own."""
