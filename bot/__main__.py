"""``python -m bot`` is the `kioku` command."""

import sys

from bot.cli import main

sys.exit(main())
