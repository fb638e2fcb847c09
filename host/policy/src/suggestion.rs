//! "Did you mean". It must not suggest what is not close.

/// A hint that names the keyword closest to `word`, if one is close and another.
pub(crate) fn did_you_mean(word: &str, keywords: &[&str]) -> Option<String> {
    closest(word, keywords).map(|keyword| format!("did you mean `{keyword}`?"))
}

fn closest<'k>(word: &str, keywords: &[&'k str]) -> Option<&'k str> {
    // Nothing longer is a slip of the fingers, and the distance costs memory
    // by the product of the lengths.
    if word.len() > 32 || keywords.contains(&word) {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    keywords
        .iter()
        .map(|keyword| (strsim::damerau_levenshtein(&lower, keyword), *keyword))
        .filter(|(distance, keyword)| *distance <= 2 && distance * 2 <= keyword.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, keyword)| keyword)
}
