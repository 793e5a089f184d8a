"""Sealing: encrypt and authenticate with XChaCha20-Poly1305, bound to the place where the sealed bytes are kept.

A sealed value is ``version (1 byte) ‖ nonce (24 bytes) ‖ ciphertext and tag``. The ``context`` is authenticated but
not stored, so a value that is moved to another row or used for another purpose does not open.
"""

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from forllm_server.crypto.keys import derive
from forllm_server.errors import ForllmError

_VERSION = b"\x01"


class CannotOpen(ForllmError):
    """This was sealed with another key, or it was altered. Put the key file back that belongs to these data."""

    code = "cannot_open"


def seal(key: bytes, plaintext: bytes, *, context: str) -> bytes:
    """``plaintext``, readable again only with the same ``key`` (at least 32 bytes) and the same ``context``."""
    sealed = Aead(derive(key, "sealing")).encrypt(plaintext, context.encode())
    return _VERSION + bytes(sealed)


def open_sealed(key: bytes, sealed: bytes, *, context: str) -> bytes:
    """What was sealed. Raises :class:`CannotOpen` for another key, another context or altered bytes."""
    if not sealed.startswith(_VERSION):
        raise CannotOpen()
    try:
        return bytes(Aead(derive(key, "sealing")).decrypt(sealed[1:], context.encode()))
    except (CryptoError, ValueError) as error:
        raise CannotOpen() from error
