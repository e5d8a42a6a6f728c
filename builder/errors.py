"""Everything that this package raises on purpose.

BuilderError                 a message, a hint, an exit code; never a traceback for a user
├── InputError               a file or setting that a person wrote is wrong: file:line:column (exit 2)
├── StoreError               the store cannot be read or written (exit 75: run again)
├── BusyError                another process holds the project's lock (exit 4)
├── GateError                a gate failed (exit 1)
├── RefusedError             the first answers were all refused, for one reason (exit 75: repair it, run again)
├── HubError                 the Hub cannot be reached, or somebody else moved (exit 75: run again)
└── EngineError              a call brought no reply
    ├── TransportError       worth trying again: overload, timeouts, broken replies
    ├── RequestError         this request alone is refused (its prompt is too long): its case is left
    └── ProviderError        final: wrong key, unknown model, quota; stops the run (exit 75)

An answer that a schema refuses is no error but a `Reject`; a reply that was cut off or
refused is a `Completion` that is no answer.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where in a file, counted from 1 as editors do; 0 for the whole file."""

    file: Path
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        here = self.file.is_relative_to(Path.cwd())
        file = self.file.relative_to(Path.cwd()) if here else self.file
        return f"{file}:{self.line}:{self.column or 1}" if self.line else f"{file}:1:1"


class BuilderError(Exception):
    """Base of all: `str()` is one clear message, `hint` says what to do next."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class InputError(BuilderError):
    """A scenario, prompt, schema, table or setting is wrong; nothing was billed."""

    def __init__(self, message: str, *, place: Place | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.place = place

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return where + super().__str__()


def combine(errors: Iterable[InputError]) -> InputError:
    """The one of these errors, or one that says them all; a fault that two of them share once."""
    distinct = {str(error): error for error in errors}
    return distinct.popitem()[1] if len(distinct) == 1 else InputError("\n".join(distinct))


class StoreError(BuilderError):
    """The store could not be read or written; what was acknowledged is kept."""

    exit_code = 75


class BusyError(BuilderError):
    """Another process is writing to this project's outputs."""

    exit_code = 4


class RefusedError(BuilderError):
    """The first answers were all refused, for one reason; they are kept, and judged anew for free."""

    exit_code = 75


class GateError(BuilderError):
    """A gate of the dataset failed."""

    exit_code = 1


class HubError(BuilderError):
    """The Hub could not be reached, or holds something else than a moment ago; nothing was changed."""

    exit_code = 75


class EngineError(BuilderError):
    """A call brought no reply. Engines raise one of the three kinds below."""

    exit_code = 75


class TransportError(EngineError):
    """The provider or the network had trouble; the same call may succeed later.

    `after` is how many seconds the provider asked to wait, None where it did not say;
    `limited` tells an answer 429 (slow down) from other trouble; `at_most` bounds the
    attempts where repeating is costly (a reply of endless length, say); `late` tells that the
    call's own deadline ended it; `free` that no model can have answered, so nothing was billed;
    `absent` that nothing listens at an address of this machine.
    """

    def __init__(
        self,
        message: str,
        *,
        after: float | None = None,
        limited: bool = False,
        at_most: int | None = None,
        late: bool = False,
        free: bool = False,
        absent: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.after = after
        self.limited = limited
        self.at_most = at_most
        self.late = late
        self.free = free
        self.absent = absent


class RequestError(EngineError):
    """The provider refuses this request and may take others: its case is left to a later run.

    `tokens` are those of a prompt that is too long and those that the model takes, where it says so.
    """

    def __init__(
        self, message: str, *, tokens: tuple[int, int] | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.tokens = tokens


class ProviderError(EngineError):
    """The provider will not serve this run as configured; the hint names the setting."""


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest known name, or the empty string.

    >>> nearest("promt", ["prompt", "schema"]), nearest("SEED", ["seed", "rows"])
    (" Did you mean 'prompt'?", " Did you mean 'seed'?")
    """
    names = list(known)
    matches = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    if not matches:  # letters of another case are as good as others
        folded = {name.casefold(): name for name in reversed(names)}
        close = difflib.get_close_matches(str(word).casefold(), list(folded), n=1, cutoff=0.6)
        matches = [folded[name] for name in close]
    return f" Did you mean {matches[0]!r}?" if matches else ""
