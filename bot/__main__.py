"""``python -m bot`` is the `kioku` command."""

import sys

from bot.runtime.cli import main

sys.exit(main())
