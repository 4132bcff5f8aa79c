"""Makes the trials of a design.

sweeps.py       grid(scenario.sweep, scenario) → [Trial]
comparisons.py  comparison_trials(scenario) → [Trial]
ablations.py    ablation_trials(scenario) → [Trial]
changes.py      scenario_of(scenario, trial) → Scenario: a single run, checked as a whole;
                to_check(trials): those whose stages must be asked before any is run
"""
