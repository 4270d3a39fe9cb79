"""`encke`, and `python -m encke`."""

import signal

# Until the commands are loaded (a tenth of a second or two), Ctrl-C just ends: there is nothing to clean up, and nobody
# wants to read where Python stood.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from encke.cli.main import main  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)

if __name__ == "__main__":
    main()
