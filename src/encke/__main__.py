"""`encke`, and `python -m encke`."""

# The interpreter has this part of `signal` loaded from its start; `signal` itself takes a while to load.
import _signal  # type: ignore[import-not-found]

# Until the commands are loaded (a tenth of a second or two), Ctrl-C just ends: there is nothing to clean up, and nobody
# wants to read where Python stood.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import signal  # noqa: E402

from encke.cli.main import main  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)

if __name__ == "__main__":
    main()
