"""`python -m kioku_stand_in.playground`: the Slack playground with the stand-in model in it."""

import sys
from functools import partial

from kioku_stand_in import add_model_routes
from slack_playground.__main__ import parser, run


def main() -> int:
    """Run the command of the playground with one more option."""
    options = parser()
    options.add_argument(
        "--paced",
        action="store_true",
        help="the stand-in writes at a pace that can be watched",
    )
    given = options.parse_args()
    return run(given, partial(add_model_routes, paced=given.paced))


if __name__ == "__main__":
    sys.exit(main())
