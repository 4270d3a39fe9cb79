"""`encke doctor`: is this machine, this folder, these settings, these providers fit for a gateway; and what to do."""
