//! Off-line policy evaluation: estimators against values known from how the log was made.

use nearline_lab::off_policy::{Estimator, OffPolicyError, Options, Prediction, Round, evaluate};

/// A number in [0, 1) that looks random: splitmix64.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

const RATES: [[f64; 3]; 2] = [[0.05, 0.10, 0.30], [0.20, 0.10, 0.05]];
const LOGGING: [[f64; 3]; 2] = [[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]];
const POLICY: [[f64; 3]; 2] = [[0.1, 0.1, 0.8], [0.7, 0.2, 0.1]];

fn value_of(policy: &[[f64; 3]; 2], rates: &[[f64; 3]; 2]) -> f64 {
    (0..2).map(|context| (0..3).map(|a| policy[context][a] * rates[context][a]).sum::<f64>() / 2.0).sum()
}

/// A log of the logging policy; the model of rewards is off by `bias`.
fn log(rounds: usize, seed: u64, bias: f64) -> Vec<Round> {
    let mut state = seed;
    (0..rounds)
        .map(|_| {
            let context = usize::from(uniform(&mut state) < 0.5);
            let mut left = uniform(&mut state);
            let action = (0..3)
                .find(|action| {
                    left -= LOGGING[context][*action];
                    left < 0.0
                })
                .unwrap_or(2);
            let reward = f64::from(u8::from(uniform(&mut state) < RATES[context][action]));
            let model = |action: usize| RATES[context][action] + bias;
            Round {
                reward,
                propensity: LOGGING[context][action],
                policy: POLICY[context][action],
                prediction: Some(Prediction {
                    logged: model(action),
                    policy: (0..3).map(|action| POLICY[context][action] * model(action)).sum(),
                }),
            }
        })
        .collect()
}

fn options() -> Options {
    Options { resamples: 200, ..Options::default() }
}

#[test]
fn weighted_estimators_find_the_value_of_the_policy() {
    let truth = value_of(&POLICY, &RATES);
    let evaluation = evaluate(&log(60_000, 1, 0.0), &options()).expect("valid");
    for estimator in [Estimator::Ips, Estimator::Snips, Estimator::Dm, Estimator::Dr] {
        let estimate = evaluation.estimate(estimator).expect("computed");
        assert!((estimate.value - truth).abs() < 0.01, "{estimate:?} but the truth is {truth}");
    }
    assert!((evaluation.diagnostics.mean_weight - 1.0).abs() < 0.02);
    assert!((evaluation.diagnostics.logged_value - value_of(&LOGGING, &RATES)).abs() < 0.01);
}

#[test]
fn a_wrong_model_misleads_the_direct_method_but_not_the_doubly_robust() {
    let truth = value_of(&POLICY, &RATES);
    let evaluation = evaluate(&log(60_000, 2, 0.2), &options()).expect("valid");
    let value = |estimator| evaluation.estimate(estimator).expect("computed").value;
    assert!((value(Estimator::Dm) - truth - 0.2).abs() < 0.01);
    assert!((value(Estimator::Dr) - truth).abs() < 0.015);
}

#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let truth = value_of(&POLICY, &RATES);
    let (mut bootstrap, mut normal) = ([0; 5], [0; 5]);
    const LOGS: usize = 200;
    for seed in 0..LOGS {
        let evaluation = evaluate(&log(1_000, 1_000 + seed as u64, 0.0), &options()).expect("valid");
        for (column, estimate) in evaluation.estimates.iter().enumerate() {
            let holds = |low: f64, high: f64| usize::from(low <= truth && truth <= high);
            bootstrap[column] += holds(estimate.bootstrap.low, estimate.bootstrap.high);
            normal[column] += holds(estimate.normal.low, estimate.normal.high);
        }
    }
    // Of 200, 190 are expected; five standard deviations below are 174. Replay does not fit a stochastic
    // policy, and the direct method's interval does not know of the model.
    for column in [1, 2, 4] {
        let name = Estimator::ALL[column].name();
        assert!(bootstrap[column] >= 174 && normal[column] >= 174, "{name}: {bootstrap:?} {normal:?}");
    }
}

#[test]
fn replay_is_the_mean_where_the_policy_agrees() {
    let round = |reward, policy| Round { reward, propensity: 0.5, policy, prediction: None };
    let rounds = [round(1.0, 1.0), round(0.0, 1.0), round(1.0, 0.0), round(1.0, 1.0)];
    let evaluation = evaluate(&rounds, &options()).expect("valid");
    let replay = evaluation.estimate(Estimator::Replay).expect("computed");
    assert!((replay.value - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(evaluation.diagnostics.matched, 3);
    assert_eq!(evaluation.estimate(Estimator::Dm), None, "there is no model");
    let nobody = evaluate(&[round(1.0, 0.0)], &options()).expect("valid");
    assert!(nobody.estimates.iter().all(|estimate| estimate.value == 0.0), "{nobody:?}");
}

#[test]
fn weights_are_cut_off_where_asked() {
    let rounds = [Round { reward: 1.0, propensity: 0.01, policy: 1.0, prediction: None }; 2];
    let cut = evaluate(&rounds, &Options { max_weight: 10.0, ..options() }).expect("valid");
    assert_eq!(cut.estimate(Estimator::Ips).expect("computed").value, 10.0);
    assert_eq!(cut.estimate(Estimator::Snips).expect("computed").value, 1.0);
    assert_eq!(cut.diagnostics.max_weight, 100.0);
}

#[test]
fn what_cannot_be_is_refused_with_its_round() {
    let fine = Round { reward: 1.0, propensity: 0.5, policy: 0.5, prediction: None };
    assert_eq!(evaluate(&[], &options()), Err(OffPolicyError::Empty));
    for (bad, what) in [
        (Round { propensity: 0.0, ..fine }, "propensity"),
        (Round { propensity: f64::NAN, ..fine }, "propensity"),
        (Round { policy: 1.5, ..fine }, "policy"),
        (Round { reward: f64::INFINITY, ..fine }, "reward"),
    ] {
        match evaluate(&[fine, bad], &options()) {
            Err(OffPolicyError::Impossible { round: 1, what: found, .. }) => assert_eq!(found, what),
            other => panic!("{other:?}"),
        }
    }
}
