"""Wires other than OpenAI's chat: for each a subclass of `Answer`, and `table`, which knows them by their paths.

Shapes are those of the providers' public documentation and of what they were recorded to send.
"""
