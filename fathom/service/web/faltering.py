"""When processes that answer die too often: how long to wait until the next is begun, and when the server is steady again."""

from collections import deque
from dataclasses import dataclass, field

MOST_DEATHS = 5  # of all workers together
WITHIN = 60.0  # seconds
PAUSE = 5.0  # seconds before the next process, once there were so many deaths; each further death doubles it
LONGEST_PAUSE = 60.0  # seconds
STEADY = 30.0  # seconds that all must have answered until the server is ready again


@dataclass
class Deaths:
    """The latest deaths. ``faltering``: there were too many; ``again``: when the next process may be begun. Times are seconds of one clock.

    >>> deaths = Deaths()
    >>> [deaths.another(now) for now in (0.0, 1.0, 2.0, 3.0, 4.0, 9.0)], deaths.again - 9.0
    ([False, False, False, False, True, False], 10.0)
    """

    times: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_DEATHS))
    faltering: bool = False
    pause: float = 0.0
    again: float = 0.0

    def another(self, now: float) -> bool:
        """Note a death; say whether the server begins to falter with it."""
        self.times.append(now)
        begins = not self.faltering and len(self.times) == MOST_DEATHS and now - self.times[0] < WITHIN
        if begins or self.faltering:
            self.faltering = True
            self.pause = min(2 * self.pause, LONGEST_PAUSE) if self.pause else PAUSE
            self.again = now + self.pause
        return begins

    def is_over(self, now: float, whole: float) -> bool:
        """Say whether the server is steady again, and forget the deaths; ``whole`` is since when all processes answer."""
        if not self.faltering or now - whole < STEADY:
            return False
        self.times.clear()
        self.faltering, self.pause, self.again = False, 0.0, 0.0
        return True
