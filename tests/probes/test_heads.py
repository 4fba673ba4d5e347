import json
import subprocess
import sys

import pytest
from toy_frames import make_splits

from emobox_hf.errors import InputError
from emobox_hf.probes import HEADS, EmoboxHead, LinearHead, list_jobs, make_head, scale_learning_rate


def test_defaults_are_the_papers():
    settings = EmoboxHead()
    assert (settings.name, settings.hidden_dim, settings.batch_size) == ("emobox", 256, 32)
    assert (settings.epochs, settings.warmup_epochs, settings.learning_rates) == (100, 10, (1e-3, 1e-4))


@pytest.mark.parametrize(
    ("epoch", "scale"), [(0, 1 / 11), (9, 10 / 11), (10, 1.0), (11, 89 / 90), (55, 0.5), (98, 2 / 90), (99, 1 / 90)]
)
def test_learning_rate_by_hand(epoch, scale):
    assert scale_learning_rate(epoch, epochs=100, warmup_epochs=10) == pytest.approx(scale, rel=1e-12)


def test_learning_rate_without_warm_up_starts_in_full():
    assert [scale_learning_rate(epoch, epochs=4, warmup_epochs=0) for epoch in range(4)] == [1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_dim": 0},
        {"epochs": 0},
        {"epochs": 10},
        {"warmup_epochs": -1},
        {"batch_size": 0},
        {"learning_rates": ()},
        {"learning_rates": (1e-3, 0.0)},
        {"learning_rates": (1e-3, 1e-3)},
        {"regularisation": (float("nan"),)},
        {"seeds": ()},
        {"seeds": (1, 1)},
        {"max_iterations": 0},
        {"precision": "float16"},
    ],
)
def test_settings_that_cannot_be_trained_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)) if wrong != {"epochs": 10} else "warmup_epochs"):
        (LinearHead if wrong.keys() & {"regularisation", "max_iterations"} else EmoboxHead)(**wrong)


def test_jobs_are_folds_times_seeds():
    jobs = list_jobs(make_splits(folds=2), EmoboxHead(seeds=(3, 5)).seeds)
    assert [(job.fold, job.seed) for job in jobs] == [("fold1", 3), ("fold1", 5), ("fold2", 3), ("fold2", 5)]
    assert jobs[2].train is not jobs[0].train


def test_the_linear_head_has_one_job_a_fold():
    assert len(list_jobs(make_splits(folds=2), LinearHead().seeds)) == 2


def test_a_head_is_made_by_its_name_with_the_options_that_it_has():
    assert make_head("emobox", seeds=(1, 2), epochs=5) == EmoboxHead(seeds=(1, 2), epochs=5, warmup_epochs=4)
    assert make_head("linear", seeds=(1, 2), epochs=5) == LinearHead(seeds=(1, 2))
    with pytest.raises(InputError, match=r"no head 'liner'; did you mean 'linear'"):
        make_head("liner")
    with pytest.raises(InputError, match=r"no head has an option 'sedes'; did you mean 'seeds'"):
        make_head("linear", sedes=(1,))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_read_from_its_settings(name):
    head = HEADS[name]()
    table = json.loads(json.dumps(head.settings()))
    assert table["head"] == name
    assert HEADS[name].from_settings(table) == head


def test_heads_are_cheap_to_import():
    code = "import sys, emobox_hf.probes.heads; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
