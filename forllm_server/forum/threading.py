"""The order of a thread as one stored value per post: the chain-compressed path. Pure.

Paths compare bytewise. A post at ``position`` of a chain has ``prefix + 00 + position``; its first reply continues
the chain at the next position, because dialogues are chains and would otherwise carry a component a level. Every
later reply opens a branch, ``prefix + 01 + (FFFFFF - parent's position) + sibling``, and starts a chain there:
branches come after the chain, those of the deepest parent first, which is depth-first order.

A branch adds 7 bytes to all below it. PostgreSQL cannot index a row beyond 2,704 bytes, so after ``MAX_BRANCHES``
nested branches the next one attaches at the cap: ``prefix + 02 + parent's id + sibling``. There every post still
comes after its parent and chains stay whole, but branches are ordered by their parent's age, not by its place.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.errors import Invalid, NotAllowed

#: Branches within branches that get their exact place; 4 + 200 * 7 bytes at most, and 12 more at the cap.
MAX_BRANCHES = 200

_CHAIN, _BRANCH, _OVERFLOW = b"\x00", b"\x01", b"\x02"
NUMBER_BYTES = 3
_ID_BYTES = 8
LAST = 0xFFFFFF
CHAIN_LENGTH = 1 + NUMBER_BYTES
BRANCH_LENGTH = 1 + 2 * NUMBER_BYTES
_OVERFLOW_LENGTH = 1 + _ID_BYTES + NUMBER_BYTES
_MAX_PREFIX_LENGTH = MAX_BRANCHES * BRANCH_LENGTH
_MAX_LENGTH = _MAX_PREFIX_LENGTH + _OVERFLOW_LENGTH + CHAIN_LENGTH


@dataclass(frozen=True, slots=True)
class BranchPost:
    """A post of a branch that is moved, as it stands before."""

    id: int
    parent_id: int | None
    depth: int
    path: bytes


def root_path() -> bytes:
    """The path of the first post of every topic."""
    return _chain(b"", 0)


def reply_path(parent_path: bytes, *, parent_id: int, sibling: int) -> bytes:
    """The path of the reply number ``sibling`` (1, 2, 3 …) to the post with ``parent_path``.

    Raises NotAllowed beyond 16,777,215 replies to one post or in one chain.
    """
    if sibling == 1:
        return first_reply_path(parent_path)
    return branch_path(parent_path, parent_id=parent_id, sibling=sibling)


def first_reply_path(parent_path: bytes) -> bytes:
    """The path of the first reply: the next position in the parent's chain."""
    prefix, position = _split(parent_path)
    return _chain(prefix, position + 1)


def branch_path(parent_path: bytes, *, parent_id: int, sibling: int) -> bytes:
    """The path of the second or a later reply: the start of a new chain."""
    prefix, position = _split(parent_path)
    if not is_capped(parent_path):
        return _chain(prefix + _BRANCH + _number(LAST - position) + _number(sibling), 0)
    overflow = _OVERFLOW + parent_id.to_bytes(_ID_BYTES) + _number(sibling)
    return _chain(prefix[:_MAX_PREFIX_LENGTH] + overflow, 0)


def moved_paths(top_path: bytes, branch: Sequence[BranchPost]) -> dict[int, bytes]:
    """The paths, by id, of a branch whose first post comes to stand at ``top_path``; in the order that they had.

    ``branch``: its posts in any order; the one that stands furthest out is its first. Siblings are numbered anew.
    """
    # Parents before their replies, and siblings by their numbers: of two replies to one post the path tells.
    top, *rest = sorted(branch, key=lambda post: (post.depth, post.path))
    paths, replies = {top.id: top_path}, Counter[int]()
    for post in rest:
        parent_id = post.parent_id or top.id
        replies[parent_id] += 1
        paths[post.id] = reply_path(paths[parent_id], parent_id=parent_id, sibling=replies[parent_id])
    return paths


def sibling_of(path: bytes, parent: BranchPost) -> int:
    """Which reply to ``parent``, from 1, stands at ``path``: what :func:`reply_path` made it of."""
    if path == first_reply_path(parent.path):
        return 1
    # A later reply begins a chain; before its position, the last of its prefix is its number.
    return int.from_bytes(path[:-CHAIN_LENGTH][-NUMBER_BYTES:])


def is_capped(parent_path: bytes) -> bool:
    """Whether a branch below this post can no longer get its exact place."""
    return len(parent_path) - CHAIN_LENGTH >= _MAX_PREFIX_LENGTH


def path_from_cursor(cursor: str) -> bytes:
    """The path that ``Post.cursor`` wrote into an address; raises Invalid for anything else."""
    try:
        path = bytes.fromhex(cursor)
    except ValueError:
        path = b""
    if not path or len(path) > _MAX_LENGTH:
        raise Invalid("This place in the thread cannot be read. Start from the topic's first page.", field="after")
    return path


def _split(path: bytes) -> tuple[bytes, int]:
    """The prefix of a path and its position in the chain."""
    return path[:-CHAIN_LENGTH], int.from_bytes(path[-NUMBER_BYTES:])


def _chain(prefix: bytes, position: int) -> bytes:
    return prefix + _CHAIN + _number(position)


def _number(number: int) -> bytes:
    if number > LAST:
        raise NotAllowed("This thread cannot grow any further here. Reply to another post or open a new topic.")
    return number.to_bytes(NUMBER_BYTES)
