"""FORLLM's entry: ``python3 forllm.py [command]``. Nothing but Python is needed; the rest is fetched once.

This file is understood by old Pythons too, so that they can be told what is missing.
"""

import sys

NEEDED = (3, 11)


def main():
    # type: () -> int
    if sys.version_info[:2] < NEEDED:
        return refuse(sys.version_info[0], sys.version_info[1])
    from forllm_server.bootstrap import main as start

    return start(sys.argv[1:])


def refuse(major, minor):
    # type: (int, int) -> int
    from shutil import which

    newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if which(name)]
    remedy = f"Start it with: {newer[0]} forllm.py" if newer else "Install a newer Python from python.org."
    sys.stderr.write(
        f"FORLLM needs Python {NEEDED[0]}.{NEEDED[1]} or newer; this is Python {major}.{minor}. {remedy}\n"
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
