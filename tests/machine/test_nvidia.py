import time

import pytest

from forllm_server.machine.model import GpuLoad, NotAvailable
from forllm_server.machine.nvidia import read_nvidia, read_nvidia_watts
from tests.machine.scripted import Programs

CARD = "0, GPU-aa, NVIDIA GeForce RTX 4090, 93, 20480, 24564\n"
OURS = 100
HEADINGS = """# gpu         pid   type     sm    mem    enc    dec    jpg    ofa    command
# Idx           #    C/G      %      %      %      %      %      %    name
"""
OURS_BUSY = "    0        100     C     90     40      -      -      -      -    llama-server\n"
OURS_RESTING = "    0        100     C      -      -      -      -      -      -    llama-server\n"
GAME_BUSY = "    0        200     G     60     30      -      -      -      -    night-game.exe\n"
GAME_UNKNOWN = "    0        200     G      -      -      -      -      -      -    night-game.exe\n"
NOBODY = "    0          -     -      -      -      -      -      -      -    -\n"


def others(*, is_working: bool = True) -> object:
    found = read_nvidia({OURS}, is_working=is_working)
    assert isinstance(found, tuple)
    (card,) = found
    return card.others_share


@pytest.mark.parametrize(
    ("processes", "is_working", "expected"),
    [
        pytest.param(OURS_BUSY, True, 0.03, id="only our model"),
        pytest.param(OURS_BUSY, False, 0.03, id="our model, asked by someone else"),
        pytest.param(OURS_BUSY + GAME_BUSY, True, 0.6, id="a game beside our model"),
        pytest.param(OURS_RESTING + GAME_BUSY, True, 0.93, id="a game while our model only sits there"),
        pytest.param(GAME_BUSY, True, 0.93, id="a game, our model on the processor"),
        pytest.param(GAME_UNKNOWN, True, 0.93, id="a game of unknown share, our model elsewhere"),
        pytest.param(OURS_RESTING + GAME_UNKNOWN, False, 0.93, id="shares unknown, no model works"),
        pytest.param(NOBODY, False, 0.93, id="no process is named, no model works"),
    ],
)
def test_what_others_use_of_a_card(programs: Programs, processes: str, is_working: bool, expected: float) -> None:
    programs.nvidia_smi(CARD, compute="GPU-aa, 100, 18000\n", processes=HEADINGS + processes)
    if "100" not in processes:
        programs.nvidia_smi(CARD, processes=HEADINGS + processes)
    assert others(is_working=is_working) == pytest.approx(expected)


def test_a_card_that_cannot_tell_processes_apart_says_so_while_our_models_work(programs: Programs) -> None:
    programs.nvidia_smi(CARD, compute="GPU-aa, 100, [N/A]\n")
    assert str(others()) == (
        "not available: nvidia-smi does not tell what each process uses of this card while our models work"
    )
    assert others(is_working=False) == 0.93


def test_a_card_that_names_no_process_says_so_while_our_models_work(programs: Programs) -> None:
    programs.nvidia_smi(CARD)
    assert str(others()).startswith("not available: nvidia-smi names no process")


def test_compute_processes_of_others_count_without_the_table_of_processes(programs: Programs) -> None:
    programs.nvidia_smi(CARD, compute="GPU-aa, 300, 500\n")
    assert others() == 0.93


def test_the_table_of_processes_is_read_by_its_headings(programs: Programs) -> None:
    older = (
        "# gpu     pid  type    sm   mem   enc   dec   command\n# Idx       #   C/G     %     %     %     %   name\n"
    )
    programs.nvidia_smi(CARD, processes=older + "    0     200   C+G    55     2     -     -   a game\n")
    assert others() == 0.93
    programs.nvidia_smi(CARD, processes="an error nobody has seen before\n# gpu pid\n0 200\n")
    assert isinstance(others(), NotAvailable)


def test_names_and_memory_come_with_it(programs: Programs) -> None:
    programs.nvidia_smi(CARD, processes=HEADINGS + NOBODY)
    assert read_nvidia((), is_working=False) == (GpuLoad("NVIDIA GeForce RTX 4090", 0.93, 0.93, 20480, 24564),)


def test_a_card_without_utilisation_is_not_taken_for_a_resting_one(programs: Programs) -> None:
    programs.nvidia_smi("0, GPU-aa, Old, [Not Supported], 1, 2\n", processes=HEADINGS + GAME_BUSY)
    assert str(others()) == "not available: nvidia-smi tells no utilisation of this card"


def test_a_driver_that_does_not_answer_is_a_reason(programs: Programs) -> None:
    programs.write("nvidia-smi", "echo NVIDIA-SMI has failed because it could not talk to the driver.; exit 9")
    found = read_nvidia((), is_working=False)
    assert str(found) == (
        "not available: nvidia-smi failed (9): NVIDIA-SMI has failed because it could not talk to the driver."
    )


def test_a_driver_that_hangs_is_left_within_two_seconds(programs: Programs) -> None:
    programs.write("nvidia-smi", "trap '' TERM; sleep 30")
    begun = time.monotonic()
    assert str(read_nvidia((), is_working=False)) == "not available: nvidia-smi did not answer within 1 s"
    assert time.monotonic() - begun < 2.3


def test_no_driver_is_a_reason(bare_programs: Programs) -> None:
    assert str(read_nvidia((), is_working=False)) == "not available: nvidia-smi is not installed"
    assert str(read_nvidia_watts()) == "not available: nvidia-smi is not installed"


def test_the_power_of_all_cards_is_added(programs: Programs) -> None:
    programs.nvidia_smi("", watts="120.50\n[N/A]\n30.25\n")
    assert read_nvidia_watts() == 150.75
    programs.nvidia_smi("", watts="[N/A]\n")
    assert str(read_nvidia_watts()) == "not available: nvidia-smi tells no power draw of this card"
