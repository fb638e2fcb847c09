//! Figures of several rounds as one, with how far they lie apart.

/// The middle of the figures, and half of the way from the least to the most as a
/// part of it. None if there are none.
pub(crate) fn summary(figures: impl IntoIterator<Item = f64>) -> Option<Summary> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    let median = match figures.len() % 2 {
        0 => f64::midpoint(upper, *figures.get(middle.wrapping_sub(1))?),
        _ => upper,
    };
    let spread = (figures.last()? - figures.first()?) / 2.0 / median.abs();
    Some(Summary {
        median,
        spread: if spread.is_finite() { spread } else { 0.0 },
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) spread: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_spread_half_of_the_range() {
        let check = |figures: &[f64], median, spread| {
            assert_eq!(
                summary(figures.iter().copied()),
                Some(Summary { median, spread })
            );
        };
        check(&[4.0], 4.0, 0.0);
        check(&[5.0, 3.0, 4.0], 4.0, 0.25);
        check(&[1.0, 5.0, 3.0, 3.0], 3.0, 2.0 / 3.0);
        check(&[0.0, 0.0], 0.0, 0.0);
        assert_eq!(summary([]), None);
    }
}
