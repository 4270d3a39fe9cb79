"""Imported by every Python process that has this folder on its PYTHONPATH: on SIGRTMIN+7 it counts what it holds.

The count goes into `$PYTHONCENSUS/<pid>.json`, written aside and renamed. (The variable begins with PYTHON because only
such variables reach the gateway's processes.) See `tests/support/census.py`.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter


def count(number: int, frame: object) -> None:
    """Collect what is garbage, then count what is left."""
    gc.collect()
    gc.collect()
    blocks = sys.getallocatedblocks()
    objects = gc.get_objects()
    kinds = Counter(type(one).__qualname__ for one in objects)
    try:
        tasks = len(asyncio.all_tasks(asyncio.get_running_loop()))
    except RuntimeError:
        tasks = kinds.get("Task", 0)
    sqlite = sys.modules["apsw"].memory_used() if "apsw" in sys.modules else 0
    found = {"sqlite": sqlite, "blocks": blocks, "objects": len(objects), "tasks": tasks, "kinds": kinds}
    path = os.path.join(os.environ["PYTHONCENSUS"], f"{os.getpid()}.json")
    with open(f"{path}.new", "w") as file:
        json.dump(found, file)
    os.rename(f"{path}.new", path)


if "PYTHONCENSUS" in os.environ:
    signal.signal(signal.SIGRTMIN + 7, count)
