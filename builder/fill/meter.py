"""Tokens a minute, kept by letting whoever comes next wait."""


class Meter:
    """Tokens that may be used, so many a second: who takes some makes the next one wait for them."""

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there are some again."""
        return self._next - now

    def take(self, tokens: float, now: float) -> None:
        """Takes tokens away; a negative number gives some back."""
        self._next = max(self._next, now) + tokens / self._rate
