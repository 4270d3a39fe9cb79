"""A script, run by path in a child: pip, with its temporary files in our folder, that dies when its parent does.

Arguments: the folder for temporary files, then pip's own. The parent holds our standard input open and never writes to
it, so that its end, however it came about, is the end of the download too. Not imported by anything.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import tempfile
import threading

NO_PIP = 97  # exit status; pip itself uses 0 to 23


def _follow_parent() -> None:
    while os.read(0, 64):  # not sys.stdin, whose lock would disturb the interpreter's own end
        pass
    os._exit(1)


def main() -> None:
    """Run pip in this process; the exit status is pip's, or `NO_PIP`."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    if importlib.util.find_spec("pip") is None:
        sys.exit(NO_PIP)
    # A small /tmp in memory is common in containers; the data folder's disk is the one that was checked for space.
    tempfile.tempdir = sys.argv.pop(1)
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
