"""Entry point of `fastadv` until version 0.1. The entry point is now `fastadv_tui/__main__.py`."""

from fastadv_tui.__main__ import main as main

if __name__ == "__main__":
    main()
