"""A Response that has nothing in it yet: every field that clients may count on."""

from __future__ import annotations


def empty_response(id: str, model: str, created: int) -> dict[str, object]:
    """The fields that the description and the SDKs' types ask for, with what stands for "nothing said"."""
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
