"""Slack's rate limits per workspace and method, off unless asked for."""

import math
import time
from collections import defaultdict, deque

TIER_PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
POST_SECONDS = 1.0
POST_BURST = 3
SPECIAL_PER_MINUTE = 600


class RateLimits:
    """Counts calls of the last minute; chat.postMessage by channel, one a second."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, method: str, tier: int | str, channel: str) -> int:
        """Whole seconds to wait before this call is allowed; 0 lets it through and counts it."""
        now = time.monotonic()
        if method == "chat.postMessage":
            return self._take(f"{method} {channel}", now, POST_BURST, POST_BURST * POST_SECONDS)
        allowed = TIER_PER_MINUTE.get(tier, SPECIAL_PER_MINUTE) if isinstance(tier, int) else None
        return self._take(method, now, allowed or SPECIAL_PER_MINUTE, 60.0)

    def _take(self, key: str, now: float, allowed: int, window: float) -> int:
        calls = self._calls[key]
        while calls and now - calls[0] >= window:
            calls.popleft()
        if len(calls) >= allowed:
            return max(1, math.ceil(window - (now - calls[0])))
        calls.append(now)
        return 0
