"""The process that owns the store: the one writer. Pushes snapshots, makes and ships journals, settles orphans."""
