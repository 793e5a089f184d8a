"""The queue page, its acts, what needs a person, the history, and the page of one LLM request."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time  # placeholder
