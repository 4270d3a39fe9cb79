"""Every recorded exchange through every dialect, held against what the wires say when they are read by hand."""
