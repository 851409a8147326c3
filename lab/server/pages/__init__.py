"""The pages for users, one file each: its name is its path and the name of its template."""
