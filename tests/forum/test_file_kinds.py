"""What a file is called and what it is, whatever its sender says."""

import struct

import pytest

from forllm_server.forum.attachment_model import size_words
from forllm_server.forum.file_kinds import LONGEST_NAME, clean_file_name, kind_of


def png(width: int = 2, height: int = 3) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("a\x00b\r\n\tc\x1b.txt", "ab c.txt"),
        ("\u202egpj.exe\u200b.txt", "gpj.exe.txt"),
        ('<b>"x"|?*.svg', "_b__x____.svg"),
        ("..", "file"),
        (" . . ", "file"),
        ("", "file"),
        ("/", "file"),
        (".bashrc", ".bashrc"),
        ("Grüße 花 👩‍👩‍👧.md", "Grüße 花 👩👩👧.md"),
        ("x" * 300 + ".tar", "x" * (LONGEST_NAME - 4) + ".tar"),
        ("." + "y" * 300, "." + "y" * (LONGEST_NAME - 1)),
    ],
)
def test_a_name_loses_what_it_must_and_keeps_the_rest(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean
    assert clean_file_name(clean) == clean


@pytest.mark.parametrize(
    ("head", "media_type", "label"),
    [
        (png(), "image/png", "PNG picture"),
        (png(20_000, 20_000), "application/octet-stream", "PNG picture"),
        (png(0, 5), "application/octet-stream", "PNG picture"),
        (b"GIF89a" + struct.pack("<HH", 4, 5) + b"\x00", "image/gif", "GIF picture"),
        (b"%PDF-1.7\n", "application/pdf", "PDF"),
        (b"PK\x03\x04rest", "application/zip", "ZIP or office file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "text/plain", "text"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain", "text"),
        ("Grüße".encode(), "text/plain", "text"),
        ("Grüße".encode()[:-2], "text/plain", "text"),
        ("Grüße".encode("latin-1") + b" ", "application/octet-stream", "data"),
        (b"a\x00b", "application/octet-stream", "data"),
        (b"\x01\x02\x03", "application/octet-stream", "data"),
        (b"\xff\xd8\xff\xe0", "application/octet-stream", "data"),
    ],
)
def test_a_file_is_what_its_content_says(head: bytes, media_type: str, label: str) -> None:
    assert (kind_of(head).media_type, kind_of(head).label) == (media_type, label)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (3_400, "3.4 KB"),
        (9_990, "10 KB"),
        (999_600, "1.0 MB"),
        (20_000_000, "20 MB"),
        (2_000_000_000, "2.0 GB"),
    ],
)
def test_sizes_are_told_for_people(size: int, words: str) -> None:
    assert size_words(size) == words
