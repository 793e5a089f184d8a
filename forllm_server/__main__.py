"""``python -m forllm_server``: the same as the command ``forllm``."""

import sys

from forllm_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
