//! Spelled numbers, as in Whisper's English normaliser (`EnglishNumberNormalizer` of openai-whisper 20250625):
//! "two hundred and five" becomes `205`, "twenty million dollars" `$20000000`, "one oh one" `101`.
//!
//! The package counts with integers of any size, so a number is kept as its decimal digits here.

use super::digit;
use crate::query::SMALL_NUMBERS;

const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// Multipliers with the number of their zeros.
const MULTIPLIERS: [(&str, usize); 12] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("quadrillion", 15),
    ("quintillion", 18),
    ("sextillion", 21),
    ("septillion", 24),
    ("octillion", 27),
    ("nonillion", 30),
    ("decillion", 33),
];

/// The meaning of a word in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberWord {
    Zero,
    /// 1 to 19; with a suffix, as in `first` or `sixes`.
    Ones(u32, Option<&'static str>),
    /// 20 to 90; with a suffix, as in `twentieth` or `forties`.
    Tens(u32, Option<&'static str>),
    /// A power of ten; with a suffix, as in `millionth`.
    Multiplier(usize, Option<&'static str>),
    /// A sign before a number.
    Before(char),
    /// A currency after a number.
    After(char),
    Per,
    Percent,
    And,
    /// `double` or `triple`: the repeats.
    Repeat(usize),
    Point,
}

/// The meaning of a word, if it can belong to a number. The value of ordinals and plurals is that of the package, which
/// writes "nineth".
pub(super) fn word(text: &str) -> Option<NumberWord> {
    let place = |list: &[&str], word: &str| list.iter().position(|known| *known == word).map(|at| at as u32);
    let ones = |word: &str| place(&SMALL_NUMBERS, word).filter(|value| *value > 0);
    let tens = |word: &str| place(&TENS, word).map(|at| 10 * (at + 2));
    let multiplier = |word: &str| MULTIPLIERS.iter().find(|(name, _)| *name == word).map(|(_, zeros)| *zeros);
    Some(match text {
        "o" | "oh" | "zero" => NumberWord::Zero,
        "zeroth" => NumberWord::Ones(0, Some("th")),
        "first" => NumberWord::Ones(1, Some("st")),
        "second" => NumberWord::Ones(2, Some("nd")),
        "third" => NumberWord::Ones(3, Some("rd")),
        "fifth" => NumberWord::Ones(5, Some("th")),
        "twelfth" => NumberWord::Ones(12, Some("th")),
        "sixes" => NumberWord::Ones(6, Some("s")),
        "minus" | "negative" => NumberWord::Before('-'),
        "plus" | "positive" => NumberWord::Before('+'),
        "pound" | "pounds" => NumberWord::After('£'),
        "euro" | "euros" => NumberWord::After('€'),
        "dollar" | "dollars" => NumberWord::After('$'),
        "cent" | "cents" => NumberWord::After('¢'),
        "per" => NumberWord::Per,
        "percent" => NumberWord::Percent,
        "and" => NumberWord::And,
        "double" => NumberWord::Repeat(2),
        "triple" => NumberWord::Repeat(3),
        "point" => NumberWord::Point,
        _ => {
            if let Some(value) = ones(text) {
                return Some(NumberWord::Ones(value, None));
            }
            if let Some(value) = tens(text) {
                return Some(NumberWord::Tens(value, None));
            }
            if let Some(zeros) = multiplier(text) {
                return Some(NumberWord::Multiplier(zeros, None));
            }
            if let Some(stem) = text.strip_suffix("ies").map(|stem| format!("{stem}y"))
                && let Some(value) = tens(&stem)
            {
                return Some(NumberWord::Tens(value, Some("s")));
            }
            if let Some(stem) = text.strip_suffix("ieth").map(|stem| format!("{stem}y"))
                && let Some(value) = tens(&stem)
            {
                return Some(NumberWord::Tens(value, Some("th")));
            }
            if let Some(stem) = text.strip_suffix('s') {
                if let Some(value) = ones(stem).filter(|value| *value != 6) {
                    return Some(NumberWord::Ones(value, Some("s")));
                }
                if let Some(zeros) = multiplier(stem) {
                    return Some(NumberWord::Multiplier(zeros, Some("s")));
                }
            }
            let stem = text.strip_suffix("th")?;
            let eighth = (text == "eighth").then_some(8);
            let ordinal = |value: &u32| *value > 3 && ![5, 8, 12].contains(value);
            match eighth.or_else(|| ones(stem).filter(ordinal)) {
                Some(value) => NumberWord::Ones(value, Some("th")),
                None => NumberWord::Multiplier(multiplier(stem)?, Some("th")),
            }
        }
    })
}

/// A number that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Number {
    /// Decimal digits without leading zeros.
    Whole(String),
    /// Digits and full stops as they were said.
    Said(String),
}

impl Number {
    fn text(&self) -> &str {
        match self {
            Number::Whole(text) | Number::Said(text) => text,
        }
    }
}

/// The digits before a next one is appended. Zero counts as nothing, as in the package.
fn prefix(value: Option<&Number>) -> &str {
    match value {
        Some(Number::Whole(text)) if text == "0" => "",
        Some(number) => number.text(),
        None => "",
    }
}

/// True for digits, with at most one full stop between them.
fn is_number(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| digit(c).is_some());
    match word.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(word),
    }
}

/// A decimal number times a power of ten, if that is whole. `Err` if it has a fraction, or if the text is no number.
fn shifted(text: &str, zeros: usize) -> Result<String, ()> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let ascii = |part: &str| -> Option<String> {
        part.chars().map(|c| digit(c).and_then(|value| char::from_digit(value, 10))).collect()
    };
    let (Some(whole), Some(fraction)) = (ascii(whole), ascii(fraction)) else { return Err(()) };
    if whole.is_empty() && fraction.is_empty() {
        return Err(());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > zeros {
        return Err(());
    }
    Ok(plain(&format!("{whole}{fraction}{}", "0".repeat(zeros - fraction.len()))))
}

/// Digits without leading zeros.
pub(super) fn plain(digits: &str) -> String {
    let kept = digits.trim_start_matches('0');
    if kept.is_empty() { "0".to_owned() } else { kept.to_owned() }
}

/// The sum of two whole numbers in digits.
fn sum(a: &str, b: &str) -> String {
    let (mut a, mut b) = (a.bytes().rev(), b.bytes().rev());
    let (mut digits, mut carry) = (Vec::new(), 0);
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() && carry == 0 {
            break;
        }
        let total = x.map_or(0, |x| x - b'0') + y.map_or(0, |y| y - b'0') + carry;
        digits.push(char::from(b'0' + total % 10));
        carry = total / 10;
    }
    plain(&digits.iter().rev().collect::<String>())
}

/// A whole number whose part below a thousand is multiplied.
fn multiplied(digits: &str, zeros: usize) -> String {
    let (thousands, rest) = digits.split_at(digits.len().saturating_sub(3));
    sum(&format!("{thousands}000"), &format!("{rest}{}", "0".repeat(zeros)))
}

/// True if the last digits of a whole number are zeros.
fn ends_with_zeros(digits: &str, zeros: usize) -> bool {
    digits == "0" || digits.ends_with(&"0".repeat(zeros))
}

/// Words with numbers in digits.
#[derive(Default)]
pub(super) struct NumberReader {
    sign: Option<char>,
    value: Option<Number>,
    pub(super) written: Vec<String>,
}

impl NumberReader {
    /// Writes a text, with the sign that waits. The number that was being read ends.
    fn write(&mut self, text: &str) {
        let sign = self.sign.take().map(String::from).unwrap_or_default();
        self.written.push(sign + text);
        self.value = None;
    }

    /// Writes the number that was being read, if any.
    pub(super) fn finish(&mut self) {
        if let Some(value) = self.value.take() {
            self.write(value.text());
        }
    }

    /// The number after one from 1 to 99 was said. `room` is the number of zeros that it can take the place of.
    fn appended(&self, said: u32, room: usize, previous: Option<NumberWord>) -> Number {
        let ones_before = matches!(previous, Some(NumberWord::Ones(_, None)));
        match &self.value {
            None => Number::Whole(said.to_string()),
            Some(Number::Whole(digits)) if !ones_before || said >= 20 => match ends_with_zeros(digits, room) {
                true => Number::Whole(sum(digits, &said.to_string())),
                false => Number::Said(format!("{digits}{said}")),
            },
            Some(number) => {
                let digits = number.text();
                let tens_before = matches!(previous, Some(NumberWord::Tens(_, None)));
                let kept = if tens_before && said < 10 { &digits[..digits.len() - 1] } else { digits };
                Number::Said(format!("{kept}{said}"))
            }
        }
    }

    /// A number with a sign of its own, as in `$5`.
    fn read_digits(&mut self, current: &str, sign: Option<char>) {
        if let Some(Number::Said(before)) = &self.value
            && before.ends_with('.')
        {
            self.value = Some(Number::Said(format!("{before}{current}")));
            return;
        }
        self.finish();
        self.sign = sign.or(self.sign);
        let bare = sign.map_or(current, |sign| &current[sign.len_utf8()..]);
        self.value = Some(shifted(bare, 0).map_or_else(|()| Number::Said(bare.to_owned()), Number::Whole));
    }

    fn read_multiplier(&mut self, zeros: usize, suffix: Option<&str>) {
        let power = format!("1{}", "0".repeat(zeros));
        let suffix_text = suffix.unwrap_or_default();
        let whole = match &self.value {
            None => power,
            Some(Number::Whole(digits)) if digits == "0" && suffix.is_none() => "0".to_owned(),
            Some(Number::Whole(digits)) => multiplied(digits, zeros),
            Some(Number::Said(text)) => match shifted(text, zeros) {
                Ok(whole) => whole,
                Err(()) => {
                    self.finish();
                    power
                }
            },
        };
        match suffix {
            Some(_) => self.write(&format!("{whole}{suffix_text}")),
            None => self.value = Some(Number::Whole(whole)),
        }
    }

    /// Reads one word. True if the next word is used up.
    pub(super) fn read(&mut self, previous: Option<&str>, current: &str, next: Option<&str>) -> bool {
        let sign = current.chars().next().filter(|c| "-+£€$¢".contains(*c));
        if is_number(sign.map_or(current, |sign| &current[sign.len_utf8()..])) {
            self.read_digits(current, sign);
            return false;
        }
        let Some(meaning) = word(current) else {
            self.finish();
            self.write(current);
            return false;
        };
        let (previous, following) = (previous.and_then(word), next.and_then(word));
        let next_is_number = next.is_some_and(is_number);
        let goes_on = following.is_some() || next_is_number;
        match meaning {
            NumberWord::Zero => self.value = Some(Number::Said(format!("{}0", prefix(self.value.as_ref())))),
            NumberWord::Ones(said, suffix) => {
                let number = self.appended(said, if said < 10 { 1 } else { 2 }, previous);
                self.value = Some(number);
                self.end_with(suffix);
            }
            NumberWord::Tens(said, suffix) => {
                let number = self.appended(said, 2, previous);
                self.value = Some(number);
                self.end_with(suffix);
            }
            NumberWord::Multiplier(zeros, suffix) => self.read_multiplier(zeros, suffix),
            NumberWord::Before(sign) => {
                self.finish();
                if goes_on {
                    self.sign = Some(sign);
                } else {
                    self.write(current);
                }
            }
            NumberWord::After(sign) => match self.value.is_some() {
                true => {
                    self.sign = Some(sign);
                    self.finish();
                }
                false => self.write(current),
            },
            NumberWord::Per if self.value.is_some() && next == Some("cent") => {
                self.end_with(Some("%"));
                return true;
            }
            NumberWord::Percent if self.value.is_some() => self.end_with(Some("%")),
            NumberWord::Per | NumberWord::Percent => {
                self.finish();
                self.write(current);
            }
            _ if !goes_on => {
                self.finish();
                self.write(current);
            }
            NumberWord::And if matches!(previous, Some(NumberWord::Multiplier(_, None))) => {}
            NumberWord::And => {
                self.finish();
                self.write(current);
            }
            NumberWord::Repeat(times) => {
                let digits = match following {
                    Some(NumberWord::Zero) => "0".to_owned(),
                    Some(NumberWord::Ones(said, None)) => said.to_string(),
                    _ => {
                        self.finish();
                        self.write(current);
                        return false;
                    }
                };
                self.value = Some(Number::Said(format!("{}{}", prefix(self.value.as_ref()), digits.repeat(times))));
                return true;
            }
            NumberWord::Point => {
                let digits =
                    matches!(following, Some(NumberWord::Zero | NumberWord::Ones(_, None) | NumberWord::Tens(_, None)));
                if digits || next_is_number {
                    self.value = Some(Number::Said(format!("{}.", prefix(self.value.as_ref()))));
                }
            }
        }
        false
    }

    /// Writes the number with a suffix, if there is one.
    fn end_with(&mut self, suffix: Option<&str>) {
        if let (Some(suffix), Some(value)) = (suffix, self.value.take_if(|_| suffix.is_some())) {
            self.write(&format!("{}{suffix}", value.text()));
        }
    }
}
