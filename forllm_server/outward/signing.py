"""The signature of what is posted: proves who sent it, and when."""

import hashlib
import hmac

SIGNATURE = "X-Forllm-Signature"


def sign(secret: str, body: bytes, at: int) -> str:
    """``t=<seconds>,v1=<HMAC-SHA-256 of "<seconds>.<body>" in hexadecimal>``."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
