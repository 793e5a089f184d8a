"""One secret, many keys: each use derives its own, so that no two of them can be confused or weaken one another."""

from hashlib import blake2b

#: The least that a secret may have, in bytes; the key file that is made at first start holds as many.
SECRET_BYTES = 32

#: Blake2b takes keys up to this length, in bytes.
_LONGEST_BLAKE2B_KEY = 64


def derive(secret: bytes, label: str) -> bytes:
    """The 32-byte key for one use, named by ``label`` (e.g. ``session``, ``backend.api_key``).

    Keyed BLAKE2b (RFC 7693) with the personalisation ``forllm.key.v1``. Raises ``ValueError`` for a secret
    shorter than :data:`SECRET_BYTES`: a guessable secret would make every key derived from it guessable.
    """
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"the secret key has {len(secret)} bytes; it needs at least {SECRET_BYTES}")
    key = secret if len(secret) <= _LONGEST_BLAKE2B_KEY else blake2b(secret).digest()
    return blake2b(label.encode(), digest_size=32, key=key, person=b"forllm.key.v1").digest()
