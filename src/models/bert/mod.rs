//! BERT, RoBERTa, XLM-RoBERTa and ModernBERT: encoders of text (Devlin et al. 2018, arXiv 1810.04805; Liu et al. 2019, arXiv
//! 1907.11692; Conneau et al. 2019, arXiv 1911.02116). A checkpoint embeds sentences, or its head scores a pair of texts
//! or classifies a text.
//!
//! Our own code: candle-transformers' BERT pads its batches, so that a vector depends on them, and has neither plain
//! RoBERTa nor the modules of sentence-transformers.

pub(super) mod encoder;
mod heads;
mod modern;
mod modules;
pub(super) mod sentence;

use super::Family;
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        config::{Config, within},
        cost::{CostModel, Transformer},
        dense::Packing,
    },
};
use encoder::Kin;
use serde_json::Value as Json;

const EMBEDS: &[Answers] = &[Answers::new(Kind::Embed, &[Modality::Text]), Answers::new(Kind::Rank, &[Modality::Text])];
const RANKS: &[Answers] = &[Answers::new(Kind::Rank, &[Modality::Text])];

/// The row of BERT in [`super::FAMILIES`].
pub const BERT: Family = embedder("bert", |config| is_embedder(config, "bert", "Bert"));
/// The row of RoBERTa.
pub const ROBERTA: Family = embedder("roberta", |config| is_embedder(config, "roberta", "Roberta"));
/// The row of XLM-RoBERTa.
pub const XLM_ROBERTA: Family = embedder("xlm-roberta", |config| is_embedder(config, "xlm-roberta", "XLMRoberta"));

/// The row of ModernBERT.
pub const MODERN: Family = embedder("modernbert", |config| is_embedder(config, "modernbert", "ModernBert"));

const fn embedder(name: &'static str, recognises: fn(&Config) -> bool) -> Family {
    Family {
        name,
        about: "embeds sentences; scores words against text",
        answers: EMBEDS,
        own_labels: false,
        recognises,
        floors: false,
        packing: Packing::F32,
        cost,
        load: |checkpoint, loading| Ok(Box::new(sentence::Sentences::load(checkpoint, loading)?)),
    }
}

/// The row of cross-encoders.
pub const CROSS_ENCODER: Family = head(
    "cross-encoder",
    "scores how well each text fits a text (reranking)",
    |config| head_of(config) == Some(Head::Pair),
    false,
);
/// The row of models of natural-language inference.
pub const ENTAILMENT: Family = head(
    "entailment",
    "scores whether a text entails each text",
    |config| matches!(head_of(config), Some(Head::Entailment(_))),
    false,
);
/// The row of other heads.
pub const CLASSIFIER: Family = head(
    "text-classifier",
    "ranks a text among the model's own labels",
    |config| head_of(config) == Some(Head::Labels),
    true,
);

const fn head(name: &'static str, about: &'static str, recognises: fn(&Config) -> bool, own_labels: bool) -> Family {
    Family {
        name,
        about,
        answers: RANKS,
        own_labels,
        recognises,
        floors: false,
        packing: Packing::F32,
        cost,
        load: |checkpoint, loading| Ok(Box::new(heads::Classifier::load(checkpoint, loading)?)),
    }
}

/// The work of the encoder for a token.
fn cost(config: &Config) -> Result<CostModel, Fault> {
    if kin(config) == Kin::Modern {
        return modern::cost(config);
    }
    let text = Transformer::read(config, (768, 12, 12))?.token();
    let text_tokens = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(512);
    Ok(CostModel { text, text_tokens, ..CostModel::default() })
}

/// True for a checkpoint of this type without a head for classes.
fn is_embedder(config: &Config, kind: &str, class: &str) -> bool {
    let prefixes = [format!("{class}Model"), format!("{class}For")];
    config.is_type(&[kind], &[&prefixes[0], &prefixes[1]]) && !has_head(config)
}

/// True if the checkpoint has a head for classes.
fn has_head(config: &Config) -> bool {
    let names = config.get("architectures").and_then(Json::as_array).into_iter().flatten();
    names.filter_map(Json::as_str).any(|name| name.ends_with("ForSequenceClassification"))
}

/// The meaning of a head's logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// One number for a pair of texts.
    Pair,
    /// Entailment, the class with this number, against the others; for a pair of texts.
    Entailment(usize),
    /// The labels of one text.
    Labels,
}

/// The head of a checkpoint, if its type is known and it has one.
fn head_of(config: &Config) -> Option<Head> {
    let known = config.is_type(
        &["bert", "roberta", "xlm-roberta", "modernbert"],
        &["BertFor", "RobertaFor", "XLMRobertaFor", "ModernBertFor"],
    );
    if !known || !has_head(config) {
        return None;
    }
    let labels = config.get("id2label").and_then(Json::as_object);
    let count = labels.map(serde_json::Map::len).or(config.count("num_labels", within::CLASSES).ok()?);
    let count = count.unwrap_or(2);
    let entails = |name: &str| name.to_lowercase().starts_with("entail");
    let by_name = labels.into_iter().flatten().find(|(_, name)| name.as_str().is_some_and(entails));
    let by_name = by_name.and_then(|(class, _)| class.parse().ok());
    // Some files have `LABEL_0` in one of the two maps.
    let by_class = || config.get("label2id")?.as_object()?.iter().find(|(name, _)| entails(name))?.1.as_u64();
    let class = by_name.or_else(|| by_class().and_then(|class| usize::try_from(class).ok()));
    Some(match (count, class) {
        (1, _) => Head::Pair,
        (2 | 3, Some(class)) if class < count => Head::Entailment(class),
        _ => Head::Labels,
    })
}

/// The variant of the encoder.
fn kin(config: &Config) -> Kin {
    if config.is_type(&["modernbert"], &["ModernBert"]) {
        return Kin::Modern;
    }
    match config.is_type(&["roberta", "xlm-roberta"], &["Roberta", "XLMRoberta"]) {
        true => Kin::Roberta,
        false => Kin::Bert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_head_is_known_by_its_labels() {
        let check = |config: Json, expected: Option<Head>| {
            let mut whole = json!({"model_type": "roberta", "architectures": ["RobertaForSequenceClassification"]});
            config.as_object().expect("an object").iter().for_each(|(key, value)| whole[key] = value.clone());
            assert_eq!(head_of(&Config::new("config.json", whole)), expected, "{config}");
        };
        check(json!({"id2label": {"0": "LABEL_0"}}), Some(Head::Pair));
        check(json!({"num_labels": 1}), Some(Head::Pair));
        let three = json!({"id2label": {"0": "CONTRADICTION", "1": "NEUTRAL", "2": "ENTAILMENT"}});
        check(three, Some(Head::Entailment(2)));
        check(json!({"id2label": {"0": "entailment", "1": "not_entailment"}}), Some(Head::Entailment(0)));
        let named = json!({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"entailment": 1, "other": 0}});
        check(named, Some(Head::Entailment(1)));
        check(json!({"id2label": {"0": "negative", "1": "positive"}}), Some(Head::Labels));
        let four = json!({"id2label": {"0": "entailment", "1": "b", "2": "c", "3": "d"}});
        check(four, Some(Head::Labels));
        check(json!({}), Some(Head::Labels));
        check(json!({"architectures": ["RobertaModel"]}), None);
        check(json!({"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"]}), None);
    }
}
