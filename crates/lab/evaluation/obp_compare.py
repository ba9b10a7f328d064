#!/usr/bin/env python3
"""Does `nearline-lab evaluate policy` agree with the Open Bandit Pipeline (obp) on the same data?

The data are the sample of the Open Bandit Dataset that obp ships: 10,000 recommendations of a fashion
store, logged under a uniform policy. Two policies are evaluated on them: Bernoulli Thompson sampling as
the store ran it (stochastic), and always the item that it favours in a position (deterministic, for the
replay method). Rewards are modelled once, by obp's RegressionModel; both sides get its predictions.

    pip install 'numpy<2' 'pandas<2.2' 'scikit-learn<1.4' 'scipy<1.12' pyyaml tqdm
    pip install --no-deps --ignore-requires-python obp==0.5.5
    cargo build --release -p nearline-lab
    python crates/lab/evaluation/obp_compare.py --lab target/release/nearline-lab

obp declares Python below 3.10, and imports torch, matplotlib and seaborn, for policies and charts that
are not used here; where they are not installed, empty modules stand in for them.

--fixture DIRECTORY writes the small log and expected numbers that crates/lab/tests/off_policy.rs reads.
Open Bandit Dataset: Yuta Saito, Shunsuke Aihara, Megumi Matsutani, Yusuke Narita; CC BY 4.0; https://research.zozo.com/data.html
"""

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import types

TOLERANCE = 1e-6
SEED = 12345


class Absent(type):
    """A class of which every attribute is an empty class, too."""

    def __getattr__(cls, attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return Absent(attribute, (), {})


def stand_in(name):
    """An empty module whose attributes are empty classes, unless the real one is there."""
    try:
        importlib.import_module(name)
        return
    except ImportError:
        pass
    module = types.ModuleType(name)
    module.__path__ = []
    module.__getattr__ = lambda attribute: Absent(attribute, (), {})
    sys.modules[name] = module


for absent in [
    "torch", "torch.nn", "torch.nn.functional", "torch.optim",
    "matplotlib", "matplotlib.pyplot", "seaborn",
]:
    stand_in(absent)

import numpy as np  # noqa: E402
from obp.dataset import OpenBanditDataset  # noqa: E402
from obp.ope import (  # noqa: E402
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    RegressionModel,
    ReplayMethod,
    SelfNormalizedInverseProbabilityWeighting,
)
from obp.policy import BernoulliTS  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

ESTIMATORS = {
    "replay": ReplayMethod(),
    "ips": InverseProbabilityWeighting(),
    "snips": SelfNormalizedInverseProbabilityWeighting(),
    "dm": DirectMethod(),
    "dr": DoublyRobust(),
}


def load(campaign):
    """The logged feedback, and the reward model's predictions for every action."""
    feedback = OpenBanditDataset(behavior_policy="random", campaign=campaign).obtain_batch_bandit_feedback()
    model = RegressionModel(
        n_actions=feedback["n_actions"],
        len_list=3,
        action_context=feedback["action_context"],
        base_model=LogisticRegression(C=0.1, max_iter=2000, random_state=SEED),
    )
    predicted = model.fit_predict(
        context=feedback["context"],
        action=feedback["action"],
        reward=feedback["reward"],
        pscore=feedback["pscore"],
        position=feedback["position"],
        n_folds=3,
        random_state=SEED,
    )
    return feedback, predicted


def policies(feedback, campaign):
    """Distributions over actions by position, (actions, positions): the same in every round."""
    sampling = BernoulliTS(
        n_actions=feedback["n_actions"], len_list=3, is_zozotown_prior=True, campaign=campaign, random_state=SEED
    )
    stochastic = sampling.compute_batch_action_dist(n_sim=20_000, n_rounds=1)[0]
    favourite = np.zeros_like(stochastic)
    for position in range(3):
        favourite[stochastic[:, position].argmax(), position] = 1.0
    return {"bernoulli_ts": stochastic, "favourite": favourite}


def take(feedback, predicted, rows, digits):
    """Some rows, as obp wants them; predictions at the row's own position, rounded to `digits`."""
    position = feedback["position"][rows]
    at_position = predicted[rows, :, position]
    if digits:
        at_position = at_position.round(digits)
    everywhere = np.repeat(at_position[:, :, None], 3, axis=2)
    return {
        "action": feedback["action"][rows],
        "reward": feedback["reward"][rows],
        "pscore": feedback["pscore"][rows],
        "position": position,
        "estimated_rewards_by_reg_model": everywhere,
    }


def by_obp(data, distribution, resamples):
    """obp's values and bootstrap intervals."""
    rounds = len(data["reward"])
    given = dict(data, action_dist=np.repeat(distribution[None], rounds, axis=0))
    found = {}
    for name, estimator in ESTIMATORS.items():
        interval = estimator.estimate_interval(
            **given, alpha=0.05, n_bootstrap_samples=resamples, random_state=SEED
        )
        ends = [value for key, value in interval.items() if "CI" in key]
        value = estimator.estimate_policy_value(**given)
        found[name] = {"value": float(value), "low": float(min(ends)), "high": float(max(ends))}
    return found


def export(data, distribution, path):
    """The same as NDJSON. What many rows share is defined once."""
    defined = {}
    with open(path, "w") as out:

        def named(prefix, values):
            key = tuple(values.tolist())
            if key not in defined:
                defined[key] = f"{prefix}{len(defined)}"
                out.write(json.dumps({"define": defined[key], "values": list(key)}, separators=(",", ":")) + "\n")
            return defined[key]

        for row in range(len(data["reward"])):
            position = int(data["position"][row])
            policy = named("p", distribution[:, position])
            model = named("q", data["estimated_rewards_by_reg_model"][row, :, position])
            decision = {
                "action": int(data["action"][row]),
                "position": position,
                "reward": int(data["reward"][row]),
                "propensity": float(data["pscore"][row]),
                "policy": policy,
                "reward_model": model,
            }
            out.write(json.dumps(decision, separators=(",", ":")) + "\n")


def by_nearline(lab, path, resamples):
    """Nearline's values and bootstrap intervals."""
    command = [lab, "evaluate", "policy", path, "--json", "--resamples", resamples, "--seed", SEED]
    printed = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    (policy,) = json.loads(printed.stdout)["policies"]
    return {
        estimate["estimator"]: {"value": estimate["value"], **estimate["bootstrap"]}
        for estimate in policy["estimates"]
    }


def compare(lab, campaigns, resamples):
    """Prints both sides for every campaign, policy and estimator; the largest difference is the answer."""
    worst = 0.0
    print(f"{'campaign':9} {'policy':13} {'estimator':9} {'obp':>12} {'nearline':>12} {'difference':>11}   95 % of both")
    for campaign in campaigns:
        feedback, predicted = load(campaign)
        data = take(feedback, predicted, np.arange(len(feedback["reward"])), digits=None)
        for policy, distribution in policies(feedback, campaign).items():
            expected = by_obp(data, distribution, resamples)
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / "log.ndjson"
                export(data, distribution, path)
                found = by_nearline(lab, path, resamples)
            for name, theirs in expected.items():
                ours = found[name]
                difference = max(abs(ours[key] - theirs[key]) for key in ("value", "low", "high"))
                worst = max(worst, difference)
                print(
                    f"{campaign:9} {policy:13} {name:9} {theirs['value']:12.8f} {ours['value']:12.8f} "
                    f"{difference:11.2e}   {ours['low']:.6f} to {ours['high']:.6f}"
                )
    print(f"largest difference of a value or an end of an interval: {worst:.2e} (allowed: {TOLERANCE:.0e})")
    return worst <= TOLERANCE


def write_fixture(directory):
    """Every click and every tenth other row of the men's sample: small, with enough rewards to differ."""
    feedback, predicted = load("men")
    clicked = np.flatnonzero(feedback["reward"] == 1)
    others = np.flatnonzero(feedback["reward"] == 0)[::10]
    data = take(feedback, predicted, np.sort(np.concatenate([clicked, others])), digits=5)
    directory.mkdir(parents=True, exist_ok=True)
    resamples = 200
    expected = {"resamples": resamples, "seed": SEED, "rounds": len(data["reward"]), "policies": {}}
    for policy, distribution in policies(feedback, "men").items():
        export(data, distribution, directory / f"{policy}.ndjson")
        expected["policies"][policy] = by_obp(data, distribution, resamples)
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lab", default="target/release/nearline-lab")
    arguments.add_argument("--campaigns", nargs="+", default=["all", "men", "women"])
    arguments.add_argument("--resamples", type=int, default=1000)
    arguments.add_argument("--fixture", type=pathlib.Path)
    arguments = arguments.parse_args()
    if arguments.fixture:
        return write_fixture(arguments.fixture)
    sys.exit(0 if compare(arguments.lab, arguments.campaigns, arguments.resamples) else 1)


if __name__ == "__main__":
    main()
