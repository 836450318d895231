//! An encoder as a sentence embedder, as sentence-transformers uses it.

use super::{
    super::ModelOptions,
    encoder::{self, TextEncoder},
    modules::Modules,
};
use crate::{
    error::Fault,
    exchange::{FloorUse, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        job::{Input, Job, Model},
        labels::{LabelVectors, TextUse},
        ops,
        text::TextTokenizer,
    },
};

/// The scale of cosines before the softmax over labels. Sentence embedders are trained with it: it is the default of
/// the ranking loss in sentence-transformers.
const SCALE: f64 = 20.0;

/// The settings of sentence-transformers beside those of the model.
const SETTINGS: &str = "sentence_bert_config.json";

/// A loaded sentence embedder.
pub(in crate::models) struct Sentences {
    reader: Reader,
    labels: LabelVectors,
}

/// Everything that turns a text into a vector.
struct Reader {
    encoder: Box<dyn TextEncoder>,
    modules: Modules,
    text: TextTokenizer,
    /// The prompt before each text.
    prompt: String,
}

impl Sentences {
    /// Loads the encoder. Fails if a file of the checkpoint is missing, damaged or unsupported.
    pub(super) fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> Result<Sentences, Fault> {
        let settings = checkpoint.json(SETTINGS)?.unwrap_or_else(|| Config::empty(SETTINGS));
        let lower = settings.truth("do_lower_case")?.unwrap_or(false);
        let (encoder, _, text) = encoder::open(checkpoint, loading, lower)?;
        Sentences::new(encoder, text, checkpoint, loading)
    }

    /// An embedder of this encoder, with the modules, the length and the prompt of the checkpoint.
    pub(in crate::models) fn new(
        encoder: Box<dyn TextEncoder>,
        text: TextTokenizer,
        checkpoint: &Checkpoint,
        loading: &ModelOptions,
    ) -> Result<Sentences, Fault> {
        let settings = checkpoint.json(SETTINGS)?.unwrap_or_else(|| Config::empty(SETTINGS));
        let modules = Modules::read(checkpoint, encoder.width(), loading.dtype, &loading.device)?;
        let stated = settings.count("max_seq_length", within::POSITIONS)?;
        let most = encoder.max_tokens();
        let max_tokens = stated.unwrap_or_else(|| text.max_tokens(most)).min(most);
        let text = text.truncated(max_tokens)?;
        let labels = LabelVectors::new(loading.labels.clone(), modules.width);
        let prompt = prompt(checkpoint)?;
        Ok(Sentences { reader: Reader { encoder, modules, text, prompt }, labels })
    }
}

/// The prompt that sentence-transformers puts before each text, if the checkpoint has a default one.
fn prompt(checkpoint: &Checkpoint) -> Result<String, Fault> {
    let Some(config) = checkpoint.json("config_sentence_transformers.json")? else { return Ok(String::new()) };
    let Some(name) = config.string("default_prompt_name")? else { return Ok(String::new()) };
    Ok(config.part("prompts")?.string(name)?.unwrap_or_default().to_owned())
}

impl Reader {
    /// Unit vectors of texts.
    fn read(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let encode = |text: &&str| self.text.encoded(&format!("{}{text}", self.prompt), None);
        let encoded = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        self.encoder.read(&encoded, &mut |states| self.modules.apply(states))
    }
}

/// The labels of a request.
fn labels(job: &Job) -> &[String] {
    match &job.request {
        Request::Rank(rank) => &rank.texts,
        _ => &[],
    }
}

impl Sentences {
    fn reply(&mut self, job: &Job) -> Result<Reply, Fault> {
        let Sentences { reader, labels: known } = self;
        let subject: Vec<&str> = job.subject().into_iter().filter_map(text).collect();
        let what = known.of(&subject, TextUse::Subject, |texts| reader.read(texts))?.remove(0);
        match &job.request {
            Request::Rank(RankRequest { floor: FloorUse::Required, .. }) => {
                Err(Fault::model("a sentence embedder lacks background vectors, which `floor: true` needs"))
            }
            Request::Rank(RankRequest { among, .. }) => {
                let texts: Vec<&str> = labels(job).iter().map(String::as_str).collect();
                let vectors = known.of(&texts, TextUse::Label, |texts| reader.read(texts))?;
                let scores: Vec<f32> = vectors.iter().map(|label| ops::cosine(&what, label)).collect();
                Ok(Reply::Rank(ops::scored(among, &scores, ops::softmax(&scores, SCALE))))
            }
            _ => Ok(Reply::Embed(what.to_vec())),
        }
    }
}

fn text(input: &Input) -> Option<&str> {
    match input {
        Input::Text(text) => Some(text),
        _ => None,
    }
}

impl Model for Sentences {
    fn answer(&mut self, jobs: Vec<Job>) {
        let reads = |job: &Job| matches!(job.subject(), Some(Input::Text(_)));
        let (jobs, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(reads);
        for job in others {
            match job.subject() {
                Some(_) => job.answer(Err(Fault::failed("a sentence embedder reads text only".to_owned()))),
                None => job.refuse(),
            }
        }
        // All texts of the call first, so that they share forward passes. A failure shows again at its own job.
        let Sentences { reader, labels: known } = self;
        let subjects: Vec<&str> = jobs.iter().filter_map(|job| job.subject().and_then(text)).collect();
        let all: Vec<&str> = jobs.iter().flat_map(labels).map(String::as_str).collect();
        let warm = known.of(&subjects, TextUse::Subject, |texts| reader.read(texts));
        let warm = warm.and_then(|_| known.of(&all, TextUse::Label, |texts| reader.read(texts)));
        if let Err(error) = warm {
            tracing::debug!(%error, "the texts of a call are tried one by one");
        }
        for job in jobs {
            let reply = self.reply(&job);
            job.answer(reply);
        }
    }
}
