"""Whether more calls in flight are worth it: they are while answers come faster for it."""

WORTH = 1.1  # Answers a second that more calls in flight must bring, of those before.


class Gain:
    """Whether more calls in flight bring more answers a second, by what they take (Little 1961)."""

    def __init__(self) -> None:
        self._before = 0.0  # Answers a second with fewer in flight.
        self.slowest = 0.0  # Seconds of the slowest answer since the count began.
        self.begin(float("-inf"))

    def begin(self, now: float) -> None:
        """Forgets what was measured: calls that begin from now on are counted."""
        self._since, self._seconds, self._answers, self.slowest = now, 0.0, 0, 0.0

    def note(self, window: int, began: float, now: float) -> bool | None:
        """Counts an answer that came with all calls in flight; whether it was worth it, once known."""
        if began < self._since:
            return None
        self._seconds += now - began
        self.slowest = max(self.slowest, now - began)
        self._answers += 1
        if self._answers < max(4, window):
            return None
        rate = window * self._answers / max(self._seconds, 1e-9)
        gained = rate >= WORTH * self._before
        self._before = rate
        return gained
