from pathlib import Path

import pytest

from forllm_server.machine.drm import DrmReader
from forllm_server.machine.model import GpuLoad, NotAvailable

AMD_ADDRESS, INTEL_ADDRESS = "0000:03:00.0", "0000:00:02.0"
OURS, GAME = 100, 200
SECOND = 1_000_000_000


class Kernel:
    """Trees as the kernel shows them."""

    def __init__(self, root: Path) -> None:
        self.drm, self.proc = root / "drm", root / "proc"
        self.drm.mkdir()
        self.proc.mkdir()
        (self.drm / "renderD128").mkdir()
        (self.proc / "meminfo").write_text("")

    def card(self, number: int, address: str, vendor: str, busy: str | None) -> None:
        device = self.drm.parent / "devices" / address
        device.mkdir(parents=True, exist_ok=True)
        (device / "vendor").write_text(f"{vendor}\n")
        if busy is not None:
            (device / "gpu_busy_percent").write_text(f"{busy}\n")
        card = self.drm / f"card{number}"
        if not card.exists():
            card.mkdir()
            (card / "device").symlink_to(device)
            # An outlet of the card, which is none.
            (self.drm / f"card{number}-DP-1").mkdir()

    def uses(
        self, process_id: int, address: str, *, handles: int = 1, client: int | None = None, **engines: int
    ) -> None:
        for handle in range(handles):
            for folder in ("fd", "fdinfo"):
                (self.proc / str(process_id) / folder).mkdir(parents=True, exist_ok=True)
            link = self.proc / str(process_id) / "fd" / str(handle)
            if not link.is_symlink():
                link.symlink_to("/dev/dri/renderD128")
            lines = [f"drm-pdev:\t{address}", f"drm-client-id:\t{client or process_id}", "drm-memory-vram:\t5 KiB"]
            lines += [f"drm-engine-{name}:\t{value} ns" for name, value in engines.items()]
            (self.proc / str(process_id) / "fdinfo" / str(handle)).write_text("pos:\t0\n" + "\n".join(lines) + "\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def only(found: tuple[GpuLoad, ...] | NotAvailable) -> GpuLoad:
    assert isinstance(found, tuple)
    (card,) = found
    return card


def test_while_no_model_works_all_that_a_card_does_is_others(kernel: Kernel) -> None:
    kernel.card(0, AMD_ADDRESS, "0x1002", "64")
    card = only(DrmReader(kernel.drm, kernel.proc).read({OURS}, 1.0, is_working=False))
    assert card == GpuLoad("AMD", 0.64, 0.64)


def test_a_game_is_told_from_our_working_model_by_its_engine_time(kernel: Kernel) -> None:
    kernel.card(0, AMD_ADDRESS, "0x1002", "99")
    kernel.uses(OURS, AMD_ADDRESS, gfx=5 * SECOND)
    kernel.uses(GAME, AMD_ADDRESS, gfx=10 * SECOND, dec=0)
    reader = DrmReader(kernel.drm, kernel.proc)
    assert isinstance(only(reader.read({OURS}, 100.0, is_working=True)).others_share, NotAvailable)
    kernel.uses(OURS, AMD_ADDRESS, gfx=9 * SECOND)
    kernel.uses(GAME, AMD_ADDRESS, gfx=13 * SECOND, dec=SECOND)
    assert only(reader.read({OURS}, 105.0, is_working=True)).others_share == pytest.approx(0.6)
    assert only(reader.read({OURS}, 110.0, is_working=True)).others_share == 0.0


def test_several_handles_of_one_client_count_once_and_several_clients_add_up(kernel: Kernel) -> None:
    kernel.card(0, AMD_ADDRESS, "0x1002", "99")
    reader = DrmReader(kernel.drm, kernel.proc)
    reader.read((), 0.0, is_working=True)
    kernel.uses(GAME, AMD_ADDRESS, handles=3, gfx=SECOND)
    kernel.uses(GAME + 1, AMD_ADDRESS, gfx=SECOND)
    # A duplicate that a child of it has.
    kernel.uses(GAME + 2, AMD_ADDRESS, client=GAME, gfx=SECOND)
    assert only(reader.read((), 10.0, is_working=True)).others_share == pytest.approx(0.2)


def test_an_intel_card_tells_by_processes_alone(kernel: Kernel) -> None:
    kernel.card(1, INTEL_ADDRESS, "0x8086", None)
    reader = DrmReader(kernel.drm, kernel.proc)
    reader.read((), 0.0, is_working=False)
    kernel.uses(GAME, INTEL_ADDRESS, render=4 * SECOND)
    card = only(reader.read((), 8.0, is_working=False))
    assert card.others_share == 0.5
    assert str(card.busy_share) == "not available: the driver of this Intel card tells no utilisation"


def test_nvidia_cards_and_machines_without_cards_are_left_to_others(kernel: Kernel, tmp_path: Path) -> None:
    kernel.card(0, "0000:01:00.0", "0x10de", None)
    expected = "not available: there is no AMD or Intel card that the kernel tells of"
    assert str(DrmReader(kernel.drm, kernel.proc).read((), 1.0, is_working=False)) == expected
    assert str(DrmReader(tmp_path / "none", tmp_path / "none").read((), 1.0, is_working=False)) == expected


def test_a_sleeping_card_has_no_utilisation(kernel: Kernel) -> None:
    kernel.card(0, AMD_ADDRESS, "0x1002", "")
    card = only(DrmReader(kernel.drm, kernel.proc).read((), 1.0, is_working=False))
    assert isinstance(card.busy_share, NotAvailable)
    assert isinstance(card.others_share, NotAvailable)
