"""Budgets, limits and bills of whole gateways, against accounts that share no code with them."""
