//! Versions of servers.

/// Major and minor of a version; 0 for what is no number.
pub(crate) fn major_minor(text: &str) -> (u32, u32) {
    let mut numbers = text.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(major_minor("2.9.25") < (2, 10) && major_minor("2.10.0-beta.1") >= (2, 10));
        assert!(
            major_minor("2.15.1") >= (2, 10) && major_minor("3.0.0") >= (2, 10) && major_minor("") < (2, 10)
        );
    }
}
