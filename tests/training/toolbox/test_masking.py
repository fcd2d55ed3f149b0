"""What pre-training hides: rates within half a per cent, specials never, segments and blocks as said."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, RobertaForMaskedLM

from codehunch_training.bases import load_base
from codehunch_training.data import DataError
from codehunch_training.recipe import Recipe, RecipeError, with_overrides
from codehunch_training.tasks.masking import mask_tokens, next_block
from codehunch_training.tasks.pretrain import Pretrain, replace, widen_segments
from codehunch_training.tasks.specification import IGNORED

SMALL = ("model.vocabulary=300", "model.hidden_size=16", "model.heads=2", "model.layers=1", "model.max_length=40")
TEXT = "".join(f"value_{at} = other_{at} + {at}\n" for at in range(40))


def test_mask_rates() -> None:
    """15 +- 0.5 % of the tokens are chosen; of those 80 / 10 / 10 are masks, other tokens, and themselves."""
    rng, specials, words = random.Random(0), {0, 1, 2, 4}, list(range(5, 5000))
    chosen = total = masked = same = 0
    for _ in range(300):
        ids = [0, *(rng.randrange(5, 5000) for _ in range(500)), 2, 1, 1]
        shown, labels = mask_tokens(ids, specials, 4, words, 0.15, rng)
        for before, now, label in zip(ids, shown, labels, strict=True):
            if before in specials:
                assert (now, label) == (before, IGNORED)
                continue
            total += 1
            if label == IGNORED:
                assert now == before
                continue
            assert label == before
            chosen, masked, same = chosen + 1, masked + (now == 4), same + (now == before)
    assert chosen / total == pytest.approx(0.15, abs=0.005)
    assert masked / chosen == pytest.approx(0.8, abs=0.01)
    assert same / chosen == pytest.approx(0.1, abs=0.01)


def test_another_block_is_never_the_neighbour() -> None:
    rng = random.Random(0)
    follows = 0
    for _ in range(4000):
        other, label = next_block(5, 6, 10, rng)
        assert (other == 6) == bool(label)
        assert other not in (4, 5) or label
        follows += label
    assert follows / 4000 == pytest.approx(0.5, abs=0.03)
    assert all(next_block(9, -1, 10, rng)[1] == 0 for _ in range(50))


def prepared(spec: str, *changes: str) -> tuple[Pretrain, object]:
    recipe = with_overrides(Recipe(), [*SMALL, *changes])
    base = load_base(spec, recipe, [TEXT])
    task = Pretrain()
    rows = [{"text": TEXT}, {"text": TEXT[::-1]}]
    task.check_base(base)
    task.prepare(rows, base, recipe)
    return task, base


def test_segments() -> None:
    """RoBERTa's one segment embedding is widened to two that begin alike, or left away."""
    task, base = prepared("new:roberta", "objective.objectives=['mlm', 'nsp']")
    drawn = task.draw(task.blocks[0], random.Random(1))
    kinds, ids = drawn["token_type_ids"], drawn["input_ids"]
    assert kinds == sorted(kinds)
    assert set(kinds) == {0, 1}
    assert ids[kinds.index(1)] == task.tokenizer.eos_token_id  # <s> A </s> | </s> B </s>
    assert len(ids) <= 40
    model = task.build(base, task.recipe, [])
    table = model.lm.roberta.embeddings.token_type_embeddings.weight
    assert table.shape[0] == model.config.type_vocab_size == 2
    assert torch.equal(table[0], table[1])
    without, _ = prepared("new:roberta", "objective.objectives=['mlm', 'nsp']", "objective.segments=omit")
    assert "token_type_ids" not in without.draw(without.blocks[0], random.Random(1))


def test_bert_keeps_its_own_segments() -> None:
    lm = BertForMaskedLM(BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    before = lm.bert.embeddings.token_type_embeddings.weight.clone()
    widen_segments(lm)
    assert torch.equal(lm.bert.embeddings.token_type_embeddings.weight, before)


def test_every_visit_hides_something_else_and_a_seed_the_same() -> None:
    task, _ = prepared("new:roberta", "objective.objectives=['mlm']")
    first, again, other = (task.draw(task.blocks[0], random.Random(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first["mlm_labels"] != other["mlm_labels"]


def test_replaced_tokens_are_where_the_guess_is_wrong() -> None:
    batch = {
        "input_ids": torch.tensor([[0, 4, 7, 4, 2]]),
        "mlm_labels": torch.tensor([[IGNORED, 5, IGNORED, 6, IGNORED]]),
    }
    guess = torch.full((2, 10), -1e9)
    guess[0, 5], guess[1, 9] = 0.0, 0.0  # The first guess is right.
    shown, replaced = replace(batch, guess)
    assert shown.tolist() == [[0, 5, 7, 9, 2]]
    assert replaced.tolist() == [[False, False, False, True, False]]


def test_dense_corruption_labels_every_token() -> None:
    text = "def total(items, start):\n    result = start\n    for item in items:\n        if item > 3:\n"
    text += "            result = result + item\n    return result\n"
    recipe = with_overrides(
        Recipe(), [*SMALL, "model.max_length=128", "objective.objectives=['corruption']", "objective.clean=0.0"]
    )
    base = load_base("new:roberta", recipe, [text])
    task = Pretrain()
    task.check_base(base)
    task.prepare([{"text": text}], base, recipe)
    counts = []
    for seed in range(30):
        drawn = task.draw(task.blocks[0], random.Random(seed))
        labels = drawn["corruption_labels"]
        assert len(labels) == len(drawn["input_ids"])
        # Only the frame and bare white space have no label.
        plain = [
            task.tokenizer.decode([token])
            for token, label in zip(drawn["input_ids"], labels, strict=True)
            if label == IGNORED
        ]
        assert all(not piece.strip() or piece in ("<s>", "</s>") for piece in plain)
        counts.append(sum(label > 0 for label in labels))
    assert max(counts) >= 3  # Many defects a function, not one.
    assert sum(count > 0 for count in counts) >= 25


WRONG = [
    ("objective.objectives=['mlm', 'next']", RecipeError, "choose from mlm, nsp, rtd, corruption"),
    ("objective.objectives=[]", RecipeError, "choose from"),
    ("objective.objectives=['rtd']", RecipeError, "needs mlm"),
    ("objective.objectives=['corruption', 'nsp']", RecipeError, "choose one of the two"),
]


@pytest.mark.parametrize(("change", "kind", "told"), WRONG)
def test_objectives_that_do_not_go_together(change: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        prepared("new:roberta", change)


def test_a_body_without_segments_says_so() -> None:
    with pytest.raises(RecipeError, match=r"objective\.segments = omit"):
        prepared("new:modern", "objective.objectives=['mlm', 'nsp']")


def test_short_texts_have_no_next_segment() -> None:
    recipe = with_overrides(Recipe(), [*SMALL, "objective.objectives=['mlm', 'nsp']"])
    base = load_base("new:roberta", recipe, ["a b"])
    with pytest.raises(DataError, match="too short"):
        Pretrain().prepare([{"text": "a b"}], base, recipe)


def test_the_language_model_is_transformers_own() -> None:
    task, base = prepared("new:roberta", "objective.objectives=['mlm']")
    model = task.build(base, task.recipe, []).eval()
    assert isinstance(model.lm, RobertaForMaskedLM)
    ids = torch.tensor([[0, 9, 8, 2]])
    with torch.inference_mode():
        assert torch.allclose(model("words", model(input_ids=ids)), model.lm(input_ids=ids).logits, atol=1e-6)
