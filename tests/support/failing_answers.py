"""Answers of a model server that fail: refused, cut, silent, malformed, or of no use."""

from tests.support.faulting import EVENT_STREAMS, SECRET, End, fault, finish, hang, say
from tests.support.scripted_wire import Wire

# -- transient


@fault(End.RETRY, code="cut_off")
def refuse_rst(wire: Wire) -> None:
    wire.reset()


@fault(End.RETRY, code="cut_off")
def empty_reply(wire: Wire) -> None:
    return


@fault(End.RETRY, code="cut_off")
def rst_mid_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.reset()


@fault(End.RETRY, code="cut_off")
def truncated_chunked(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.raw(b"400\r\nhalf a chunk")


@fault(End.RETRY, code="cut_off")
def eof_without_done(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.end()


@fault(End.RETRY, code="cut_off", protocols=EVENT_STREAMS)
def done_without_finish_reason(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.write(b"data: [DONE]\n\n")
    wire.end()


@fault(End.RETRY, code="cut_off", protocols=("ollama",))
def done_without_reason(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.finish(None)
    wire.end()


@fault(End.RETRY, code="cut_off")
def bad_chunk_size(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.raw(b"zz\r\nno number\r\n")


@fault(End.RETRY, code="cut_off")
def short_content_length(wire: Wire) -> None:
    wire.head(length=100_000)
    say(wire)


@fault(End.RETRY, code="busy")
def http_503(wire: Wire) -> None:
    wire.json({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)


@fault(End.RETRY, code="server_error")
def http_500_html(wire: Wire) -> None:
    wire.whole(b"<html><h1>Internal Server Error</h1><script>alert(1)</script></html>", "text/html", 500)


@fault(End.RETRY, code="server_error")
def error_in_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    message = "the model runner has unexpectedly stopped"
    wire.write(
        wire.event({"error": message if wire.protocol == "ollama" else {"message": message, "type": "server_error"}})
    )
    wire.end()


@fault(End.RETRY, code="unreadable")
def invalid_json(wire: Wire) -> None:
    wire.head()
    say(wire)
    wire.write(wire.line(b'{"choices": [{"delta": '))
    finish(wire)


@fault(End.RETRY, code="unreadable")
def html_200(wire: Wire) -> None:
    wire.whole(b"<!doctype html><title>Router</title><p>Please sign in", "text/html; charset=utf-8")


@fault(End.RETRY, code="silent", is_silent=True)
def hang_before_headers(wire: Wire) -> None:
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def hang_after_headers(wire: Wire) -> None:
    wire.head()
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def hang_mid_stream(wire: Wire) -> None:
    wire.head()
    say(wire)
    hang(wire)


@fault(End.RETRY, code="silent", is_silent=True)
def slowloris_bytes(wire: Wire) -> None:
    """A byte now and then is no sign of life when no line ever ends."""
    wire.head()
    wire.connection.settimeout(0.05)
    while True:
        wire.write(b"x")
        try:
            if not wire.connection.recv(1):
                return
        except TimeoutError:
            continue


# -- told when to come back


@fault(End.WAIT, code="busy")
def http_429_retry_after(wire: Wire) -> None:
    wire.json({"error": {"message": "Rate limit reached", "type": "rate_limit"}}, 429, Retry_After="7")


@fault(End.WAIT, code="busy")
def http_429_date(wire: Wire) -> None:
    wire.json({"error": {"message": "Rate limit"}}, 429, Retry_After="Fri, 13 Nov 2037 08:00:00 GMT")


# -- permanent


@fault(End.PERMANENT, code="model_missing")
def http_404_model(wire: Wire) -> None:
    message = 'model "nothing" not found, try pulling it first'
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message, "type": "not_found"}}, 404)


@fault(End.PERMANENT, code="key_refused")
def http_401(wire: Wire) -> None:
    wire.json({"error": {"message": f"Incorrect API key provided: {SECRET}", "code": "invalid_api_key"}}, 401)


@fault(End.PERMANENT, code="context_exceeded")
def http_400_context(wire: Wire) -> None:
    message = "This model's maximum context length is 4096 tokens. However, your messages resulted in 27031 tokens."
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message, "type": "invalid"}}, 400)


@fault(End.PERMANENT, code="refused")
def error_object_200(wire: Wire) -> None:
    message = f"this account is not active {SECRET}"
    wire.json({"error": message if wire.protocol == "ollama" else {"message": message}})


@fault(End.PERMANENT, code="unreadable")
def json_array(wire: Wire) -> None:
    wire.json([1, 2, 3])


@fault(End.PERMANENT, code="unreadable")
def json_array_in_stream(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b"[1, 2]"))
    finish(wire)


@fault(End.PERMANENT, code="unreadable")
def json_null(wire: Wire) -> None:
    wire.json(None)


@fault(End.PERMANENT, code="unreadable")
def json_deep(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b"[" * 200_000 + b"]" * 200_000))
    finish(wire)


@fault(End.PERMANENT, code="unreadable")
def json_nan(wire: Wire) -> None:
    wire.head()
    wire.write(wire.line(b'{"choices": NaN, "message": NaN}'))
    finish(wire)


@fault(End.PERMANENT, code="redirected")
def redirect_loop(wire: Wire) -> None:
    host, port = wire.connection.getsockname()
    wire.whole(b"", "text/plain", 302, Location=f"http://{host}:{port}/v1/chat/completions")


@fault(End.PERMANENT, code="redirected")
def redirect_metadata(wire: Wire) -> None:
    wire.whole(b"", "text/plain", 307, Location="http://169.254.169.254/latest/meta-data/")


@fault(End.PERMANENT, code="unreadable")
def huge_headers(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 1_000_000 + b"\r\n\r\n")


@fault(End.PERMANENT, code="unreadable")
def many_headers(wire: Wire) -> None:
    wire.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Many: a\r\n" * 5000 + b"\r\n")


@fault(End.PERMANENT, code="content_filtered")
def content_filter(wire: Wire) -> None:
    wire.head()
    say(wire)
    finish(wire, "content_filter")
