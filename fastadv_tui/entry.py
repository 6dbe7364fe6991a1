"""Where `fastadv` started until version 0.1; `fastadv_tui/__main__.py` is its place now."""

from fastadv_tui.__main__ import main as main

if __name__ == "__main__":
    main()
