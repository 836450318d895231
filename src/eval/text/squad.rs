//! The normalisation of SQuAD's evaluation (Rajpurkar et al. 2016).

/// `text` in lower case, without punctuation and articles, with single spaces.
pub fn normalise(text: &str) -> String {
    let kept: String = text.to_lowercase().chars().filter(|c| !is_punctuation(*c)).collect();
    kept.split_whitespace().filter(|w| !["a", "an", "the"].contains(w)).collect::<Vec<_>>().join(" ")
}

/// True for ASCII punctuation, as in SQuAD's script, and for typographic quotes and dashes, which models write.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || ('\u{2010}'..='\u{2027}').contains(&c) || "«»¿¡".contains(c)
}
