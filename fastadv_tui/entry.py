"""Compatibility module: keeps the import path of version 0.1. Add no code here.

The entry point of `fastadv` is now `fastadv_tui/__main__.py`.
"""

from fastadv_tui.__main__ import main as main

if __name__ == "__main__":
    main()
