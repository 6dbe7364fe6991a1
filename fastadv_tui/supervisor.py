"""The supervisor's name until version 0.1: a dashboard that was open during the upgrade starts it by this one."""

import sys

from fastadv_tui.supervise.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
