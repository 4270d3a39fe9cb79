"""Settings: one table of what can be set, one reader of files and environment."""
