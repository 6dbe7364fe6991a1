"""Compatibility module: keeps the import path of version 0.1. Add no code here.

A dashboard that was left open during an upgrade still starts this module.
"""

import sys

from fastadv_tui.supervise.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
