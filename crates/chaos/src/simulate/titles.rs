//! The catalogue of one seed: titles that are played, titles that nobody plays, and what changes about them.

use nearline_audience::dice::Dice;
use nearline_model::Title;

/// The catalogue, and how it changes.
#[derive(Debug)]
pub struct TitlePlan {
    /// What is there from the beginning.
    pub first: Vec<Title>,
    /// What is put later, by virtual millisecond: new titles, and new versions of those that are there.
    pub changes: Vec<(u64, Title)>,
}

impl TitlePlan {
    /// Draws a plan whose last change is before `end_ms`. Events are of `t0` to `t8`; some of these are not in
    /// the catalogue, and `n0` to `n3` are only there.
    pub fn draw(dice: &mut Dice, end_ms: u64) -> Self {
        let ids: Vec<String> =
            (0..=8).map(|at| format!("t{at}")).chain((0..4).map(|at| format!("n{at}"))).collect();
        let mut first = Vec::new();
        for id in &ids {
            if dice.chance(800) {
                first.push(draw_title(dice, id));
            }
        }
        let count = dice.within(0, 8);
        let mut changes: Vec<(u64, Title)> = (0..count)
            .map(|_| {
                let at_ms = dice.within(0, end_ms - 100);
                let id = &ids[dice.below(ids.len())];
                (at_ms, draw_title(dice, id))
            })
            .collect();
        changes.sort_by_key(|(at_ms, _)| *at_ms);
        Self { first, changes }
    }
}

fn draw_title(dice: &mut Dice, id: &str) -> Title {
    let mut some = |of: &[&str], per_mille| -> Vec<String> {
        of.iter().filter(|_| dice.chance(per_mille)).map(|name| (*name).to_owned()).collect()
    };
    Title {
        id: id.to_owned(),
        genres: some(&["drama", "comedy", "horror"], 400),
        countries: some(&["BR", "JP"], 300),
        artworks: some(&["a0", "a1", "a2"], 300).iter().collect(),
        year: dice.chance(700).then(|| dice.within(2018, 2026) as u16),
        maturity: dice.chance(700).then(|| [0, 6, 12, 16, 18][dice.below(5)]),
        withdrawn: dice.chance(100),
        ..Title::default()
    }
}
