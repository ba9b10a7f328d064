//! The demo's own experiment: half of the members are shown what the engine recommends, under one of three settings of the ranking, and
//! play of it what is to their taste. What comes out is measured, not made up.

use nearline_actors::{Engine, Question};
use nearline_audience::{Audience, Shown, ShownTitle};
use nearline_config::{Config, ExperimentSection, VariantSection};

/// Titles of a row: as many as members look at.
const ROW_TITLES: usize = 10;

/// Adds the experiment, unless the configuration has some.
pub(super) fn add(config: &mut Config) {
    if !config.experiments.is_empty() {
        return;
    }
    let variant = |name: &str, setting: Option<(&str, f64)>| VariantSection {
        name: name.to_owned(),
        weight: 1,
        ranking: setting.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect(),
    };
    let variants = vec![
        variant("control", None),
        variant("popular", Some(("popularity_weight", 1.0))),
        variant("diverse", Some(("diversity", 0.5))),
    ];
    // The member that the display follows is in none.
    let section =
        ExperimentSection { name: "demo_rows".to_owned(), salt: "demo".to_owned(), share: 0.5, variants };
    config.experiments.push(section);
}

/// Shows `member`, who begins to look around, what the engine recommends, if an experiment runs for them.
pub(super) async fn show(engine: &Engine, audience: &mut Audience, member: String) {
    let question = Question { member, limit: ROW_TITLES, ..Question::default() };
    // Who gets no answer looks around without one.
    let Ok(answer) = engine.recommend(&question).await else { return };
    if answer.variant.is_none() {
        return;
    }
    let titles = answer.offered.into_iter().map(|offered| ShownTitle {
        title: offered.title.to_string(),
        artwork: offered.artwork.map(|artwork| (artwork.id, artwork.propensity)),
    });
    audience.show(Shown { request: answer.recommendation_id, titles: titles.collect() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_gets_members_and_the_one_that_is_followed_is_in_none() {
        let mut config = Config::default();
        add(&mut config);
        add(&mut config);
        assert_eq!(config.experiments.len(), 1);
        config.validate().expect("it can be");
        let experiments = config.experiments().expect("it can be");
        assert!(experiments.allocate(&Audience::member_id(0)).is_none());
        let mut members = [0; 3];
        for member in 0..2_000 {
            if let Some(allocation) = experiments.allocate(&Audience::member_id(member)) {
                members[allocation.number] += 1;
            }
        }
        assert!(members.iter().all(|count| *count > 250), "{members:?}");
    }
}
