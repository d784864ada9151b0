"""The command `celeriac inspect`: what a model file is and whether it can be served, found out in a child process."""
