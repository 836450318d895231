//! Whether two words are the same but for a typing error.

/// True for equal stems, and for those that one typing error may have made of each other. Short words differ by a wrong letter too often ("boots" and
/// "books"), so only letters in the wrong order ("tabel") or a missing one ("hamer") count there.
pub(super) fn same(own: &str, stem: &str) -> bool {
    if own == stem {
        return true;
    }
    // "ofice": a doubled letter is often missing
    let single = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.dedup();
        letters
    };
    if own.len() > 4 && own.len() != stem.len() && single(own) == single(stem) {
        return true;
    }
    let (short, long) = (own.len().min(stem.len()), own.len().max(stem.len()));
    if short < 4 || long > short + 1 || own.chars().next() != stem.chars().next() && short < 6 {
        return false;
    }
    if strsim::osa_distance(own, stem) != 1 {
        return false;
    }
    let swapped = || {
        let letters = |word: &str| {
            let mut letters: Vec<char> = word.chars().collect();
            letters.sort_unstable();
            letters
        };
        letters(own) == letters(stem)
    };
    short >= 6 || (long > short && short >= 5) || (long == short && swapped())
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_typing_error_is_forgiven_where_it_makes_no_other_word() {
        for (own, typed) in
            [("tabl", "tabl"), ("table", "tabel"), ("play", "paly"), ("hammer", "hamer"), ("supermarket", "supermaket")]
        {
            assert!(same(own, typed), "{own} {typed}");
        }
        for (own, other) in
            [("boot", "book"), ("cake", "lake"), ("boots", "books"), ("map", "amp"), ("coat", "cat"), ("cart", "art")]
        {
            assert!(!same(own, other), "{own} {other}");
        }
    }
}
