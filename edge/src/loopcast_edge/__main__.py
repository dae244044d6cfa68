"""``python -m loopcast_edge`` is the program ``loopcast-edge``."""

import sys

from loopcast_edge.agent.cli import main

sys.exit(main())
