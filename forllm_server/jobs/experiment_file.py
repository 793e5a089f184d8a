"""An experiment as a file, read a part at a time: no transaction is open while a part travels."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from forllm_server.experiments import pair_store
from forllm_server.experiments.exporting import ExportFormat, foot_of, head_of, pairs_of
from forllm_server.experiments.model import Experiment, Pair
from forllm_server.experiments.report import report_of
from forllm_server.personas.version_store import list_versions_by_ids

PAIRS_AT_ONCE = 100


def pieces_of(
    read: Callable[[], AbstractContextManager[Connection]], experiment: Experiment, form: ExportFormat
) -> Iterator[str]:
    """The text of the file, piece by piece. ``read`` opens a connection to read from."""
    with read() as connection:
        progress = pair_store.read_progress(connection, experiment)
    yield head_of(experiment, progress, report_of(progress), form)
    after = 0
    while True:
        with read() as connection:
            pairs = pair_store.list_pairs(connection, experiment, after=after, limit=PAIRS_AT_ONCE)
            names = version_words(connection, pairs)
        if not pairs:
            break
        yield pairs_of(pairs, names, form)
        after = pairs[-1].number
    yield foot_of(form)


def version_words(connection: Connection, pairs: Iterable[Pair]) -> dict[int, str]:
    """By id of a persona version in these pairs: ``Assistant v2``."""
    ids = {version_id for pair in pairs for version_id in (pair.old_version_id, pair.new_version_id)}
    return {each.id: f"{each.name} v{each.number}" for each in list_versions_by_ids(connection, ids)}
