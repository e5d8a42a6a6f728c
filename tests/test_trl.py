"""The trainer trl takes the exported shapes as they are: its format checks, and a step of training.

Needs the extra `trl` (and torch), which is too large for every run: where it is missing the
tests say so and are skipped. `make test-trl` installs it and runs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import projects
from tests.test_shapes import made, project, run

pytestmark = [
    pytest.mark.trl,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # those of the trainer are not ours to mend
]
WITH_TURNS = (
    '[tool.builder.datasets.talk]\nshape = {as = "messages", turns = "turns", role = "speaker", '
    'content = "text", roles = {customer = "user", agent = "assistant"}}'
)
ONE_EACH = (
    "[tool.builder.datasets.pair]\n"
    'shape = {as = "messages", system = "tone", user = "question", assistant = "answer"}'
)
TEMPLATE = (
    "{% for m in messages %}{{ m.role }} : {{ m.content }} </s> {% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)


@pytest.fixture(scope="module")
def trl() -> Any:
    return pytest.importorskip(
        "trl", reason="trl is not installed: pip install 'text-dataset-builder[trl]'"
    )


def words() -> Any:
    """A tokenizer that knows some words and takes all others for one."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = ["<unk>", "<s>", "</s>", "<pad>", "system", "user", "assistant", ":"]
    model = models.WordLevel({word: at for at, word in enumerate(known)}, unk_token="<unk>")
    plain = Tokenizer(model)
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        pad_token="<pad>", chat_template=TEMPLATE,
    )  # fmt: skip


def trained(trl: Any, rows: Any, folder: Path) -> Any:
    """The trainer after one step over these rows, with a model of a few hundred weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = words()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, pad_token_id=3, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    settings = trl.SFTConfig(
        output_dir=str(folder), max_steps=1, per_device_train_batch_size=2, report_to="none",
        use_cpu=True, bf16=False, save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        LlamaForCausalLM(config), args=settings, train_dataset=rows, processing_class=tokenizer
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize(
    ("settings", "dataset", "roles"),
    [(ONE_EACH, "pair", {"system", "user", "assistant"}), (WITH_TURNS, "talk", {"user", "assistant"})],
)  # fmt: skip
def test_conversations_pass_the_format_checks_and_train(
    trl: Any, tmp_path: Path, settings: str, dataset: str, roles: set[str]
) -> None:
    from trl.data_utils import prepare_multimodal_messages

    project(tmp_path, settings)
    assert run(tmp_path, "run").code == 0
    rows = made(tmp_path, dataset)
    assert all(trl.is_conversational(row) for row in rows)
    for row in rows:
        turns = prepare_multimodal_messages(row["messages"])  # refuses a role that it does not know
        assert {turn["role"] for turn in turns} <= roles
        shown = trl.apply_chat_template({"messages": row["messages"]}, words())["text"]
        assert all(turn["content"] in shown for turn in row["messages"])
    trainer = trained(trl, rows, tmp_path / "trained")
    assert trainer.state.global_step == 1
    assert len(trainer.train_dataset) == len(rows)


def test_prompts_and_completions_train_on_the_completion_alone(trl: Any, tmp_path: Path) -> None:
    project(tmp_path)
    assert run(tmp_path, "run", "--quiet").code == 0
    assert run(tmp_path, "export", "pair", "--as", "prompt-completion").code == 0
    rows = made(tmp_path)
    assert not any(trl.is_conversational(row) for row in rows)
    trainer = trained(trl, rows, tmp_path / "trained")
    assert trainer.completion_only_loss
    assert trainer.state.global_step == 1
    one = trainer.train_dataset[0]
    asked = len(words()(one["prompt"])["input_ids"])
    assert [label == -100 for label in one["labels"]] == [
        at < asked for at in range(len(one["labels"]))
    ]


def test_labels_reach_a_classifier_as_numbers_with_their_names(trl: Any, tmp_path: Path) -> None:
    from transformers import DataCollatorWithPadding

    shape = '{as = "text-label", text = "question", label = "tone"}'
    project(tmp_path, f"[tool.builder.datasets.pair]\nshape = {shape}")
    assert projects.run(tmp_path, "run").code == 0
    rows, tokenizer = made(tmp_path), words()
    ready = rows.map(lambda row: tokenizer(row["text"])).select_columns(["input_ids", "label"])
    batch = DataCollatorWithPadding(tokenizer)([ready[0], ready[1]])
    assert batch["labels"].tolist() == rows["label"][:2]
    assert rows.features["label"].names == ["愤怒", "no", "失望"]
