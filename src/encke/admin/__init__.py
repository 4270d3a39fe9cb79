"""Use cases that the command line, and later the admin API and the console, share."""
