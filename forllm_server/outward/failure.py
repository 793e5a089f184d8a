"""What went wrong with something that was to be sent."""

from forllm_server.errors import ForllmError


class SendFailed(ForllmError):
    """The message could not be sent."""

    code = "send_failed"

    def __init__(self, message: str, *, is_permanent: bool = False, status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        #: another try would end the same
        self.is_permanent = is_permanent
        #: what the other side answered, where it did: the status of HTTP and the beginning of its text
        self.status = status
        self.said = said
