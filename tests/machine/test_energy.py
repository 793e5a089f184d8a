import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.machine.energy import (
    EnergyMark,
    EnergyMeter,
    EnergyReading,
    PowerSource,
    energy_between,
    energy_cost,
    find_sources,
    read_meter,
)
from forllm_server.machine.model import NotAvailable
from forllm_server.machine.rapl import RaplSource
from tests.machine.scripted import Programs

RANGE = 262_143_328_850
JOULE = 1_000_000


def zone(root: Path, number: str, name: str, energy_uj: int, range_uj: int = RANGE) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


# -- the processor's counters


def test_packages_and_their_memory_are_added_and_cores_are_not_counted_twice(tmp_path: Path) -> None:
    for number, name in (("0", "package-0"), ("1", "package-1"), ("0:0", "core"), ("0:1", "dram"), ("0:2", "uncore")):
        zone(tmp_path, number, name, 0)
    (tmp_path / "intel-rapl").mkdir()
    source = RaplSource(tmp_path)
    assert source.check() is None
    assert str(source.joules(0.0)) == "not available: this is the first reading; the next one tells"
    for number, name, joules in (
        ("0", "package-0", 300),
        ("1", "package-1", 200),
        ("0:0", "core", 250),
        ("0:1", "dram", 40),
    ):
        zone(tmp_path, number, name, joules * JOULE)
    assert source.joules(10.0) == 540


def test_the_whole_platform_counts_alone(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    zone(tmp_path, "1", "psys", 5 * JOULE)
    source = RaplSource(tmp_path)
    source.joules(0.0)
    zone(tmp_path, "0", "package-0", 100 * JOULE)
    zone(tmp_path, "1", "psys", 155 * JOULE)
    assert source.joules(2.0) == 150


@given(start=st.integers(0, RANGE), used=st.integers(0, 10_000 * JOULE))
def test_a_counter_that_begins_anew_goes_on(tmp_path_factory: pytest.TempPathFactory, start: int, used: int) -> None:
    root = tmp_path_factory.mktemp("powercap")
    zone(root, "0", "package-0", start)
    source = RaplSource(root)
    source.joules(0.0)
    zone(root, "0", "package-0", (start + used) % (RANGE + 1))
    assert source.joules(60.0) == pytest.approx(used / JOULE)


def test_a_counter_that_was_set_back_is_not_taken_for_one_that_went_round(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 200_000 * JOULE)
    source = RaplSource(tmp_path)
    source.joules(0.0)
    zone(tmp_path, "0", "package-0", 0)
    assert str(source.joules(5.0)) == "not available: the processor's energy counters were set back"
    zone(tmp_path, "0", "package-0", 50 * JOULE)
    assert source.joules(6.0) == 50


def test_counters_that_only_an_administrator_may_read_are_a_reason() -> None:
    # Not below pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory(dir="/tmp" if Path("/tmp").is_dir() else None) as name:
        root = Path(name)
        root.chmod(0o755)
        # What FORLLM opens makes new files its own alone; here somebody else must get as far as the file.
        before = os.umask(0o022)
        (zone(root, "0", "package-0", 0) / "energy_uj").chmod(0)
        os.umask(before)
        source = RaplSource(root)
        is_administrator = os.geteuid() == 0
        if is_administrator:
            os.seteuid(65534)
        try:
            reading, check = source.joules(0.0), RaplSource(root).check()
        finally:
            if is_administrator:
                os.seteuid(0)
    assert str(check) == "not available: only an administrator may read energy_uj of the processor"
    assert reading == check


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    expected = "this machine shows no energy counters of its processor"
    assert RaplSource(tmp_path / "none").check() == NotAvailable(expected)
    zone(tmp_path, "0:0", "core", 0)
    assert RaplSource(tmp_path).check() == NotAvailable(expected)


# -- power


def test_power_is_summed_over_time() -> None:
    watts: list[float | NotAvailable] = [100.0, 200.0, NotAvailable("it hung"), 100.0, 100.0, 100.0]
    source = PowerSource("a meter", lambda: watts.pop(0))
    assert isinstance(source.joules(0.0), NotAvailable)
    assert source.joules(10.0) == 1500
    assert source.joules(20.0) == NotAvailable("it hung")
    assert isinstance(source.joules(30.0), NotAvailable)
    assert source.joules(40.0) == 1000
    assert isinstance(source.joules(400.0), NotAvailable)


@pytest.mark.parametrize(("said", "watts"), [("143.5", 143.5), ("  87 W\n", 87), ("61,25", 61.25), ("0", 0), ("9w", 9)])
def test_a_meter_command_prints_watts(programs: Programs, said: str, watts: float) -> None:
    programs.write("meter", f"printf '{said}'")
    assert read_meter(["meter"]) == watts


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 230 V", "the meter command printed “230 V” where a number of watts was expected"),
        (":", "the meter command printed “” where a number of watts was expected"),
        ("echo nan", "the meter command printed nan, which cannot be a machine's watts"),
        ("echo -5", "the meter command printed -5, which cannot be a machine's watts"),
        ("echo 1e9", "the meter command printed 1e+09, which cannot be a machine's watts"),
        ("echo plug is offline; exit 7", "meter failed (7): plug is offline"),
        ("sleep 30", "meter did not answer within 1 s"),
    ],
)
def test_a_meter_that_fails_is_a_reason(programs: Programs, script: str, why: str) -> None:
    programs.write("meter", script)
    begun = time.monotonic()
    assert read_meter(["meter"]) == NotAvailable(why)
    assert time.monotonic() - begun < 2


def test_a_meter_command_gets_no_secrets(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORLLM_SECRET_KEY", "4711")
    programs.write("meter", "echo ${FORLLM_SECRET_KEY:-12}")
    assert read_meter(["meter"]) == 12


# -- what measures here


def test_all_that_measures_is_found_and_the_rest_gives_reasons(bare_programs: Programs, tmp_path: Path) -> None:
    sources, missing = find_sources(powercap=tmp_path)
    assert sources == ()
    assert [str(reason) for reason in missing] == [
        "not available: this machine shows no energy counters of its processor",
        "not available: nvidia-smi is not installed",
    ]
    zone(tmp_path, "0", "package-0", 0)
    bare_programs.nvidia_smi("", watts="80\n")
    sources, missing = find_sources(powercap=tmp_path)
    assert [source.name for source in sources] == ["RAPL (processor)", "nvidia-smi"]
    assert missing == ()


def test_a_meter_of_the_whole_machine_counts_alone(programs: Programs, tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    sources, _ = find_sources("meter --plug 3", powercap=tmp_path)
    assert [source.name for source in sources] == ["meter command"]
    with pytest.raises(Invalid) as refused:
        find_sources("meter 'plug")
    assert refused.value.field == "meter_command"


# -- a span


def test_a_span_is_measured_from_processor_and_card(bare_programs: Programs, tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    bare_programs.nvidia_smi("", watts="200\n")
    now = Clock()
    meter = EnergyMeter(find_sources(powercap=tmp_path)[0], now_seconds=now)
    meter.tick()
    begun = meter.mark()
    for number in range(1, 7):
        now.seconds += 10
        zone(tmp_path, "0", "package-0", number * 500 * JOULE)
        meter.tick()
    assert meter.problem is None
    reading = energy_between(begun, meter.mark(), estimated_watts=999)
    # 50 W and 200 W for a minute
    assert reading == EnergyReading(pytest.approx(250 * 60 / 3600), True, "RAPL (processor) + nvidia-smi", 60)


def test_marks_between_ticks_take_the_power_to_go_on() -> None:
    now = Clock()
    meter = EnergyMeter([PowerSource("meter command", lambda: 90.0)], now_seconds=now)
    meter.tick()
    now.seconds += 5
    meter.tick()
    now.seconds += 1
    begun = meter.mark()
    now.seconds += 2
    reading = energy_between(begun, meter.mark(), estimated_watts=1)
    assert reading == EnergyReading(pytest.approx(180 / 3600), True, "meter command", 2)


def test_nothing_that_measures_means_an_estimate_that_says_so() -> None:
    now = Clock()
    meter = EnergyMeter([], now_seconds=now)
    meter.tick()
    begun = meter.mark()
    now.seconds += 1800
    meter.tick()
    assert str(meter.problem) == "not available: nothing measures energy on this machine"
    reading = energy_between(begun, meter.mark(), estimated_watts=120)
    assert reading == EnergyReading(60, False, "estimated from 120 W", 1800)


def test_a_meter_that_fell_silent_makes_the_rest_an_estimate() -> None:
    now = Clock()
    readings: list[float | NotAvailable] = [100.0, 100.0, NotAvailable("plug is offline")]
    meter = EnergyMeter([PowerSource("meter command", lambda: readings.pop(0))], now_seconds=now)
    meter.tick()
    begun = meter.mark()
    for _ in range(2):
        now.seconds += 30
        meter.tick()
    assert meter.problem == NotAvailable("plug is offline")
    reading = energy_between(begun, meter.mark(), estimated_watts=40)
    assert reading.watt_hours == pytest.approx((3000 + 1200) / 3600)
    assert not reading.is_measured
    assert reading.source == "meter command for 50 % of the time, else estimated from 40 W"


def test_one_silent_source_of_two_leaves_no_sum_that_is_too_small() -> None:
    now = Clock()
    card = PowerSource("nvidia-smi", lambda: NotAvailable("the driver hangs"))
    meter = EnergyMeter([PowerSource("meter", lambda: 50.0), card], now_seconds=now)
    meter.tick()
    begun = meter.mark()
    now.seconds += 10
    meter.tick()
    assert energy_between(begun, meter.mark(), estimated_watts=36).source == "estimated from 36 W"


marks = st.builds(
    EnergyMark, st.floats(0, 1e5), st.floats(0, 1e7), st.floats(0, 1e5), st.sampled_from(["RAPL (processor)", ""])
)


@given(marks, marks, st.floats(0, 1000))
def test_a_span_never_costs_less_than_nothing(begun: EnergyMark, ended: EnergyMark, watts: float) -> None:
    reading = energy_between(begun, ended, estimated_watts=watts)
    assert reading.watt_hours >= 0
    assert reading.seconds >= 0
    assert reading.is_measured or "estimated from" in reading.source


def test_the_cost_of_a_night() -> None:
    assert energy_cost(710, 0.30) == pytest.approx(0.213)
    for price in (-0.1, float("nan"), float("inf")):
        with pytest.raises(Invalid):
            energy_cost(1, price)
