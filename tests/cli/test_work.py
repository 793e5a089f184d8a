"""``forllm work --backend``: a worker that takes work of some backends only."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from forllm_server import cli, clock
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import opened
from forllm_server.cli.workers import Workers
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from forllm_server.queue.worker_store import list_workers
from tests.support.processes import ForllmProcess
from tests.support.world import insert_backend, make_world


def add_backends(folder: Path) -> dict[str, int]:
    """Desk, Attic, and one whose name is the number of Desk; their ids."""
    with opened(read_config({"data_dir": folder, "embedded": False})) as installation:
        world = make_world(installation.database, clock.now())
        with installation.database.transaction() as connection:
            attic_id = insert_backend(connection, clock.now(), name="Attic")
            numbered_id = insert_backend(connection, clock.now(), name=str(world.backend_id))
    return {"Desk": world.backend_id, "Attic": attic_id, "numbered": numbered_id}


def test_a_backend_that_there_is_not_is_told_with_those_there_are(tmp_path: Path) -> None:
    add_backends(tmp_path)
    words = ["work", "--data", str(tmp_path), "--no-embedded", "--backend", "Attic", "--backend", "Roof"]
    done = CliRunner().invoke(cli.group, words, catch_exceptions=False)
    assert done.exit_code == 1
    assert "There is no backend “Roof”. There is" in done.output
    assert "Attic, Desk" in done.output


def test_who_is_told_to_stop_in_the_middle_of_the_start_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(Exception):
        pass

    def tell(_pool: WorkerPool) -> None:
        raise Told

    monkeypatch.setattr(WorkerPool, "start", tell)
    with opened(read_config({"data_dir": tmp_path, "embedded": False})) as installation:
        workers = Workers(installation, threads=1, wakeup=Wakeup())
        with pytest.raises(Told):
            workers.start()
        assert workers.stop(1)


@pytest.mark.slow
def test_a_worker_says_which_backends_it_takes_by_name_or_number(tmp_path: Path) -> None:
    ids = add_backends(tmp_path)
    chosen = ("--backend", "attic", "--backend", str(ids["numbered"]))
    with (
        ForllmProcess("work", tmp_path, "--no-embedded", *chosen, log=tmp_path / "picky.log") as picky,
        ForllmProcess("work", tmp_path, "--no-embedded", log=tmp_path / "open.log") as open_to_all,
    ):
        picky.wait_for_words(rf"workers for Attic, {ids['Desk']}; Ctrl-C ends it")
        open_to_all.wait_for_words("workers; Ctrl-C ends it")
        config = read_config({"data_dir": tmp_path, "embedded": False})
        with opened(config) as installation, installation.database.read() as connection:
            taken = {each.pid: each.backend_ids for each in list_workers(connection)}
        assert taken == {picky.pid: (ids["Attic"], ids["numbered"]), open_to_all.pid: None}
        assert [each.end(signal.SIGTERM) for each in (picky, open_to_all)] == [0, 0]
