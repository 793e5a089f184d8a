"""What a reply costs, by a meter that a test moves."""

from pathlib import Path

import pytest

from forllm_server.catalog import backend_store
from forllm_server.catalog.model import BackendRecord
from forllm_server.jobs.ledger import Ledger, energy_facts
from forllm_server.machine.energy import EnergyMark
from forllm_server.settings.values import Settings, settings_from
from tests.jobs.conftest import Evening
from tests.machine.scripted import Programs, programs

__all__ = ["programs"]

PRICED = settings_from({"estimated_watts": 120, "price_per_kilowatt_hour": 0.3, "currency": "€"})
UNTOLD = settings_from({})


class Seconds:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def record(evening: Evening) -> BackendRecord:
    with evening.database.read() as connection:
        return backend_store.get_backend(connection, evening.world.backend_id)


@pytest.fixture
def meter(programs: Programs, tmp_path: Path) -> Path:
    """A plug that draws 200 W."""
    watts = tmp_path / "watts"
    watts.write_text("200 W", encoding="utf-8")
    programs.write("plug", f"cat {watts}")
    return watts


def test_without_a_meter_the_energy_is_estimated_and_says_so() -> None:
    before, after = EnergyMark(0, 0, 0, ""), EnergyMark(3600, 0, 0, "")
    assert energy_facts(before, after, PRICED, share=0.5) == {
        "watt_hours": 60.0,
        "is_energy_measured": False,
        "energy_source": "estimated from 120 W",
        "cost": 0.018,
        "currency": "€",
    }


def test_what_was_measured_needs_no_wattage_and_no_price() -> None:
    before, after = EnergyMark(0, 100, 0, "RAPL"), EnergyMark(36, 3700, 36, "RAPL")
    assert energy_facts(before, after, UNTOLD) == {
        "watt_hours": 1.0,
        "is_energy_measured": True,
        "energy_source": "RAPL",
    }


@pytest.mark.parametrize("measured_seconds", [0, 18])
def test_nothing_is_said_that_is_not_known(measured_seconds: float) -> None:
    before, after = EnergyMark(0, 0, 0, "RAPL"), EnergyMark(36, 1800, measured_seconds, "RAPL")
    assert energy_facts(before, after, UNTOLD) == {}


def measured(ledger: Ledger, seconds: Seconds, *, passing: int) -> None:
    for _ in range(passing // 5):
        seconds.now += 5
        ledger.tick()


def test_a_reply_is_measured_by_the_persons_meter(record: BackendRecord, seconds: Seconds, meter: Path) -> None:
    ledger = Ledger(now_seconds=seconds)
    ledger.use("plug")
    with ledger.span(record) as span:
        assert ledger.begun.is_set()
        ledger.tick()
        measured(ledger, seconds, passing=180)
    told = span.facts(PRICED)
    assert told["watt_hours"] == pytest.approx(10.0, rel=0.01)
    assert told["is_energy_measured"]
    assert told["energy_source"] == "meter command"
    assert told["cost"] == pytest.approx(0.003, rel=0.01)


def test_replies_at_the_same_time_share_what_was_used(record: BackendRecord, seconds: Seconds) -> None:
    ledger = Ledger(now_seconds=seconds)
    with ledger.span(record) as long:
        seconds.now += 1800
        with ledger.span(record) as short:
            seconds.now += 1800
    assert short.facts(PRICED)["watt_hours"] == pytest.approx(30.0)
    assert long.facts(PRICED)["watt_hours"] == pytest.approx(90.0)


def test_what_was_used_between_replies_is_nobodys(record: BackendRecord, seconds: Seconds, meter: Path) -> None:
    ledger = Ledger(now_seconds=seconds)
    ledger.use("plug")
    with ledger.span(record):
        measured(ledger, seconds, passing=100)
    measured(ledger, seconds, passing=7200)
    with ledger.span(record) as second:
        ledger.tick()
        measured(ledger, seconds, passing=180)
    assert second.facts(UNTOLD)["watt_hours"] == pytest.approx(10.0, rel=0.01)


def test_the_meter_rests_when_nothing_is_written(
    record: BackendRecord, seconds: Seconds, programs: Programs, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    programs.write("plug", f"echo x >> {calls}; echo 200")
    ledger = Ledger(now_seconds=seconds)
    ledger.use("plug")
    measured(ledger, seconds, passing=100)
    assert not calls.exists()
    with ledger.span(record):
        ledger.tick()
    assert calls.exists()
    measured(ledger, seconds, passing=100)
    before = calls.read_text(encoding="utf-8")
    measured(ledger, seconds, passing=100)
    assert calls.read_text(encoding="utf-8") == before


def test_a_model_on_another_machine_has_no_energy_here(evening: Evening, seconds: Seconds) -> None:
    evening.change("backends", evening.world.backend_id, base_url="https://models.example.org/v1")
    with evening.database.read() as connection:
        record = backend_store.get_backend(connection, evening.world.backend_id)
    ledger = Ledger(now_seconds=seconds)
    with ledger.span(record) as span:
        seconds.now += 100
    assert span.facts(PRICED) == {}
    assert not ledger.begun.is_set()


def test_a_generation_that_fails_frees_its_share(record: BackendRecord, seconds: Seconds) -> None:
    ledger = Ledger(now_seconds=seconds)
    with pytest.raises(OSError), ledger.span(record):
        raise OSError
    with ledger.span(record) as span:
        seconds.now += 3600
    settings: Settings = PRICED
    assert span.facts(settings)["watt_hours"] == pytest.approx(120.0)
