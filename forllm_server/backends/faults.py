"""What can go wrong with a model server. A docstring is the message; the class says whether to try again."""

from typing import Any

from forllm_server.errors import ForllmError


class BackendError(ForllmError):
    """The model server did not answer as it should."""

    code = "backend_error"
    #: trying again would bring the same: a person must change something first
    permanent: bool = False
    #: the fault is the server's or the line's, not this request's: counts for the circuit breaker
    is_backend_down: bool = False
    #: how long the server asked to be left alone, in seconds
    retry_after_seconds: float | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        permanent: bool | None = None,
        is_backend_down: bool | None = None,
        retry_after_seconds: float | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        if permanent is not None:
            self.permanent = permanent
        if is_backend_down is not None:
            self.is_backend_down = is_backend_down
        self.retry_after_seconds = retry_after_seconds


class Unreachable(BackendError):
    """The model server cannot be reached. Is it running, and is its address right?"""

    code = "unreachable"
    is_backend_down = True


class BadAddress(BackendError):
    """The server's address cannot be used. It looks like http://127.0.0.1:11434."""

    code = "bad_address"
    permanent = True


class Silent(BackendError):
    """The model server was silent for too long, and the connection was closed."""

    code = "silent"
    is_backend_down = True


class CutOff(BackendError):
    """The connection ended before the answer did. What had come is kept as a partial text."""

    code = "cut_off"
    is_backend_down = True


class ServerFault(BackendError):
    """The model server reports a fault of its own."""

    code = "server_error"


class Busy(BackendError):
    """The model server is busy or still loading."""

    code = "busy"


class Unreadable(BackendError):
    """What came is not what a model server sends. Is this the address of a model server, and of this kind?"""

    code = "unreadable"


class Redirected(BackendError):
    """The server points to another address, and FORLLM does not follow. Enter the final address of the server."""

    code = "redirected"
    permanent = True


class Refused(BackendError):
    """The model server refuses this request."""

    code = "refused"
    permanent = True


class KeyRefused(Refused):
    """The model server does not accept the key. Enter a valid one for this backend."""

    code = "key_refused"


class ModelMissing(Refused):
    """The model server does not have this model. Choose another one, or add it to the server."""

    code = "model_missing"


class ContextExceeded(Refused):
    """The prompt is longer than the model's context. Shorten the post or choose a model with a larger context."""

    code = "context_exceeded"


class ContentFiltered(Refused):
    """The server's content filter stopped the answer. Reword the post or choose another model."""

    code = "content_filtered"


class EmptyAnswer(BackendError):
    """The model returned no answer."""

    code = "empty_answer"


class AnswerTooLarge(BackendError):
    """The answer did not end within the size that FORLLM accepts, and was cut. Set a limit for the reply's tokens."""

    code = "answer_too_large"
    permanent = True


class Cancelled(BackendError):
    """The generation was stopped on request."""

    code = "cancelled"
    permanent = True


class NotInstalled(BackendError):
    """The embedded engine or its model is not installed. Start FORLLM without --no-embedded to install them."""

    code = "not_installed"
    permanent = True


class EngineCrashed(BackendError):
    """The embedded engine stopped unexpectedly. It is started again with the next attempt."""

    code = "engine_crashed"


class EngineFailed(BackendError):
    """The embedded engine stops each time it is started."""

    code = "engine_failed"
    permanent = True
