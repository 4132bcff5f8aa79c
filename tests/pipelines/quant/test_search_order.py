"""The search for a recipe, on made-up networks whose every recipe's cost is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.quantisation import Distillation, Recipe, Training
from guardianflow.contracts.results import RunRecord
from pipelines.quant.activation_order import ActivationOrder, Measured, Step
from pipelines.quant.search_order import BEHIND, RecipeSearch
from pipelines.quant.trial import Trial
from scenario import SearchParams

LIMITS = SearchParams(max_drop_mAP50_95=0.01, max_drop_mAP50=0.01)


exactly = Estimate.exactly


def tried(recipe, drops, class_recall, relative_latency, size_mb, throughput=None, limits=LIMITS):
    cost = {"relative_latency": relative_latency, "size_mb": size_mb}
    made = Trial(
        recipe, drops=drops, class_recall=class_recall, relative_throughput=throughput, **cost
    )
    return made.judged(limits)


class Network:
    """Each quantised group costs accuracy and saves time; a bad calibration costs more."""

    def __init__(self, harms, minutes=10**6, method_harm=(), crashes=()):
        self.harms = harms
        self.ranking = sorted(harms, key=harms.get, reverse=True)
        self.left = minutes
        self.method_harm, self.crashes = dict(method_harm), set(crashes)
        self.tried = []

    def attempt(self, recipe):
        assert recipe not in self.tried, "a try takes minutes: never twice"
        self.tried.append(recipe)
        self.left -= 1
        if recipe is None:
            return tried(None, {k: exactly(0) for k in ("mAP50", "mAP50_95")}, {}, 0.9, 5)
        quantised = [name for name in self.harms if name not in recipe.float_groups]
        drop = sum(self.harms[name] for name in quantised)
        drop += self.method_harm.get(recipe.calibration_method, 0)
        faster = 0.05 if recipe.preset == "performance" else 0
        latency = 1 - 0.5 * len(quantised) / len(self.harms) - faster
        drops = {"mAP50": exactly(drop / 2), "mAP50_95": exactly(drop)}
        return tried(recipe, drops, {}, latency, latency * 4)

    def search(self, **options):
        return RecipeSearch(self.ranking, self.attempt, lambda: self.left > 0, **options).run()


def test_a_network_that_quantises_well_is_quantised_whole():
    network = Network({"heads": 0.001, "part 1": 0.002, "part 2": 0.0005, "attention": 0.001})
    result = network.search()
    assert result.best.recipe == Recipe(preset="performance")
    assert [len(r.float_groups) for r in network.tried] == [2, 0, 0]  # safest, boldest, cheaper
    assert result.ended == "nothing more to try"


def test_only_what_harms_stays_float():
    harms = {f"part {i}": 0.0005 for i in range(7)} | {"heads": 0.05}
    result = Network(harms).search()
    assert result.best.recipe.float_groups == ("heads",)


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, 30).map(str), st.floats(0, 0.02), min_size=1, max_size=12),
)
def test_the_fewest_groups_that_will_do_stay_float(harms):
    network = Network(harms)
    result = network.search(presets=(), methods=())
    needed = next(
        count
        for count in range(len(harms) + 1)
        if sum(network.harms[g] for g in network.ranking[count:]) <= 0.01
    )
    if needed == len(harms):  # not even one group may be quantised
        assert result.best.recipe is None
        return
    assert len(result.best.recipe.float_groups) == needed
    assert set(result.best.recipe.float_groups) == set(network.ranking[:needed])
    assert len(network.tried) <= 8
    assert all(each.accepted == (each.drop <= 0.01) for each in result.trials)


def test_a_bad_calibration_is_replaced_by_another():
    harms = {f"part {i}": 0.001 for i in range(4)}
    result = Network(harms, method_harm={"entropy": 0.5}).search()
    assert result.best.recipe.calibration_method == "percentile"
    rejected = [each for each in result.trials if not each.accepted]
    assert {each.recipe.calibration_method for each in rejected} == {"entropy"}


def test_float16_is_what_remains_and_the_reasons_are_told():
    result = Network({"a": 0.5, "b": 0.5}).search()
    assert result.best.recipe is None
    assert result.best.label == "float16"
    assert "mAP50_95 drops by 0.5" in next(each.reason for each in result.trials)


def test_the_budget_ends_the_search_with_the_best_so_far():
    harms = {f"part {i}": 0.002 for i in range(16)}
    result = Network(harms, minutes=2).search()
    assert result.ended == "the time budget is used up"
    assert len(result.trials) <= 3
    nothing = Network({"a": 0.5, "b": 0.5}, minutes=1).search()
    assert nothing.best.recipe is None
    assert nothing.ended == "the time budget is used up"


def test_the_objective_chooses_among_those_accepted():
    def attempt(recipe):
        size = 2.0 if recipe.preset == "mixed" else 3.0
        latency = 0.6 if recipe.preset == "mixed" else 0.5
        drops = {"mAP50": exactly(0), "mAP50_95": exactly(0)}
        return tried(recipe, drops, {}, latency, size, 2.0 - latency)

    def best(objective):
        return RecipeSearch(["a"], attempt, lambda: True, objective).run().best.recipe.preset

    assert [best(o) for o in ("latency_p50", "throughput", "size")] == [
        "performance",
        "performance",
        "mixed",
    ]


def test_a_drop_is_judged_by_what_was_measured_and_said_to_be_unsure():
    drops = {"mAP50": exactly(0.0), "mAP50_95": Estimate(0.008, -0.01, 0.03)}
    passed = tried(Recipe(), drops, {"helmet": 0.95}, 0.5, 3.0)
    assert passed.accepted
    assert not passed.certain
    assert "not certain" in passed.reason
    bare = tried(Recipe(), {"mAP50": exactly(0.0), "mAP50_95": exactly(0.0)}, {}, 0.5, 3.0)
    assert bare.accepted and not bare.certain  # no interval is no certainty
    strict = LIMITS.model_copy(update={"min_class_recall": 0.97})
    refused = tried(Recipe(), drops, {"helmet": 0.95}, 0.5, 3.0, limits=strict)
    assert not refused.accepted
    assert "recall of helmet is 0.950, 0.97 is wanted" in refused.reason
    many = {f"class {n}": n / 100 for n in range(80)}
    told = tried(Recipe(), drops, many, 0.5, 3.0, limits=strict).reason
    assert told.startswith("recall of class 0 is 0.000")
    assert "class 3" not in told
    assert "of 77 more classes" in told


class Trainable(Network):
    """A network that training on makes less sensitive, by a factor; or that can't be trained."""

    def __init__(self, harms, heals, **given):
        super().__init__(harms, **given)
        self.heals = heals

    def attempt(self, recipe):
        if recipe is None or recipe.training is None:
            return super().attempt(recipe)
        if self.heals is None:
            self.tried.append(recipe)
            return Trial(recipe, reason="training would take about 90 minutes")
        sick, self.harms = self.harms, {k: v * self.heals for k, v in self.harms.items()}
        try:
            return super().attempt(recipe)
        finally:
            self.harms = sick


HARMS = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.2}
TRAINING = Training(epochs=2)
DISTILLATION = Distillation(minutes=3)


def test_where_no_calibration_will_do_the_network_is_trained_before_float16_is_taken():
    network = Trainable(HARMS, heals=0.001)
    result = network.search(training=TRAINING)
    assert result.best.recipe.training == TRAINING
    assert result.best.recipe.float_groups == ()
    assert None not in network.tried
    kinds = ["qat" if r.training else "static" for r in network.tried]
    assert kinds == ["static"] * (len(kinds) - 1) + ["qat"]
    assert "trained 2 epochs" in result.best.label


def test_training_leaves_half_float_where_that_is_needed_and_float16_comes_last():
    half = Trainable(HARMS, heals=0.015).search(training=TRAINING)
    assert half.best.recipe.training == TRAINING
    assert half.best.recipe.float_groups == ("a", "b")
    hopeless = Trainable(HARMS, heals=1.0)
    result = hopeless.search(training=TRAINING)
    assert result.best.recipe is None
    assert [bool(r and r.training) for r in hopeless.tried][-3:] == [True, True, False]


def test_training_is_not_tried_where_it_is_not_needed_not_allowed_or_has_no_time():
    fine = Trainable(dict.fromkeys(HARMS, 0.001), heals=0.001)
    assert fine.search(training=TRAINING).best.recipe.training is None
    assert not any(recipe.training for recipe in fine.tried)
    forbidden = Trainable(HARMS, heals=0.001)
    assert forbidden.search().best.recipe is None
    slow = Trainable(HARMS, heals=None)
    result = slow.search(training=TRAINING)
    assert result.best.recipe is None
    assert sum(bool(recipe and recipe.training) for recipe in slow.tried) == 1
    short = Trainable(HARMS, heals=0.001, minutes=2)
    assert short.search(training=TRAINING).best.recipe is None
    assert not any(recipe and recipe.training for recipe in short.tried)


def test_training_starts_from_the_calibration_that_came_closest():
    network = Trainable(HARMS, heals=0.001, method_harm={"entropy": 0.5, "minmax": 0.001})
    result = network.search(training=TRAINING)
    assert result.best.recipe.calibration_method == "percentile"


def test_a_trial_is_read_back_from_what_its_run_logged():
    drops = {"mAP50": Estimate(0.001, -0.002, 0.004), "mAP50_95": Estimate(0.008, -0.01, 0.03)}
    made = tried(Recipe(), drops, {"helmet": 0.95}, 0.5, 3.0, throughput=1.7)
    metrics = {**made.as_metrics(), "det.recall.helmet": 0.95, "det.recall": 0.95}
    run = RunRecord("r1", "e", "try", "FINISHED", 0, 1, {}, {}, metrics)
    assert Trial.of_run(Recipe(), run).judged(LIMITS) == replace(made, run_id="r1")
    without = {key: value for key, value in metrics.items() if not key.endswith(("_low", "_high"))}
    again = Trial.of_run(Recipe(), replace(run, metrics=without))
    assert again.drops["mAP50"] == Estimate.exactly(0.001)


def test_where_a_try_has_no_time_the_smallest_files_are_taken_and_that_is_said():
    network = Network({"heads": 0.001, "part 1": 0.002, "part 2": 0.0005, "attention": 0.001})
    attempt = network.attempt

    def untimed(recipe):
        made = attempt(recipe)
        few = recipe is not None and not recipe.float_groups
        # The one with the fewest layers float is the fastest, and was not timed.
        return replace(made, relative_latency=None) if few else made

    network.attempt = untimed
    result = network.search()
    assert (result.chosen_by, result.best.recipe.float_groups) == ("size", ())
    network.left, network.tried = 10**6, []
    network.attempt = attempt
    assert network.search().chosen_by == "latency_p50"


def test_a_try_without_its_time_is_kept_and_read_without_it():
    drops = {"mAP50": exactly(0.0), "mAP50_95": exactly(0.004)}
    made = tried(Recipe(), drops, {"helmet": 0.9}, None, 3.0)
    assert made.accepted
    metrics = made.as_metrics() | {"det.recall.helmet": 0.9}
    assert not [key for key in metrics if "latency" in key or "throughput" in key]
    run = RunRecord("r1", "e", "n", "FINISHED", 0, 1, {}, {}, metrics)
    again = Trial.of_run(Recipe(), run)
    assert again.relative_latency is again.latency_bounds is again.relative_throughput is None
    assert again.judged(LIMITS).accepted


def test_a_row_says_nothing_of_what_was_not_measured():
    refused = Trial(None, reason="it could not be made or run: no space", run_id="r2")
    assert refused.to_row() == {
        "label": "float16",
        "accepted": False,
        "certain": True,
        "reason": "it could not be made or run: no space",
        "run_id": "r2",
    }
    drops = {"mAP50": exactly(0.0), "mAP50_95": exactly(0.004)}
    row = tried(Recipe(float_groups=("a",)), drops, {"helmet": 0.9}, 0.5, 3.0).to_row()
    assert list(row)[-3:] == ["drops", "relative_latency", "size_mb"]
    assert row["drops"]["mAP50_95"] == {"value": 0.004, "low": 0.004, "high": 0.004}


def steps_of(names):
    return tuple(Step(name, "hardswish") for name in names)


class WithActivations(Network):
    """Changing activations saves time and costs accuracy beside what quantising does."""

    def __init__(self, costs, **options):
        super().__init__({f"part {i}": 0.0005 for i in range(4)}, **options)
        self.costs, self.asked, self.regained = costs, 0, 0.0
        self.costs_further = {}

    def order(self):
        self.asked += 1
        return ActivationOrder.of(
            "hardswish",
            {Step(name, "hardswish"): Measured(cost, 0.05) for name, cost in self.costs.items()},
        )

    def attempt(self, recipe):
        plain = super().attempt(recipe)
        change = recipe.activations if recipe else None
        if change is None:
            return plain
        drop = plain.drop + sum(
            (self.costs if kind == "hardswish" else self.costs_further)[name]
            for name, kind in change.kinds
        )
        drop -= self.regained if change.distillation else 0
        drops = {"mAP50": exactly(drop / 2), "mAP50_95": exactly(drop)}
        further = sum(kind != "hardswish" for _, kind in change.kinds)
        latency = plain.relative_latency - 0.05 * len(change.groups) - 0.01 * further
        return tried(recipe, drops, {}, latency, plain.size_mb)

    def activations_of(self, trials):
        changes = [each.recipe.activations for each in trials if each.recipe]
        return [len(change.groups) if change else 0 for change in changes]

    def search(self, **options):
        return super().search(order_activations=self.order, **options)


def test_cheaper_activations_are_not_looked_at_where_they_are_not_allowed():
    network = WithActivations({"a": 0.001})
    result = Network.search(network)
    assert network.asked == 0
    assert set(network.activations_of(result.trials)) == {0}


def test_all_activations_are_changed_where_the_limits_allow_it():
    network = WithActivations(dict.fromkeys("abcd", 0.001))
    result = network.search()
    assert network.activations_of(result.trials) == [0, 0, 4, 4]  # and the other preset with them
    assert result.best.recipe.activations.groups == ("a", "b", "c", "d")
    assert "hardswish in 4 groups" in result.best.label


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.0001, 0.02), min_size=1))
def test_as_many_activations_are_changed_as_the_limits_allow_in_the_order_of_worth(costs):
    network = WithActivations(costs)
    result = network.search(presets=())
    ranking = sorted(costs, key=costs.get)
    fits = max(
        count
        for count in range(len(costs) + 1)
        if 0.002 + sum(costs[name] for name in ranking[:count]) <= 0.01
    )
    change = result.best.recipe.activations
    assert (change.groups if change else ()) == tuple(sorted(ranking[:fits]))
    assert len(network.tried) <= 2 + 1 + 3 + BEHIND


def test_a_group_that_costs_more_than_it_seemed_to_stands_in_no_other_one_s_way():
    network = WithActivations({"a": 0.003, "b": 0.02, "c": 0.002, "d": 0.002, "e": 0.01})
    network.order = lambda: ActivationOrder(steps_of("abcde"))
    result = network.search(presets=())
    assert result.best.recipe.activations.groups == ("a", "c", "d")


def test_then_groups_go_further_to_a_kind_that_saves_more_one_by_one():
    """Of a group that was too much for the first kind as well: the second may cost less."""
    costs = {"a": 0.002, "b": 0.02, "c": 0.002}
    network = WithActivations(costs)
    network.costs_further = {"a": 0.004, "b": 0.001, "c": 0.004}
    further = tuple(Step(name, "relu") for name in "cba")
    network.order = lambda: ActivationOrder(steps_of("abc"), further)
    result = network.search(presets=())
    kinds = (("a", "hardswish"), ("b", "relu"), ("c", "relu"))
    assert result.best.recipe.activations.kinds == kinds


def test_what_changed_activations_lost_may_be_trained_back():
    network = WithActivations(dict.fromkeys("abcd", 0.004))
    network.regained = 0.012
    result = network.search(presets=(), distillation=DISTILLATION)
    assert network.activations_of(result.trials) == [0, 0, 4, 2, 3, 3, 4]
    assert result.best.recipe.activations.groups == ("a", "b", "c", "d")
    assert result.best.recipe.activations.distillation == DISTILLATION
    assert result.best.label.endswith("hardswish in 4 groups trained on")


def test_training_on_begins_with_the_groups_that_pass_untrained():
    network = WithActivations({"a": 0.003, "b": 0.02, "c": 0.002, "d": 0.002, "e": 0.011})
    network.order = lambda: ActivationOrder(steps_of("aebcd"))
    network.regained = 0.012
    result = network.search(presets=(), distillation=DISTILLATION)
    trained = [
        each.recipe.activations.groups
        for each in result.trials
        if each.recipe.activations and each.recipe.activations.distillation
    ]
    assert trained == [("a", "b", "c", "d", "e"), ("a", "c", "d", "e")]
    assert result.best.recipe.activations.groups == ("a", "c", "d", "e")


def test_training_on_that_failed_once_is_not_tried_again():
    network = WithActivations(dict.fromkeys("abcd", 0.004))
    attempt = network.attempt

    def failing(recipe):
        made = attempt(recipe)
        trained = recipe.activations and recipe.activations.distillation
        return Trial(recipe, reason="not confirmed by held-out images") if trained else made

    network.attempt = failing
    result = network.search(presets=(), distillation=DISTILLATION)
    assert sum(not each.is_measured for each in result.trials) == 1
    assert result.best.recipe.activations.groups == ("a", "b")
    assert result.best.recipe.activations.distillation is None


@pytest.mark.parametrize(("regained", "changed"), [(0.0, 2), (0.006, 3)])
def test_where_training_on_does_not_make_up_for_all_it_goes_on_from_what_passed_without(
    regained, changed
):
    network = WithActivations(dict.fromkeys("abcd", 0.004))
    network.regained = regained
    result = network.search(distillation=DISTILLATION)
    best = result.best.recipe.activations
    assert len(best.groups) == changed
    assert (best.distillation is not None) == (changed > 2)
    last = result.trials[-1].recipe  # the other preset comes with the same network
    assert last.preset == "performance" and last.activations == best


def test_activations_are_not_measured_once_the_budget_is_used_up():
    network = WithActivations({"a": 0.001}, minutes=2)
    result = network.search()
    assert network.asked == 0
    assert result.ended == "the time budget is used up"
    assert result.best.recipe == Recipe()


def test_a_network_that_does_not_quantise_is_not_given_other_activations():
    network = WithActivations({"a": 0.001}, method_harm={"entropy": 0.5})
    network.search(methods=())
    assert network.asked == 0
