"""What a caller may spend: windows of time, rates, holds, and the leases a worker has on them."""
