//! The weights of pairs of titles that are not solved together.

use get_size2::GetSize;
use nearline_model::symbols::Symbol;

/// A weight: of a title watched for a title scored.
pub(super) type Entry = (Symbol, Symbol, f32);

/// Weights of pairs of titles that are not solved together, by the title watched.
#[derive(Debug, Default, GetSize)]
pub(in crate::associations) struct OuterWeights {
    /// By title number: where its weights begin; those of the next are their end.
    begins: Vec<u32>,
    weights: Vec<(Symbol, f32)>,
    /// By title number: plays from which on what was solved is too old.
    outgrown: Vec<u32>,
}

impl OuterWeights {
    pub(super) fn of(mut entries: Vec<Entry>, outgrown: Vec<u32>) -> Self {
        let titles = outgrown.len();
        entries.retain(|(.., weight)| *weight != 0.0);
        entries.sort_unstable_by_key(|(from, to, _)| (*from, *to));
        let mut begins = vec![0; titles + 1];
        for (from, ..) in &entries {
            begins[from.index() + 1] += 1;
        }
        for title in 0..titles {
            begins[title + 1] += begins[title];
        }
        Self { begins, weights: entries.into_iter().map(|(_, to, weight)| (to, weight)).collect(), outgrown }
    }

    /// Whether a title with so many plays has outgrown what was solved for it.
    pub fn is_outgrown(&self, title: Symbol, plays: u64) -> bool {
        self.outgrown.get(title.index()).is_none_or(|most| plays >= u64::from(*most))
    }

    /// What `title` speaks for others.
    pub fn of_title(&self, title: Symbol) -> &[(Symbol, f32)] {
        let at = title.index();
        match (self.begins.get(at), self.begins.get(at + 1)) {
            (Some(from), Some(to)) => &self.weights[*from as usize..*to as usize],
            _ => &[],
        }
    }
}
