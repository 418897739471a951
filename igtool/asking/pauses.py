"""What follows from a call without an answer: when to try again, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass

from igtool.clock import Clock
from igtool.errors import BudgetError, ConfigError, IgtoolError, RateLimitedError
from igtool.llms.base import Provider, ProviderError

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each further try after a rate limit or a passing failure; after the last one asking stops."""
_LOST_IN_A_ROW = 5
"""So many questions given up one after the other mean that the provider is down, and not that a question is odd."""


@dataclass
class Pauses:
    """How a provider has been answering; ``until``: nothing is sent before then, in seconds since 1970."""

    provider: Provider
    clock: Clock
    max_wait_s: float
    until: float = 0.0
    succeeded: bool = False
    _limited: int = 0
    _paused_at: float = 0.0
    _lost: int = 0

    @property
    def shown(self) -> str:
        """The provider and its model, for messages."""
        return f"{self.provider.name} ({self.provider.model})"

    def is_waiting(self) -> bool:
        """Whether nothing may be sent now."""
        return self.until > self.clock.now()

    def answered(self) -> None:
        """An answer came: whatever was wrong is over."""
        self._limited = self._lost = 0
        self.succeeded = True

    def rate_limited(self, error: ProviderError, began_at: float) -> IgtoolError | None:
        """Wait for all calls; the trouble when waiting did not help.

        Of calls that were under way together, only the first that is refused makes the pause longer.
        """
        if began_at < self._paused_at:
            return None
        if self._limited == len(WAITS_S):
            return RateLimitedError(
                f"{self.shown} still limits the rate after {len(WAITS_S)} pauses ({error}): the same command goes on "
                "later; llm_requests_per_minute and llm_tokens_per_minute set a slower pace"
            )
        wait_s = max(WAITS_S[self._limited], error.retry_after_s or 0.0)
        if wait_s > self.max_wait_s:
            return RateLimitedError(
                f"{self.shown} asks to wait {wait_s:.0f} s ({error}): the same command goes on then"
            )
        self._limited += 1
        self._paused_at = self.clock.now()
        self.until = max(self.until, self._paused_at + wait_s)
        return None

    def given_up(self, error: ProviderError) -> IgtoolError | None:
        """A question failed after all tries; the trouble when several did so in a row."""
        self._lost += 1
        if self._lost < _LOST_IN_A_ROW and self.succeeded:
            return None
        return RateLimitedError(f"{self.shown} does not answer ({error}): the same command goes on later")

    def refused(self, error: ProviderError) -> IgtoolError | None:
        """The trouble after an error that no waiting mends; None if it is about one question alone."""
        if error.outcome == "quota":
            return BudgetError(
                f"{self.shown}: the quota is used up ({error}): see to credit or plan there; the same command goes on"
            )
        if error.outcome == "auth":
            keys = " or ".join(self.provider.key_names) or "the key"
            return ConfigError(
                f"{self.shown} refuses the key ({error}): set {keys} in .env or the environment to one that may use "
                "this model; the same command goes on"
            )
        if error.outcome == "invalid" and not self.succeeded:
            return ConfigError(
                f"{self.shown} does not take the call ({error}): see --provider, --model and llm_base_url"
            )
        return None
