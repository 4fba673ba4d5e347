import doctest
import re
import runpy
import sys
import types

import pytest
import yaml

from emobox_hf.errors import InputError


def run_examples(text, name):
    """Number of examples run; the first that prints something else fails the test with doctest's report."""
    examples = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    doctest.DebugRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples)
    return len(examples.examples)


def test_examples_of_the_card_print_what_it_says(metric_folder, load_ser_metrics):
    card = (metric_folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert run_examples("\n".join(block for block in blocks if block.startswith(">>>")), "card") >= 10


def test_examples_of_the_inputs_description_print_what_it_says(ser_metrics):
    assert run_examples(ser_metrics.inputs_description, "inputs_description") >= 5


def test_every_result_and_input_is_on_the_card(metric_folder, ser_metrics):
    card = (metric_folder / "README.md").read_text(encoding="utf-8")
    inputs = {"speakers": ["a", "b"], "confidence": 0.95, "labels": [0, 1], "n_resamples": 10, "seed": 0}
    inputs |= {"ignore_index": -100, "method": "bootstrap"}
    results = ser_metrics.compute(references=[0, 1], predictions=[0, 1], **inputs)
    for name in (*results, *inputs, "references", "predictions"):
        assert f"**{name}**" in card
        assert name in ser_metrics.inputs_description


def test_card_heads_a_space(metric_folder):
    _, header, _ = (metric_folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    fields = yaml.safe_load(header)
    assert fields["tags"] == ["evaluate", "metric"]
    assert (fields["sdk"], fields["pinned"]) == ("gradio", False)
    assert (metric_folder / fields["app_file"]).is_file()
    assert {"title", "emoji", "colorFrom", "colorTo", "sdk_version", "description"} <= set(fields)


def test_card_and_module_cite_alike(metric_folder, ser_metrics):
    card = (metric_folder / "README.md").read_text(encoding="utf-8")
    assert ser_metrics.citation in card
    assert "2406.07162" in ser_metrics.citation
    assert all(url in card for url in ser_metrics.info.reference_urls)


def test_space_scores_a_filled_table(metric_folder, load_ser_metrics, monkeypatch):
    gradio = types.ModuleType("gradio")
    gradio.Interface = gradio.Dataframe = gradio.JSON = lambda **options: options
    gradio.Error = RuntimeError
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    page = runpy.run_path(str(metric_folder / "app.py"))
    (table,) = page["demo"]["examples"][0]
    assert page["score"]([*table, ["", ""]])["ua"] == 0.75
    with pytest.raises(RuntimeError, match="at least one utterance") as raised:
        page["score"]([["", ""]])
    assert isinstance(raised.value.__cause__, InputError)
