"""The data-plane process: routes, admission from the pushed snapshot, the link to the keeper."""
