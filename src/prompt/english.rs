//! English words without a model: the words of a text that say what it is about, and the stem of a word.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Words without content of their own.
pub(crate) const FUNCTION: &str = "according a an the this that these those it its itself i me my mine myself you your yours we us our ours he him his \
    she her hers they them their is are was were be been being am do does did done doing have has had having will would shall \
    should can could may might must and or but if then than so as of at by for with from to in into on onto off out over under \
    up down about around near before after during while until since not no yes nor any some all both each every either neither \
    there here very just only ever even still also too again please s t d ll re ve m don didn wasn isn";

/// Question words.
pub(crate) const INTERROGATIVE: &str = "what which who whom whose when where whereabouts why how";

/// Words that are frequent in questions about a log and need not occur in the log.
pub(crate) const ASKING: &str = "see saw seen look looked say said tell told talk talked speak spoke spoken word words name names call called \
    hear heard ask asked meet met introduce introduced person persons people somebody someone anybody anyone nobody body folk \
    folks others other man woman alone go went gone going come came get got happen happened thing things something anything \
    nothing time times moment moments day today first last latest recent recently most once twice often many much number count \
    place places room location spot promise promised make made agree agreed gave give reason activity busy engaged next previous \
    previously later earlier end start started begin began leave left put find found lose lost know remember recall remind show \
    speaker speakers speech voice state know minute minutes second seconds hour hours clock";

/// The stems of the words that say what a text is about, each once, in order: words other than function words, question words and
/// words that any question about a log may have.
pub fn keywords(text: &str) -> Vec<String> {
    let words = words(text);
    let mut seen = HashSet::new();
    let about = content(&words, &[FUNCTION, INTERROGATIVE, ASKING]);
    about.into_iter().map(|(stem, _)| stem).filter(|stem| seen.insert(stem.clone())).collect()
}

/// The first words of a yes-or-no question.
const AUXILIARY: &str = "did was were am are is have has had do does";

/// Words of a question about speech.
const SPEECH: &str = "say said tell told talk talked speak spoke speaker hear heard speech";

/// True for a yes-or-no question such as `Was I alone?`. False for `Is it known where I was?` and `Was it tea or
/// milk?`.
pub fn asks_yes_or_no(question: &str) -> bool {
    let asked = words(question);
    let other = |word: &String| listed(INTERROGATIVE, word) || word == "or";
    asked.first().is_some_and(|word| listed(AUXILIARY, word)) && !asked.iter().any(other)
}

/// True for a question about speech, such as `What did the speaker say?`.
pub fn asks_about_speech(question: &str) -> bool {
    words(question).iter().any(|word| listed(SPEECH, word))
}

/// The words of a text in lower case, without punctuation. A clock time is one word.
pub fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('’', "'").replace("'s", "");
    let ends = |c: char| !(c.is_alphanumeric() || c == ':');
    text.split(ends).map(|word| word.trim_matches(':').to_owned()).filter(|word| !word.is_empty()).collect()
}

pub(crate) fn is_clock(word: &str) -> bool {
    word.contains(':') && word.split(':').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

pub(crate) fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

/// The words that are neither clock times nor in a list, each with its stem.
pub(crate) fn content<'a>(words: &'a [String], lists: &[&str]) -> Vec<(String, &'a str)> {
    let counts = |word: &&String| !is_clock(word) && !lists.iter().any(|list| listed(list, word));
    words.iter().filter(counts).map(|word| (stem(word), word.as_str())).collect()
}

/// The stems of a word or phrase without its articles.
pub(crate) fn key(name: &str) -> String {
    const ARTICLES: &str = "a an the my your some";
    let words = words(name);
    let own = words.iter().filter(|word| !listed(ARTICLES, word));
    own.map(|word| stem(word)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn stems(texts: &[&str]) -> HashSet<String> {
    texts.iter().flat_map(|text| words(text)).map(|word| stem(&word)).collect()
}

/// Irregular forms with their base form. A form that is also another word (`left`, `saw`) is left out.
const IRREGULAR: &str = "ate=eat eaten=eat beaten=beat became=become began=begin begun=begin bent=bend bit=bite bitten=bite \
    blew=blow blown=blow broke=break broken=break brought=bring built=build burnt=burn bought=buy \
    caught=catch chose=choose chosen=choose clung=cling crept=creep dealt=deal dug=dig drew=draw \
    drawn=draw dreamt=dream drank=drink drunk=drink drove=drive driven=drive fell=fall fallen=fall \
    fed=feed felt=feel fought=fight flew=fly flown=fly forgot=forget forgotten=forget forgave=forgive \
    forgiven=forgive froze=freeze frozen=freeze gave=give given=give grew=grow grown=grow hung=hang \
    heard=hear hid=hide hidden=hide held=hold kept=keep knelt=kneel knew=know known=know laid=lay \
    led=lead leant=lean leapt=leap learnt=learn lent=lend lit=light lost=lose made=make meant=mean \
    met=meet paid=pay rode=ride ridden=ride rang=ring rung=ring rose=rise risen=rise ran=run sawn=saw \
    said=say sought=seek sold=sell sent=send shook=shake shaken=shake shone=shine shot=shoot showed=show \
    shown=show sang=sing sung=sing sank=sink sunk=sink sat=sit slept=sleep slid=slide spoke=speak \
    spoken=speak spent=spend spun=spin sprang=spring sprung=spring stood=stand stole=steal stolen=steal \
    stuck=stick stung=sting stank=stink strode=stride struck=strike swore=swear sworn=swear swept=sweep \
    swam=swim swum=swim swung=swing took=take taken=take taught=teach tore=tear torn=tear told=tell \
    thought=think threw=throw thrown=throw understood=understand woke=wake woken=wake wore=wear \
    worn=wear wove=weave woven=weave wept=weep won=win wrote=write written=write lying=lie tying=tie \
    dying=die feet=foot teeth=tooth children=child men=man women=woman mice=mouse knives=knife \
    shelves=shelf loaves=loaf going=go doing=do";

static BASE_FORMS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| IRREGULAR.split_whitespace().filter_map(|pair| pair.split_once('=')).collect());

/// A word without the endings of English inflection: `riding`, `ride`, `rides` and `rode` have one stem.
pub(crate) fn stem(word: &str) -> String {
    const MIN_LETTERS: usize = 3;
    let word = BASE_FORMS.get(word).copied().unwrap_or(word);
    let cut = ["ing", "ed", "es", "s"].iter().find_map(|ending| {
        let rest = word.strip_suffix(ending)?;
        (rest.chars().count() >= MIN_LETTERS).then_some(rest)
    });
    let mut letters: Vec<char> = cut.unwrap_or(word).chars().collect();
    if letters.len() > MIN_LETTERS && letters.ends_with(&['e']) {
        letters.pop();
    }
    // `hammer` and `hammering` need nothing; `chop` and `chopping` do
    if letters.len() > MIN_LETTERS && letters.last() == letters.get(letters.len() - 2) {
        letters.pop();
    }
    if let Some(last) = letters.last_mut().filter(|last| **last == 'y') {
        *last = 'i';
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_say_what_a_question_is_about() {
        let check = |text: &str, expected: &[&str]| assert_eq!(keywords(text), expected, "{text}");
        check("What did I see after the cats?", &["cat"]);
        check("Where did I park the car, and which car was it?", &["park", "car"]);
        check("What was the first thing that I saw?", &[]);
        check("What was I doing at 08:30?", &[]);
        check("", &[]);
    }

    #[test]
    fn a_question_asks_for_yes_or_no_or_about_speech() {
        let yes_or_no = |text: &str, expected: bool| assert_eq!(asks_yes_or_no(text), expected, "{text}");
        yes_or_no("Was I alone?", true);
        yes_or_no("Did I see any stairs?", true);
        yes_or_no("Is it known where I was?", false);
        yes_or_no("Was it tea or milk?", false);
        yes_or_no("What was it?", false);
        yes_or_no("", false);
        let speech = |text: &str, expected: bool| assert_eq!(asks_about_speech(text), expected, "{text}");
        speech("What did the speaker SAY?", true);
        speech("What was on the table?", false);
    }

    #[test]
    fn inflected_words_have_one_stem() {
        let check = |words: &str| {
            let stems: HashSet<String> = words.split(' ').map(stem).collect();
            assert_eq!(stems.len(), 1, "{words}: {stems:?}");
        };
        for words in
            ["ride rides riding", "play plays played playing", "carry carries carried carrying", "chop chopping"]
        {
            check(words);
        }
        for words in [
            "drink drank drunk drinking",
            "eat ate eaten",
            "write wrote writing",
            "feed fed",
            "dish dishes",
            "key keys",
            "hammer hammering hammered",
            "wash washed washing",
            "bike bikes",
        ] {
            check(words);
        }
    }
}
