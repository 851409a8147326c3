"""The pages for people, one file each: its name is its path and the name of its template."""
