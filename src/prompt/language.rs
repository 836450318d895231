//! The language of a question.

use super::{
    english::{ASKING, FUNCTION, INTERROGATIVE, is_clock, listed, words},
    thesaurus,
};
use whatlang::{Detector, Lang};

/// The name of English.
/// The name of the language that the shipped dialogues are written in.
pub const ENGLISH: &str = "English";

/// The languages that a text may have. More of them would be confused more often in short questions.
const LANGUAGES: &[Lang] = &[
    Lang::Eng,
    Lang::Spa,
    Lang::Deu,
    Lang::Fra,
    Lang::Ita,
    Lang::Por,
    Lang::Nld,
    Lang::Pol,
    Lang::Tur,
    Lang::Rus,
    Lang::Ukr,
    Lang::Ara,
    Lang::Hin,
    Lang::Jpn,
    Lang::Cmn,
    Lang::Kor,
    Lang::Vie,
    Lang::Ind,
];

/// The least confidence of the trigrams (0 to 1). Short questions have little; random letters have 0.02.
const LEAST: f64 = 0.025;
/// The least confidence if most words are English too: German has "was", "in" and "hand".
const CERTAIN: f64 = 0.5;

/// The English name of a text's language ("Spanish"). "English" if most words are English, or if no other language is likely.
pub fn language(text: &str) -> &'static str {
    let words = words(text);
    let lists = [FUNCTION, INTERROGATIVE, ASKING];
    let is_english =
        |word: &&String| is_clock(word) || lists.iter().any(|list| listed(list, word)) || thesaurus::has(word);
    let share = words.iter().filter(is_english).count() as f64 / words.len().max(1) as f64;
    if share > 0.8 {
        return ENGLISH;
    }
    let least = if share <= 0.5 { LEAST } else { CERTAIN };
    let found = Detector::with_allowlist(LANGUAGES.to_vec()).detect(text);
    found.filter(|found| found.confidence() >= least).map_or(ENGLISH, |found| found.lang().eng_name())
}

#[cfg(test)]
mod tests {
    use super::language;

    #[test]
    fn questions_have_a_language() {
        for (text, expected) in [
            ("¿Dónde vi las llaves por última vez?", "Spanish"),
            ("Donde vi las llaves por ultima vez", "Spanish"),
            ("¿A quién conocí en la oficina?", "Spanish"),
            ("Wo habe ich die Schlüssel zuletzt gesehen?", "German"),
            ("Was hatte ich in der Hand?", "German"),
            ("wo sind meine schluessel", "German"),
            ("最後に鍵を見たのはどこですか?", "Japanese"),
            ("台所で何をしましたか?", "Japanese"),
            ("Où ai-je vu les clés pour la dernière fois ?", "French"),
            ("열쇠를 어디에서 마지막으로 봤어요?", "Korean"),
        ] {
            assert_eq!(language(text), expected, "{text}");
        }
    }

    #[test]
    fn short_misspelt_and_meaningless_questions_are_taken_for_english() {
        for text in [
            "keys, where?",
            "umbrella whereabouts",
            "wher did i leav my kees",
            "book reading duration kitchen",
            "mug torch soup kitchen list",
            "asdf qwer zxcv",
            "WHERE WAS I AT 07:30",
            "Oscar met where",
            "?",
            "",
        ] {
            assert_eq!(language(text), "English", "{text}");
        }
    }
}
