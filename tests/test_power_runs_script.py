"""The script that measures boards, without a board and without PyTorch."""

import csv
import importlib.util
import os
import subprocess
import sys
import types

import pytest

from tests.conftest import BOOK

SCRIPT = BOOK / "benchmarks" / "power_runs.py"
DATA = BOOK / "data" / "power_runs.csv"
HEADER = (
    "id,board,accelerator,date,driver,software,kind,what,weight_format,batch,context_tokens,repeat_rest,programs,"
    "power_w,power_se_w,counter_changes,memory_power_w,sm_clock_mhz,memory_clock_mhz,temperature_c,throttled,"
    "memory_bytes_per_s,l2_bytes_per_s,flop_per_s,steps_per_s,tokens_per_s,j_per_token,weight_bytes_per_step,"
    "experts_touched_per_layer"
)
# A row of our runs on an H100: steps of 7 ms of the 8B network, alone, after 1,024 tokens.
ROW = (
    "h100-00,H100 board 1,h100-sxm,2026-11-26,580.159.04,PyTorch,decode,decode 8B bf16 batch 1 context 1024,bf16,1,"
    "1024,,,404.03,0.01,27,126.0,1980,2619,44,no,2.1639e+12,,2.2214e+12,142.89,142.891,2.8275,1.50093e+10,"
)


@pytest.fixture
def script():
    """The module, loaded from its file, since tests do not import benchmarks."""
    spec = importlib.util.spec_from_file_location("power_runs_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


class Idle:
    """A board that is never asked."""

    def energy_mj(self):
        raise AssertionError


def bench(script, path, prefix="h100"):
    fixed = {"board": "H100 board 1", "accelerator": "h100-sxm", "date": "2026-11-26", "driver": "580.159.04"}
    return script.Bench(Idle(), script.Table(path, prefix), {**fixed, "software": "PyTorch"}, 2.5, 100)


def ramp(watts, steps_per_s, states):
    """Work that measures nothing: 27 readings a tenth of a second apart, and steps that end at this rate."""

    def work(window):
        window.watch.meter.samples += [(tenth / 10, tenth * watts * 100) for tenth in range(27)]
        window.watch.states += states
        window.finished += [(second, second * steps_per_s) for second in (0.1, 1.3, 2.5)]

    return work


def state(reasons, memory_power_w=126.04, temperature_c=44):
    told = {"sm_clock_mhz": 1980, "memory_clock_mhz": 2619, "temperature_c": temperature_c}
    return {**told, "memory_power_w": memory_power_w, "reasons": reasons}


def started(*arguments, blocked=(), folder=None):
    """Run the script in a process that cannot import some packages."""
    lines = ["import runpy, sys"]
    lines += [f"sys.modules[{name!r}] = None" for name in blocked]
    lines += [f"sys.argv = {['power_runs.py', *arguments]!r}", f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True, check=False
    )


def test_slope_of_a_straight_ramp_is_its_watts(script):
    # 250,000 mJ a second are 250 W, and no reading is off the line.
    assert script.slope([(5, 1_000_000), (6, 1_250_000), (8, 1_750_000)]) == (pytest.approx(250), pytest.approx(0))


def test_standard_error_of_a_ramp_by_hand(script):
    # 100 W, with readings 1 J above, below, below and above the line at 0, 1, 2 and 3 s.
    # Seconds around their mean: -1.5, -0.5, 0.5, 1.5; their squares add up to 5.
    # Deviations times these: -1500 + 500 - 500 + 1500 = 0, so the slope stays 100,000 mJ/s.
    # Squares of the deviations add up to 4,000,000 mJ^2, on 4 - 2 degrees of freedom: a variance of 2,000,000.
    # Standard error: sqrt(2,000,000 / 5) = 632.46 mJ/s = 0.63246 W.
    watts, error = script.slope([(0, 1000), (1, 99_000), (2, 199_000), (3, 301_000)])
    assert watts == pytest.approx(100)
    assert error == pytest.approx(0.63246, rel=1e-5)


def test_meter_keeps_readings_that_moved_and_not_the_first(script):
    energies, seconds = iter([70, 70, 75, 75, 75, 81]), iter([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    meter = script.Meter(lambda: next(energies), lambda: next(seconds))
    for _ in range(6):
        meter.look()
    assert meter.samples == [(0.2, 75), (0.5, 81)]


def test_rate_counts_the_units_that_ended_inside(script):
    finished = [(0.9, 1), (1.0, 2), (1.5, 5), (2.0, 8), (2.1, 11)]
    assert script.rate(finished, 1.0, 2.0) == 6
    assert script.rate(finished, 1.2, 1.8) is None


@pytest.mark.parametrize("exponent", range(-5, 1))
@pytest.mark.parametrize("first", [1, 1.1, 2, 3.9, 4.1, 9.9])
def test_a_unit_of_queued_work_lasts_2_to_40_ms(script, exponent, first):
    seconds, pieces = first * 10**exponent, list(range(330))
    rounds, units = script.cut(seconds, len(pieces))
    parts = script.shares(pieces, units)
    assert sum(parts, []) == pieces
    for part in parts:
        assert 0.002 <= rounds * seconds * len(part) / len(pieces) <= 0.040


def test_a_round_is_cut_into_no_more_units_than_it_has_pieces(script):
    assert script.cut(0.5, 2) == (1, 2)


def test_throttled_means_that_a_reason_of_power_was_named_once(script):
    cap, hardware, brake, heat, idle = 0x4, 0x8, 0x80, 0x20, 0x1
    for reason in (cap, hardware, brake, cap | heat):
        assert script.state_columns([state(0), state(reason), state(0)])["throttled"] == "yes"
    assert script.state_columns([state(0), state(heat), state(idle)])["throttled"] == "no"
    assert "throttled" not in script.state_columns([state(None)])


def test_what_a_board_does_not_tell_stays_empty(script):
    columns = script.state_columns([state(0, None, 40), state(0, None, 42), state(0, None, 41)])
    assert columns["memory_power_w"] is None and columns["temperature_c"] == 41


def test_header_is_that_of_the_table_of_runs(script, tmp_path):
    header = DATA.read_text(encoding="utf-8").splitlines()[0] if DATA.exists() else HEADER
    script.Table(tmp_path / "new.csv", "run").add({})
    assert (tmp_path / "new.csv").read_text(encoding="utf-8").splitlines()[0] == header


def test_a_row_reads_as_the_measured_one(script, tmp_path):
    path, shape = tmp_path / "new.csv", script.LLAMA_8B
    weights = 2 * (shape.layer_weights + shape.output_weights)
    done = {"memory_bytes_per_s": weights + 1024 * shape.cache_bytes, "flop_per_s": shape.decode_flop(1, 1024)}
    bench(script, path).point(
        "decode", "decode 8B bf16 batch 1 context 1024", ramp(404.03, 142.891, [state(0)]),
        {**done, "steps_per_s": 1, "tokens_per_s": 1},
        weight_format="bf16", batch=1, context_tokens=1024, weight_bytes_per_step=weights,
    )  # fmt: skip
    assert path.read_bytes().decode().split("\n")[1:] == [ROW, ""]


def test_a_mixture_and_a_prompt_are_counted_as_in_the_measured_rows(script):
    # Batch 1 touches 8 of 128 experts; batch 1 of the 8B network with 8,192 tokens makes 4.6971 prompts a second.
    qwen = script.QWEN_30B
    assert 2 * (qwen.layer_weights + qwen.output_weights) == pytest.approx(6.05815e9, rel=1e-6)
    assert 4.6971 * script.LLAMA_8B.prompt_flop(1, 8192) == pytest.approx(6.1974e14, rel=1e-4)


def test_every_point_is_written_at_once_and_numbered(script, tmp_path, capsys):
    path = tmp_path / "new.csv"
    run = bench(script, path, "a")
    for number, watts in enumerate((100, 200)):
        run.point("idle", "idle, no context", ramp(watts, 0, [state(4)]))
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["id"] for row in rows] == ["a-00", "a-01"][: number + 1]
        assert float(rows[-1]["power_w"]) == watts and rows[-1]["throttled"] == "yes"
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_point_that_was_too_short_makes_no_row(script, tmp_path, capsys):
    path = tmp_path / "new.csv"
    run = bench(script, path)
    run.point("idle", "idle", lambda window: None)
    run.point("decode", "slow steps", ramp(100, 0, [state(0)]), {"tokens_per_s": 1})
    assert not path.exists()
    idle, slow = capsys.readouterr().out.splitlines()
    assert "the energy counter moved 0 times" in idle and "3 units of work ended" in slow
    assert idle.endswith("ask for more --seconds")


def test_the_window_opens_after_the_warm_up_and_closes(script):
    reading = iter(range(0, 10**9, 1000))
    board = types.SimpleNamespace(energy_mj=lambda: next(reading), state=lambda: state(0))
    window = script.Window(script.Watch(board), 0.05, 0.1)
    begun = script.time.perf_counter()
    script.nothing(window)
    assert script.time.perf_counter() - begun >= 0.15
    assert window.watch.meter.samples[0][0] - begun >= 0.05
    assert window.watch.states and not window.watch.is_alive()


def test_ends_read_the_counter_while_it_is_awaited_and_not_between(script):
    energies = iter([70, 70, 75, *[80] * 3, 95])
    asked = []
    board = types.SimpleNamespace(energy_mj=lambda: asked.append(1) or next(energies), state=lambda: state(0))
    ends = script.Ends(board)
    ends.start()
    assert len(asked) == 3 and ends.ident
    ends.end()
    ends.end()
    # 80 was there when the end was awaited, so when it came nobody knows.
    assert [energy for _, energy in ends.meter.samples] == [75, 95] and len(asked) == 7
    assert ends.states == [state(0)]


def test_a_point_of_two_readings_tells_no_error(script, tmp_path, capsys):
    path, run = tmp_path / "new.csv", bench(script, tmp_path / "new.csv")

    def work(window):
        window.watch.meter.samples += [(0.0, 0), (3.0, 450_000)]
        window.watch.states.append(state(0))
        window.finished += [(0.5, 10), (2.5, 50)]

    run.point("eager", "generate eagerly", work, {"steps_per_s": 1, "tokens_per_s": 16}, watch=script.Ends, batch=16)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    # 450 J in 3 s; 40 steps in 2 s, of 16 tokens each.
    assert (row["power_w"], row["power_se_w"], row["counter_changes"]) == ("150.00", "", "")
    assert (row["steps_per_s"], row["tokens_per_s"]) == ("20", "320")


def test_networks_of_the_library_are_told_with_their_layers(script):
    assert [one.tag for one in script.EAGER] == [
        "Llama-3.1-8B shape, 32 layers", "Qwen3-1.7B shape, 28 layers", "Llama-3.2-1B shape, 16 layers",
        "Llama-3.1-8B shape, 8 layers",
    ]  # fmt: skip


def test_the_board_that_cuda_calls_0(script):
    for text, board in (("2,0", 2), (" 1 ", 1), ("GPU-8f2c", "GPU-8f2c"), ("GPU-a,GPU-b", "GPU-a")):
        assert script.visible({"CUDA_VISIBLE_DEVICES": text}) == board
    assert script.visible({}) == 0


# What a run lacks.


def test_without_packages_one_message_names_all_of_them(tmp_path):
    done = started(blocked=("torch", "triton", "pynvml"), folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    for name in ("torch (pip install torch)", "triton (", "pynvml (pip install nvidia-ml-py)"):
        assert name in line
    assert not list(tmp_path.iterdir())


def test_the_check_needs_no_reader_of_the_counter(tmp_path):
    done = started("--check", blocked=("torch", "pynvml"), folder=tmp_path)
    assert done.returncode == 2
    assert "torch (pip install torch)" in done.stderr and "pynvml" not in done.stderr


class NVMLError(Exception):
    """As the package has it."""


@pytest.fixture
def packages(monkeypatch):
    """Stand-ins for PyTorch, Triton and NVML on a machine where all is well; returns the latter and PyTorch's CUDA."""
    for name in ("CUDA_DEVICE_ORDER", "PYTORCH_NVML_BASED_CUDA_CHECK", "TRITON_INTERPRET"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    cuda = types.SimpleNamespace(
        is_available=lambda: True,
        OutOfMemoryError=MemoryError,
        get_device_capability=lambda: (8, 0),
        mem_get_info=lambda: (24e9, 25e9),
        empty_cache=lambda: None,
    )
    nvml = types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: "A board",
        nvmlSystemGetDriverVersion=lambda: "1.2",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 1,
    )
    torch = types.SimpleNamespace(__version__="2", cuda=cuda, bfloat16="bf16")
    modules = {"torch": torch, "triton": types.SimpleNamespace(__version__="3"), "pynvml": nvml}
    for name, module in {**modules, "torch.nn.functional": None, "triton.language": None}.items():
        monkeypatch.setitem(sys.modules, name, module or types.SimpleNamespace())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return nvml, cuda


def fails(*given):
    raise NVMLError("Not Supported")


def test_no_board_no_driver_and_no_counter_are_told_apart(script, packages, tmp_path, capsys):
    nvml, cuda = packages
    given = ["--out", str(tmp_path / "new.csv")]
    nvml.nvmlDeviceGetTotalEnergyConsumption = fails
    assert script.main(given) == 2
    assert "A board has no energy counter that NVML reads (Not Supported)" in capsys.readouterr().err
    nvml.nvmlInit = fails
    assert script.main(given) == 2
    assert "install or repair the NVIDIA driver" in capsys.readouterr().err
    cuda.is_available = lambda: False
    assert script.main(given) == 2
    assert "sees no CUDA device" in capsys.readouterr().err


def test_a_board_tells_its_state_and_an_older_driver_tells_less(script, packages):
    nvml, _ = packages
    field = types.SimpleNamespace(nvmlReturn=0, value=types.SimpleNamespace(uiVal=26_100))
    clocks = {1: 1980, 2: 2619}
    nvml.nvmlDeviceGetClockInfo = lambda handle, which: clocks[which]
    nvml.nvmlDeviceGetTemperature = fails
    nvml.nvmlDeviceGetFieldValues = lambda handle, fields: [field] if fields == [(185, 2)] else []
    nvml.nvmlDeviceGetCurrentClocksThrottleReasons = lambda handle: 4
    assert script.Board(nvml).state() == state(4, 26.1, None)
    field.nvmlReturn = 3
    nvml.nvmlDeviceGetCurrentClocksEventReasons = lambda handle: 0
    assert script.Board(nvml).state() == state(0, None, None)


def measured(script, monkeypatch, path, sections, **more):
    """Run sections that stand in for the real ones."""
    made = {name: script.Section(run, more.get(name, 0), (8, 0), "") for name, run in sections.items()}
    monkeypatch.setattr(script, "SECTIONS", made)
    return script.main(["--sections", ",".join(reversed(made)), "--out", str(path), "--limit", "50"])


def one_point(run):
    run.point("idle", "idle", ramp(100, 0, [state(0)]))


def test_sections_run_in_their_order_and_one_that_fails_stops_no_other(script, packages, monkeypatch, tmp_path, capsys):
    def broken(run):
        raise RuntimeError("no such product\nand much more")

    def lacks(run):
        raise script.Missing("this needs a cache")

    def full(run):
        raise MemoryError

    path = tmp_path / "new.csv"
    sections = {"a": broken, "b": lacks, "c": full, "d": one_point, "e": one_point}
    assert measured(script, monkeypatch, path, sections, d=30, e=20) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "a: failed, RuntimeError: no such product",
        "b: left out, this needs a cache",
        "c: left out from here on, the memory of the board is full",
    ]
    assert lines[3] == "d: left out, this needs 30 GB of free memory, and 24.0 GB are free"
    assert lines[5] == f"Points in {path}: 1."
    assert "run-00,A board,," in path.read_text(encoding="utf-8")


def test_an_older_board_leaves_out_what_it_has_no_format_for(script, packages, monkeypatch, tmp_path, capsys):
    packages[1].get_device_capability = lambda: (7, 5)
    assert measured(script, monkeypatch, tmp_path / "new.csv", {"a": one_point}, a=1) == 0
    told = capsys.readouterr().out
    assert told == ("a: left out, this needs compute capability 8.0, and the board has 7.5\nNo point was measured.\n")


def test_an_interrupted_run_keeps_its_points(script, packages, monkeypatch, tmp_path, capsys):
    def interrupted(run):
        one_point(run)
        raise KeyboardInterrupt

    path = tmp_path / "new.csv"
    assert measured(script, monkeypatch, path, {"a": interrupted, "b": one_point}) == 130
    assert capsys.readouterr().out.splitlines()[1:] == ["Interrupted.", f"Points in {path}: 1."]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_no_point_begins_when_the_time_is_over(script, packages, monkeypatch, tmp_path, capsys):
    def long(run):
        one_point(run)
        clock = script.time.perf_counter() + 60
        monkeypatch.setattr(script.time, "perf_counter", lambda: clock)
        run.point("idle", "a late point", ramp(100, 0, [state(0)]))

    assert measured(script, monkeypatch, tmp_path / "new.csv", {"a": long}) == 0
    assert "The 50 seconds of --limit were over before: a late point." in capsys.readouterr().out


# What was typed.


def test_an_existing_file_is_kept(script, tmp_path, capsys):
    path = tmp_path / "old.csv"
    path.write_text("mine", encoding="utf-8")
    assert script.main(["--out", str(path)]) == 2
    assert f"--out: {path} exists and is kept" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        script.Table(path, "run").add({})
    assert path.read_text(encoding="utf-8") == "mine"


def test_an_unknown_section_is_named_with_those_allowed(script, capsys):
    assert script.main(["--sections", "idle,L2"]) == 2
    assert capsys.readouterr().err == (
        "power_runs: --sections: 'L2' unknown; allowed are "
        "idle,memory,l2,products,decode,prompts,fp8,int4,mixture,rests,transformers,eager,launches,waiting,rows,scales,"
        "reading\n"
    )


def test_every_wrong_argument_is_told_at_once(script, tmp_path, capsys):
    nowhere = tmp_path / "nowhere" / "new.csv"
    given = {"sections": "", "seconds": "0.1", "limit": "nan", "prefix": "", "accelerator": "H100 SXM", "out": nowhere}
    assert script.main([word for name, text in given.items() for word in (f"--{name}", str(text))]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [f"--{name}" for name in given]
    assert str(nowhere.parent) in lines[-1] and "'H100 SXM'" in lines[-2]


def test_help_tells_of_each_section(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for name, section in script.SECTIONS.items():
        assert f"  {name:13} {section.about}\n" in told
