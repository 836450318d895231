//! The classes of a classifier: their names, and the classes that a word names.

use super::{
    config::{Config, within},
    ops,
};
use crate::{error::Fault, value::Scored};
use serde_json::Value as Json;
use std::collections::HashMap;

/// The maximum number of synonyms of all classes together. ImageNet's 21,841 classes have some 38,000.
const MAX_SYNONYMS: usize = 1 << 19;

/// The names of a classifier's classes.
#[derive(Debug)]
pub struct Classes {
    names: Vec<String>,
    /// Classes by their whole name, in the form of [`plain`].
    whole: HashMap<String, Vec<usize>>,
    /// Classes by one synonym of a name such as `tench, Tinca tinca`.
    synonyms: HashMap<String, Vec<usize>>,
    /// Each class has a probability of its own, which its logit alone decides.
    independent: bool,
}

/// The form in which words are compared: lower case, with single spaces.
fn plain(word: &str) -> String {
    word.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

impl Classes {
    /// Classes with these names, which `config` states. Fails if they have very many synonyms.
    pub fn new(config: &Config, names: Vec<String>) -> Result<Classes, Fault> {
        let (mut whole, mut synonyms) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        let count = names.iter().map(|name| name.split(',').count()).fold(0, usize::saturating_add);
        if count > MAX_SYNONYMS {
            let why = format!("found {count} names and synonyms of classes, expected at most {MAX_SYNONYMS}");
            return Err(Fault::model(format!("{}: {why}", config.name())));
        }
        for (class, name) in names.iter().enumerate() {
            whole.entry(plain(name)).or_default().push(class);
            for synonym in name.split(',').map(plain).filter(|synonym| !synonym.is_empty()) {
                synonyms.entry(synonym).or_default().push(class);
            }
        }
        Ok(Classes { names, whole, synonyms, independent: false })
    }

    /// The classes in a `config.json` of transformers: `id2label`, else as many as `num_labels` says. Fails if the two
    /// differ or if a class lacks its name.
    pub fn read(config: &Config) -> Result<Classes, Fault> {
        let count = config.count("num_labels", within::CLASSES)?;
        let names = match config.get("id2label") {
            Some(map) => numbered(map, count).map_err(|expected| config.wrong("id2label", expected, map))?,
            // the default of transformers is two classes
            None => (0..count.unwrap_or(2)).map(|class| format!("LABEL_{class}")).collect(),
        };
        let independent = config.string("problem_type")? == Some("multi_label_classification");
        Ok(Classes { independent, ..Classes::new(config, names)? })
    }

    /// The number of classes.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// All classes with their logits and probabilities, best first.
    pub fn all(&self, logits: &[f32]) -> Vec<Scored> {
        let mut scored = self.scored(&self.names, logits);
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        scored
    }

    /// The logits and probabilities of `words`, in their order. A word that names several classes has the logarithm of
    /// their summed powers, so that its probability is the sum of theirs. Probabilities are shares among the words.
    /// Fails with the first word that names no class.
    pub fn among(&self, words: &[String], logits: &[f32]) -> Result<Vec<Scored>, Fault> {
        let score = |word: &String| {
            let classes = self.named(word).ok_or_else(|| self.unknown(word))?;
            Ok(ops::log_sum_exp(classes.iter().map(|class| logits[*class])))
        };
        let scores = words.iter().map(score).collect::<Result<Vec<f32>, Fault>>()?;
        Ok(self.scored(words, &scores))
    }

    /// The classes that a word names, if any: by the whole name, else by a synonym.
    fn named(&self, word: &str) -> Option<&[usize]> {
        let word = plain(word);
        self.whole.get(&word).or_else(|| self.synonyms.get(&word)).map(Vec::as_slice)
    }

    fn unknown(&self, word: &str) -> Fault {
        let (count, shown) = (self.count(), word.chars().take(100).collect::<String>());
        let why = format!("found the word `{shown}`, which is not one of the model's own {count} labels");
        Fault::failed(why).hint("give words that it knows, or use an agent with `translate:`, which ranks any words")
    }

    fn scored(&self, labels: &[String], scores: &[f32]) -> Vec<Scored> {
        let probabilities = match self.independent {
            true => scores.iter().map(|score| ops::sigmoid(f64::from(*score)) as f32).collect(),
            false => ops::softmax(scores, 1.0),
        };
        ops::scored(labels, scores, probabilities)
    }
}

/// Names by class, from a list or from an object with the numbers 0, 1, … as keys. The error states what was expected.
pub fn numbered(names: &Json, count: Option<usize>) -> Result<Vec<String>, String> {
    let found = match names {
        Json::Array(list) => list.len(),
        Json::Object(map) => map.len(),
        _ => 0,
    };
    let count = count.unwrap_or(found);
    let expected = || format!("the names of {count} classes, from 0 to {}", count.saturating_sub(1));
    if found > *within::CLASSES.end() {
        return Err(format!("the names of at most {} classes, not {found}", within::CLASSES.end()));
    }
    if found != count || !within::CLASSES.contains(&count) {
        return Err(format!("{}, not {found}", expected()));
    }
    let name = |class: usize| match names {
        Json::Array(list) => list[class].as_str(),
        map => map.get(class.to_string()).and_then(Json::as_str),
    };
    (0..count).map(|class| name(class).map(str::to_owned)).collect::<Option<_>>().ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(scored: Result<Vec<Scored>, Fault>) -> String {
        let one = |s: &Scored| format!("{} {:.2} {:.3}", s.text, s.score, s.probability);
        match scored {
            Ok(scored) => scored.iter().map(one).collect::<Vec<_>>().join(", "),
            Err(fault) => fault.to_string(),
        }
    }

    fn of(names: &[&str]) -> Classes {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Classes::new(&Config::empty("config.json"), names).expect("classes")
    }

    #[test]
    fn words_name_classes_by_whole_name_or_synonym() {
        let names = ["tench, Tinca tinca", "crane", "golden_retriever", "crane", "house, villa", "villa"];
        let classes = of(&names);
        let check = |words: &[&str], expected: &str| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(shown(classes.among(&words, &[1.0, 2.0, 3.0, 2.0, 0.0, -1.0])), expected);
        };
        check(&["Tinca Tinca", "Golden retriever"], "Tinca Tinca 1.00 0.119, Golden retriever 3.00 0.881");
        check(&["TENCH, tinca  tinca"], "TENCH, tinca  tinca 1.00 1.000");
        check(&["crane", "tench"], "crane 2.69 0.845, tench 1.00 0.155");
        check(&["villa", "house"], "villa -1.00 0.269, house 0.00 0.731");
        check(&["tench", "kitchen", "x"], "found the word `kitchen`, which is not one of the model's own 6 labels");
    }

    #[test]
    fn all_classes_come_best_first() {
        let classes = of(&["a", "b", "c"]);
        assert_eq!(shown(Ok(classes.all(&[0.0, 2.0, 2.0]))), "b 2.00 0.468, c 2.00 0.468, a 0.00 0.063");
    }

    #[test]
    fn names_come_from_the_configuration() {
        let check = |config: Json, expected: Result<&[&str], &str>| {
            let found = Classes::read(&Config::new("config.json", config)).map(|classes| classes.names);
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(found.map_err(|fault| fault.to_string()), expected.map_err(str::to_owned));
        };
        check(json!({"id2label": {"1": "b", "0": "a"}}), Ok(&["a", "b"]));
        check(json!({"num_labels": 3}), Ok(&["LABEL_0", "LABEL_1", "LABEL_2"]));
        check(json!({}), Ok(&["LABEL_0", "LABEL_1"]));
        let wrong =
            "config.json: `id2label` must be the names of 2 classes, from 0 to 1, found {\"0\":\"a\",\"2\":\"b\"}";
        check(json!({"id2label": {"0": "a", "2": "b"}}), Err(wrong));
        let differs = "config.json: `id2label` must be the names of 3 classes, from 0 to 2, not 1, found {\"0\":\"a\"}";
        check(json!({"id2label": {"0": "a"}, "num_labels": 3}), Err(differs));
        let empty = "config.json: `id2label` must be the names of 0 classes, from 0 to 0, not 0, found {}";
        check(json!({"id2label": {}}), Err(empty));
        let many = "config.json: `num_labels` must be a whole number from 1 to 262144, found 16777216";
        check(json!({"num_labels": 1 << 24}), Err(many));
        let synonyms = "config.json: found 600000 names and synonyms of classes, expected at most 524288";
        check(json!({"id2label": {"0": vec!["x"; 600_000].join(",")}}), Err(synonyms));
        let names: Vec<&str> = vec!["x"; 300_000];
        let found = numbered(&json!(names), None).expect_err("refused");
        assert_eq!(found, "the names of at most 262144 classes, not 300000");
    }

    #[test]
    fn independent_classes_have_their_own_probabilities() {
        let config = json!({"id2label": {"0": "a", "1": "b"}, "problem_type": "multi_label_classification"});
        let classes = Classes::read(&Config::new("config.json", config)).expect("read");
        assert_eq!(shown(Ok(classes.all(&[0.0, 2.0]))), "b 2.00 0.881, a 0.00 0.500");
    }
}
