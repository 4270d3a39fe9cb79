"""The record of every attempt: entries, a worker's crash-safe journal, and the policy of settlement."""
