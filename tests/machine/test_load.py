import time
from datetime import UTC, datetime
from pathlib import Path

from forllm_server.machine.drm import DrmReader
from forllm_server.machine.load import LoadReader
from forllm_server.machine.model import GpuLoad, ModelServers, NotAvailable
from forllm_server.machine.processes import list_processes, own_process_ids, process_ids_listening_on, programs_running
from tests.machine.scripted import Programs, stranger

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SEVENTY = "0, GPU-1, Some Card, 70, 4000, 8000\n"


def reader(tmp_path: Path) -> LoadReader:
    return LoadReader(drm=DrmReader(tmp_path / "no-drm", tmp_path / "no-proc"), now=lambda: NOON)


def test_a_machine_without_any_tool_gives_reasons_and_no_faults(bare_programs: Programs, tmp_path: Path) -> None:
    load = reader(tmp_path).read(["game.exe"])
    assert load.at == NOON
    assert load.programs == ()
    assert load.gpus == ()
    assert str(load.cpu_others_share).startswith("not available: this is the first reading")
    assert str(load.gpu_others_share) == (
        "not available: nvidia-smi is not installed; there is no AMD or Intel card that the kernel tells of"
    )


def test_this_machine_as_it_is_can_be_read_in_two_seconds() -> None:
    machine = LoadReader()
    machine.read()
    time.sleep(0.3)
    begun = time.monotonic()
    load = machine.read(["*"])
    assert time.monotonic() - begun < 2
    assert isinstance(load.cpu_others_share, float)
    assert load.programs


def test_a_card_is_read_with_the_processor(programs: Programs, tmp_path: Path) -> None:
    programs.nvidia_smi(SEVENTY)
    load = reader(tmp_path).read()
    assert load.gpu_others_share == 0.7
    assert load.gpus == (GpuLoad("Some Card", 0.7, 0.7, 4000, 8000),)


def test_the_card_used_most_by_others_counts(programs: Programs, tmp_path: Path) -> None:
    programs.nvidia_smi("0, GPU-1, Old Card, [N/A], [N/A], [N/A]\n1, GPU-2, New Card, 30, 1, 2\n" + SEVENTY)
    load = reader(tmp_path).read()
    assert load.gpu_others_share == 0.7
    assert isinstance(load.gpus[0].busy_share, NotAvailable)


def test_cards_are_not_woken_when_nobody_asks_for_them(programs: Programs, tmp_path: Path) -> None:
    programs.write("nvidia-smi", f"touch {tmp_path}/asked")
    load = reader(tmp_path).read(has_gpu_wish=False)
    assert isinstance(load.gpu_others_share, NotAvailable)
    assert not (tmp_path / "asked").exists()


def test_the_work_of_a_hidden_model_server_is_not_taken_for_others(programs: Programs, tmp_path: Path) -> None:
    programs.nvidia_smi(SEVENTY)
    hidden = ModelServers(is_hidden=True)
    machine = reader(tmp_path)
    assert isinstance(machine.read(servers=hidden, is_working=True).gpu_others_share, NotAvailable)
    assert machine.read(servers=hidden, is_working=False).gpu_others_share == 0.7


def test_a_listed_program_that_runs_is_found_by_name_glob_and_any_case(programs: Programs, tmp_path: Path) -> None:
    programs.write("night-game.exe", "while true; do sleep 0.2; done")
    with stranger("night-game.exe"):
        time.sleep(0.1)
        machine = reader(tmp_path)
        for pattern in ("night-game.exe", "Night-GAME", " night-g*.EXE ", "night?game"):
            assert machine.read([pattern]).programs == ("night-game.exe",), pattern
        assert machine.read(["night", "game.exe", "", "  "]).programs == ()
    time.sleep(0.1)
    assert machine.read(["night-game*"]).programs == ()


def test_own_processes_and_model_servers_are_not_the_programs_that_were_meant(
    programs: Programs, tmp_path: Path
) -> None:
    programs.write("llama-server", "while true; do sleep 0.2; done")
    with stranger("llama-server") as process_id:
        time.sleep(0.1)
        processes = list_processes()
        own = own_process_ids(processes, ModelServers())
        assert process_id in own
        assert programs_running(processes, ["llama*"], besides=own) == ()
        assert programs_running(processes, ["llama*"], besides=()) == ("llama-server",)


def test_a_model_server_is_found_by_the_port_it_listens_on(loopback_port: int) -> None:
    assert process_ids_listening_on([loopback_port])
    assert process_ids_listening_on([]) == frozenset()


def test_a_driver_that_hung_is_not_asked_again_at_once(programs: Programs, tmp_path: Path) -> None:
    programs.write("nvidia-smi", f"echo asked >> {tmp_path}/asked; exit 9")
    machine = reader(tmp_path)
    for _ in range(3):
        assert "nvidia-smi failed (9)" in str(machine.read().gpu_others_share)
    assert (tmp_path / "asked").read_text().count("asked") == 3, "one reading asks three questions"
