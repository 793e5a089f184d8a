"""Where is measured: real installations on disk, empty or with a forum of a given size written in bulk."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path

from forllm_server.cli.runtime import Installation, opened
from forllm_server.config import Config
from forllm_server.db import metadata
from forllm_server.db.upgrade import newest_version
