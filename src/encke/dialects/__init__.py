"""Wire formats: pure, without socket, clock or vendor. Every folder has the same files."""
