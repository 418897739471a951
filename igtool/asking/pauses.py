"""What follows from a call without an answer: when to try again, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass

from igtool.clock import Clock
from igtool.errors import BudgetError, ConfigError, IgtoolError, RateLimitedError
from igtool.llms.base import Provider, ProviderError

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each further try after a rate limit or a passing failure; after the last one asking stops."""
USUAL_SETTINGS = "--provider, --model and llm_base_url"
_IN_A_ROW = 5
"""So many calls that fail one after the other are the provider's doing, and not that of an odd question."""


@dataclass
class Pauses:
    """How a provider has been answering; ``until``: nothing is sent before then, in seconds since 1970.

    ``settings_named``: what to look at when it takes no call.
    """

    provider: Provider
    clock: Clock
    max_wait_s: float
    settings_named: str = USUAL_SETTINGS
    until: float = 0.0
    succeeded: bool = False
    _pauses: int = 0
    _failed: int = 0
    _paused_at: float = 0.0
    _lost: int = 0
    _refused: int = 0
    _last_words: str = ""

    @property
    def shown(self) -> str:
        """The provider and its model, for messages."""
        return f"{self.provider.name} ({self.provider.model})"

    def is_waiting(self) -> bool:
        """Whether nothing may be sent now."""
        return self.until > self.clock.now()

    def answered(self, began_at: float) -> None:
        """An answer came: whatever was wrong is over, unless it was asked for before the last pause."""
        self.succeeded = True
        if began_at >= self._paused_at:
            self._pauses = self._failed = self._lost = self._refused = 0

    def rate_limited(self, error: ProviderError, began_at: float) -> IgtoolError | None:
        """Wait with all calls; the trouble when waiting did not help."""
        if self.is_too_long(error):
            return self._too_long(error)
        if self._pause(error, began_at):
            return None
        return RateLimitedError(
            f"{self.shown} still limits the rate after {len(WAITS_S)} pauses ({error}): the same command goes on "
            "later; llm_requests_per_minute and llm_tokens_per_minute set a slower pace"
        )

    def failed(self, error: ProviderError, began_at: float) -> IgtoolError | None:
        """Wait with all calls once several failed in a row; the trouble when waiting did not help."""
        self._failed += 1
        if self._failed < _IN_A_ROW or self._pause(error, began_at):
            return None
        return self._down(error)

    def _pause(self, error: ProviderError, began_at: float) -> bool:
        """Begin a pause, each longer than the last one; False after all of them.

        Of calls that were under way together, only the first that fails makes the pause longer.
        """
        if began_at < self._paused_at:
            return True
        if self._pauses == len(WAITS_S):
            return False
        self._paused_at = self.clock.now()
        self.until = max(self.until, self._paused_at + max(WAITS_S[self._pauses], error.retry_after_s or 0.0))
        self._pauses += 1
        return True

    def is_too_long(self, error: ProviderError) -> bool:
        """Whether the provider asks for a longer wait than a run may take."""
        return (error.retry_after_s or 0.0) > self.max_wait_s

    def given_up(self, error: ProviderError) -> IgtoolError | None:
        """A question failed after all tries; the trouble when several did so in a row."""
        if self.is_too_long(error):
            return self._too_long(error)
        self._lost += 1
        self._last_words = str(error)
        if self._lost < _IN_A_ROW and self.succeeded:
            return None
        return self._down(error)

    def lost(self, count: int) -> IgtoolError:
        """The trouble that ``count`` questions were given up, each on its own, and all others answered."""
        return RateLimitedError(
            f"{self.shown} did not answer {count} questions, each after {len(WAITS_S)} further tries "
            f"({self._last_words}): the same command asks them again"
        )

    def _down(self, error: ProviderError) -> IgtoolError:
        return RateLimitedError(f"{self.shown} does not answer ({error}): the same command goes on later")

    def _too_long(self, error: ProviderError) -> IgtoolError:
        return RateLimitedError(
            f"{self.shown} asks to wait {error.retry_after_s:.0f} s ({error}): the same command goes on then"
        )

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
        self._refused += 1
        if error.outcome == "invalid" and (self._refused == _IN_A_ROW or not self.succeeded):
            return ConfigError(f"{self.shown} does not take the call ({error}): see {self.settings_named}")
        return None
