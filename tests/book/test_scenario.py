"""The example scenario in the repository: a book whose prose differs where it should."""

import nbformat

# Sentences that the example's numbers make true and the reference edition's make false.
OWN = {
    "chapters/decode-breakdown": ("They fit, with ", "The cache outweighs the weights"),
    "chapters/tdp-escalator": ("More of it is power than efficiency",),
    "chapters/datacenter-scale": ("A year of answers takes less energy than the training",),
    "chapters/three-layer-mitigations": ("Nearly every expert is wanted by somebody",),
}


def printed(path):
    """What the committed chapter prints with its defaults."""
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/markdown", "") for output in outputs)


def test_the_example_publishes_a_book_for_somebody_elses_machines(copy):
    done = copy.llmpower("build", "-f", "chapters/example.yml", "--out", "example")
    assert done.returncode == 0, done.stderr
    for page, sentences in OWN.items():
        text, reference = copy.page(page, out="example"), printed(copy.folder / f"{page}.ipynb")
        assert "The power wall: a regional provider" in text
        assert reference
        for sentence in sentences:
            assert sentence in text, f"{page}: {sentence}"
            assert sentence not in reference, f"{page}: the reference edition says it, too"
    index = copy.page("index", out="example")
    assert "Qwen3-32B" in index and "8,192" in index
