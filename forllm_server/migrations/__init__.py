"""The steps from one schema version to the next: ``versions/<number>_<what>.py``, in a straight line.

Only names are looked at here, so that a start with nothing to migrate does not load Alembic (a quarter of a second).
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def list_versions(folder: Path = FOLDER) -> list[str]:
    """The versions in order: ``["0001", "0002", …]``."""
    return sorted(file.name.split("_")[0] for file in (folder / "versions").glob("[0-9]*_*.py"))
