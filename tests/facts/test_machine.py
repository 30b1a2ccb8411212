"""Machines of one's own: what may be typed, what is said of it, and what is refused."""

import os

import pytest

from llmpower import accelerator, estimate, plan
from llmpower.arguments import ParameterError
from llmpower.facts.tables import UnknownName

STRIX_HALO = "memory_bytes: 128 GB\nmemory_bandwidth_bytes_per_s: 256 GB/s\ntdp_w: 120\n"


@pytest.fixture
def file(tmp_path):
    """Writes a file of a machine and gives its path."""

    def write(text, name="strix.yml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_values_over_a_name_are_those_values_and_the_rest_stays():
    found, like = accelerator("H100, tdp_w=350, memory_bytes = 96 GB"), accelerator("h100-sxm")
    assert (found.tdp_w, found.memory_bytes) == (350, 96e9)
    assert found.memory_bandwidth_bytes_per_s == like.memory_bandwidth_bytes_per_s == 3.35e12
    assert found is accelerator("H100, tdp_w=350, memory_bytes = 96 GB")
    # What was reached at another rate is not known at this one.
    assert like.get("reached_bf16_flop_per_s") and not accelerator("h100,dense_bf16_flop_per_s=5e14").get(
        "reached_bf16_flop_per_s"
    )
    assert accelerator({"like": "b200", "tdp_w": 700}).tdp_w == 700
    assert "machine as typed: tdp_w 350; the rest as h100" in estimate("llama-3.1-8b", "h100,tdp_w=350").notes


def test_a_machine_of_a_file_answers_as_measured(file):
    """A Ryzen AI Max+ 395 wrote 45.0 tokens/s of gpt-oss-20b (geerlingguy/ai-benchmarks, issue 21)."""
    run = {"batch": 1, "prompt_tokens": 512, "output_tokens": 512, "weight_format": "mxfp4"}
    found = estimate("gpt-oss-20b", file(STRIX_HALO), **run)
    assert found.low.tokens_per_s < 45.0 < found.high.tokens_per_s
    assert found.accelerator == "strix" and found.unknown >= {"machine"}
    # 128 GB, and a rate of 16 bit that nobody gave.
    assert found.case.accelerator.memory_bytes == 128e9
    assert any("no 16-bit rate given" in note for note in found.notes)
    assert not any("16-bit rate" in note for note in estimate("llama-3.1-8b", "h100,tdp_w=350").notes)
    assert plan("llama-3.1-8b", file(STRIX_HALO), 1000, batch=1).n_together == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("h100,tpd_w=350", "'tpd_w': not a value of a machine; those are memory_bytes"),
        ("h100,tdp_w=many", "tdp_w: got 'many'; allowed is 0.1 to 200,000 W"),
        ("h100,tdp_w=350 GB", "tdp_w: got '350 GB'; allowed is"),
        ("h100,tdp_w=nan", "tdp_w: got 'nan'"),
        ("h100,tdp_w=-5", "tdp_w: got '-5'"),
        ("h100,tdp_w=", "tdp_w: got ''"),
        ("h100:tdp_w=350", "no accelerator is called 'h100:tdp_w=350'"),
        ("h100,tdp_w=350,tdp_w=400", "one of its values is given twice"),
        ({"like": "h100,tdp_w=350", "tdp_w": 300}, "no accelerator is called 'h100,tdp_w=350'"),
        ("nothing,tdp_w=350", "no accelerator is called 'nothing'"),
        ({"memory_bytes": 1e9}, "give memory_bandwidth_bytes_per_s [B/s], tdp_w [W] too"),
        ({"like": "h100", "tdp_w": True}, "tdp_w: got 'True'"),
        ({"like": "h100", "tdp_w": [1]}, "tdp_w: got '[1]'"),
    ],
)
def test_what_is_wrong_is_told(typed, said):
    with pytest.raises(ParameterError) as found:
        estimate("llama-3.1-8b", typed)
    assert said in str(found.value)


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 8)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "a: [1]\n", "a: {b: 1}\n", "tdp_w: : 3", b"\xff\xfe\x00", BOMB, "1: 2: 3"]
)
def test_a_file_that_is_no_machine_is_refused(file, text):
    with pytest.raises(UnknownName, match="is no machine: expected lines such as"):
        accelerator(file(text))


def test_values_of_a_file_are_what_was_typed(file):
    """YAML 1.1 reads 5:50 as 350."""
    with pytest.raises(UnknownName, match="tdp_w: got '5:50'; allowed is"):
        accelerator(file("like: h100\ntdp_w: 5:50\n"))


def test_files_without_an_end_and_files_that_are_not_there(file, tmp_path):
    with pytest.raises(UnknownName, match="cannot be read: No such file"):
        accelerator(str(tmp_path / "none.yml"))
    with pytest.raises(UnknownName, match="more than 100,000 bytes"):
        accelerator(file("tdp_w: 1\n" * 50_000))
    os.symlink("/dev/zero", tmp_path / "zero.yml")
    with pytest.raises(UnknownName, match="cannot be read: not a file"):
        accelerator(str(tmp_path / "zero.yml"))


def test_what_is_typed_as_it_was_changes_nothing():
    run = {"batch": 8, "output_tokens": 500}
    same = estimate("qwen3-8b", "a100-sxm-80gb,memory_bandwidth_bytes_per_s=2039 GB/s", **run)
    assert same.tokens_per_s == estimate("qwen3-8b", "a100-sxm-80gb", **run).tokens_per_s


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("h100,idle_w=500,tdp_w=400", "idle_w: got 500; allowed is up to the tdp_w, 400 W"),
        ("h100,reached_bytes_per_s=5 TB/s", "reached_bytes_per_s: got 5e+12; allowed is up to the memory_bandwidth"),
        ("h100,accelerators_per_server=4.5", "accelerators_per_server: got 4.5; allowed is a whole number [count]"),
    ],
)
def test_what_cannot_be_of_one_machine_is_told(typed, said):
    with pytest.raises(ParameterError) as found:
        estimate("llama-3.1-8b", typed)
    assert said in str(found.value)


def test_a_computer_whose_rating_holds_all_of_it_has_no_server_around_it():
    run = {"weight_format": "q4_k_m", "software": "llama.cpp"}
    board, server = (estimate("llama-3.1-8b", "m3-ultra", boundary=one, **run) for one in ("accelerators", "server"))
    assert server.power_w == board.power_w
