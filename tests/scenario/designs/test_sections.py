"""The sections of designs: which there are, and how their values may be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from designed import VALUES, designed, problems

from guardianflow.contracts.errors import ScenarioError
from scenario import (
    ParameterRange,
    Scenario,
    build_scenario,
    dump_scenario,
    load_scenario,
    parse_scenario,
)
from scenario.designs.metrics import KNOWN, metric_key, usual_direction
from scenario.designs.parameters import paths, resolve, short_names, value_problem


def swept(**fields: object) -> Scenario:
    return designed(sweep={"parameters": {"lr": [0.001, 0.01]}, **fields})


def test_the_section_that_is_there_is_the_design() -> None:
    assert designed().design == "single"
    assert swept().design == "sweep"
    assert swept().to_all_tags("train")["exp.design"] == "sweep"
    assert designed(comparison={"architectures": ["yolo11n", "yolo11s"]}).design == "comparison"
    assert designed(ablation={"components": {"optimizer": ["adamw", "sgd"]}}).design == "ablation"
    once = designed(design="single", sweep={"parameters": {"lr": [0.001, 0.01]}})
    assert once.design == "single"


def test_two_sections_need_a_word_about_which_is_run() -> None:
    both = {
        "sweep": {"parameters": {"lr": [0.001, 0.01]}},
        "comparison": {"architectures": ["yolo11n", "yolo11s"]},
    }
    (said,) = problems(**both)
    assert said.startswith("the scenario has the sections sweep and comparison; keep one of them")
    assert designed(**both, design="comparison").design == "comparison"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lr", "training.learning_rate"),
        ("learning_rate", "training.learning_rate"),
        ("training.learning_rate", "training.learning_rate"),
        ("batch_size", "training.batch_size"),
        ("imgsz", "model.input_size"),
        ("architecture", "model.architecture"),
        ("optimizer", "training.optimizer"),
        ("mosaic", "training.options.mosaic"),
        ("horizontal_flip", "training.options.fliplr"),
        ("options.nbs", "training.options.nbs"),
        ("calibration_method", "quantization.calibration_method"),
        ("precision", "quantization.precision"),  # environment.precision decides nothing
        ("quantization.precision", "quantization.precision"),
        ("conf_threshold", "benchmark.conf_threshold"),
        ("quantization.search.budget_minutes", "quantization.search.budget_minutes"),
    ],
)
def test_a_short_name_is_a_path(name: str, path: str) -> None:
    assert resolve(name) == path


def test_every_path_can_be_given_by_the_names_that_stand_for_it() -> None:
    for name, path in short_names().items():
        assert resolve(name) == resolve(path) == path
    assert "benchmark.batch_sizes" not in paths()  # a list can't be told from a list of choices


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bacth_size", "did you mean 'batch_size'"),
        ("training.epoch", "did you mean 'training.epochs'"),
        ("training.zzzzzz", "'training' has epochs, batch_size"),
        ("zzzzzz", "or the trainer's own option as options.NAME"),
        ("dataset.path", "compared on several data sets with comparison: {datasets"),
        ("name", "it says what is run, not how"),
        ("training.options", "name one of them: options.mosaic"),
    ],
)
def test_a_name_that_stands_for_nothing_says_what_is_near(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"unknown parameter|can't be varied") as caught:
        resolve(name)
    assert said in str(caught.value)


def test_two_names_of_one_field_are_refused() -> None:
    (said,) = problems(sweep={"parameters": {"lr": [0.1, 0.2], "learning_rate": [0.3, 0.4]}})
    assert "'lr' and 'learning_rate' are the same; keep one" in said


def test_a_value_is_tried_against_its_field() -> None:
    assert value_problem("training.epochs", 3) == ""
    said = value_problem("training.epochs", 0)
    assert said == "training.epochs must be a whole number ≥ 1 but got 0"
    assert "nearest is 320 or 352" in value_problem("model.input_size", 321)


def test_a_file_says_where_each_wrong_value_stands(tmp_path: Path) -> None:
    text = dump_scenario(designed()).replace("design: single\n", "")
    text += "sweep:\n  parameters:\n    lr: [0.001, 0]\n    optimizer:\n      - sgd\n      - agd\n"
    start = text.splitlines().index("sweep:") + 1
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    first, second = caught.value.problems
    assert first.where == f"s.yaml:{start + 2}:17"
    assert first.message == (
        "sweep.parameters.lr: training.learning_rate must be a number > 0 but got 0"
    )
    assert second.where == f"s.yaml:{start + 5}:9"
    assert "did you mean 'sgd'?" in second.message


def test_ranges_are_whole_where_their_field_is() -> None:
    made = designed(
        sweep={
            "strategy": "random",
            "parameters": {
                "epochs": {"low": 2, "high": 6},
                "imgsz": {"low": 320, "high": 416, "step": 32},
                "lr": {"low": 1e-4, "high": 0.1, "log": True},
                "mosaic": {"low": 0, "high": 1},
                "options.own": {"low": 0, "high": 1},
            },
        }
    )
    assert made.sweep is not None
    found = made.sweep.parameters
    whole = {path: each.whole for path, each in found.items() if isinstance(each, ParameterRange)}
    assert whole == {
        "training.epochs": True,
        "model.input_size": True,
        "training.learning_rate": False,
        "training.options.mosaic": False,
        "training.options.own": True,
    }
    sizes, epochs, rates = (
        found[path] for path in ("model.input_size", "training.epochs", "training.learning_rate")
    )
    assert isinstance(sizes, ParameterRange)
    assert isinstance(epochs, ParameterRange)
    assert isinstance(rates, ParameterRange)
    assert sizes.steps == (320, 352, 384, 416)
    assert epochs.steps == (2, 3, 4, 5, 6)
    assert rates.steps == ()
    assert ParameterRange(low=0.1, high=0.4, step=0.1).steps == (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 3, "high": 1}, "low must be below high but got 3 and 1"),
        ({"low": 0.0, "high": 0.1, "log": True}, "low must be above 0 where log is true"),
        ({"low": 0.1, "high": 0.2, "step": 0}, "step must be above 0 and at most high - low"),
        ({"low": 0.1, "high": 0.2, "step": 1e-9}, "more than 10000 values"),
        ({"low": 0.1, "high": 0.2, "step": 0.1, "log": True}, "log and step can't both be given"),
        ({"low": 0.1}, "'high' is missing in 'sweep.parameters.lr'"),
        ({"low": 0.1, "hihg": 1}, "did you mean 'high'?"),
        ({"low": "a", "high": 1}, 'sweep.parameters.lr.low must be a number but got "a"'),
        ([], "it is empty"),
        ([0.1, 0.1], "0.1 is there twice"),
        ([[0.1]], "must be text, a number, true, false or nothing but got [0.1]"),
        (0.1, "must be a list like [0.001, 0.01], or a range like"),
    ],
)
def test_values_that_are_no_choices_and_no_range(given: object, said: str) -> None:
    found = problems(sweep={"parameters": {"lr": given}, "strategy": "random"})
    assert any(said in each for each in found), found


def test_a_range_of_sizes_without_a_step_is_refused() -> None:
    sweep = {"parameters": {"imgsz": {"low": 320, "high": 640}}, "strategy": "random"}
    (said,) = problems(sweep=sweep)
    assert "must be a multiple of 32 (pixels) but got 321" in said


def test_a_metric_has_one_name_and_a_usual_direction() -> None:
    assert metric_key("mAP50") == metric_key("det.mAP50") == "det.mAP50"
    assert metric_key("latency") == "sys.inference_time_p50_ms"
    assert metric_key("det.ap.helmet") == "det.ap.helmet"
    assert metric_key("own.figure") == "own.figure"
    assert swept(metric=["mAP50", "latency"]).sweep.directions == ("maximize", "minimize")  # type: ignore[union-attr]
    assert swept(metric="latency", direction="maximise").sweep.directions == ("maximize",)  # type: ignore[union-attr]
    less = {key for key in KNOWN.values() if usual_direction(key) == "minimize"}
    assert less == {
        *(f"det.{each}_loss" for each in ("box", "cls", "dfl")), "mot.id_switches",
        *(f"sys.inference_time{each}_ms" for each in ("", "_p50", "_p95", "_p99")),
        "sys.preprocessing_time_ms", "sys.postprocessing_time_ms",
        *(f"sys.{each}_memory_{of}_mb" for each, of in
          (("gpu", "used"), ("gpu", "peak"), ("cpu", "used"))),
        "sys.model_size_mb", "sys.model_params_m", "sys.model_flops_g", "alarm.missed",
        "alarm.false_per_camera_day", "alarm.delay_p50_s", "alarm.delay_p95_s",
        "comparison.accuracy_drop_mAP50", "comparison.accuracy_drop_mAP50_95",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metric": "map50"}, "there is no metric 'map50'; did you mean 'mAP50'?"),
        ({"metric": "det.mAP55"}, "did you mean 'det.mAP50'?"),
        ({"metric": []}, "it is empty"),
        ({"direction": ["minimize", "minimize"]}, "sweep.direction has 2 but sweep.metric has 1"),
        ({"direction": "up"}, "sweep.direction.0 must be one of maximize, minimize but got"),
        ({"strategy": "bayes"}, "did you mean 'bayesian'?"),
        ({"max_runs": 0}, "sweep.max_runs must be a whole number ≥ 1 but got 0"),
        ({"repeat": 2}, "unknown key 'repeat' in 'sweep'; did you mean 'repeats'?"),
        ({"pruning": True, "metric": "latency"}, "which don't report sys.inference_time_p50_ms"),
        ({"pruning": True, "metric": ["mAP50", "fps"]}, "sweep.pruning needs one metric"),
    ],
)
def test_fields_of_a_sweep_say_what_they_must_be(fields: dict[str, object], said: str) -> None:
    found = problems(sweep={"parameters": {"lr": [0.001, 0.01]}, **fields})
    assert any(said in each for each in found), found


def test_a_design_from_python_is_that_of_a_file(tmp_path: Path) -> None:
    base = designed()
    made = base.with_sweep({"learning_rate": [0.001, 0.01]}, strategy="random", max_runs=2)
    assert (made.design, type(made)) == ("sweep", type(base))
    assert made.sweep is not None
    assert made.sweep.parameters == {"training.learning_rate": (0.001, 0.01)}
    compared = base.with_comparison(models=["yolov11n", "yolo11s"])
    assert compared.comparison is not None
    assert compared.comparison.architectures == ("yolo11n", "yolo11s")
    assert (compared.comparison.of, compared.comparison.variable) == (
        "architectures",
        "architecture",
    )
    taken = made.with_ablation({"augmentation": [True, False]})
    assert (taken.design, taken.sweep) == ("ablation", None)
    for each in (made, compared, taken):
        file = tmp_path / "made.yaml"
        file.write_text(dump_scenario(each), encoding="utf-8")
        assert load_scenario(file) == each
        assert each.as_single().design == "single"
        assert each.as_single().to_all_tags()["exp.design"] == "single"
    with pytest.raises(ScenarioError, match=r"did you mean 'lr'"):
        base.with_sweep({"lrr": [0.1, 0.2]})
    with pytest.raises(ScenarioError, match="names nothing to compare"):
        base.with_comparison()


def test_overrides_reach_into_designs() -> None:
    made = build_scenario(
        VALUES,
        overrides=["sweep.parameters.training.epochs=[1, 2]", "sweep.parameters.lr=[0.1, 0.2]"],
    )
    assert made.sweep is not None
    assert made.sweep.parameters == {
        "training.epochs": (1, 2),
        "training.learning_rate": (0.1, 0.2),
    }
