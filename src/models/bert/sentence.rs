//! An encoder as a sentence embedder, as sentence-transformers uses it.

use super::{
    super::ModelOptions,
    encoder::{self, TextEncoder},
    modules::Modules,
};
use crate::{
    error::Fault,
    exchange::{EmbedPurpose, FloorUse, RankRequest, Reply, Request},
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
    prompts: Prompts,
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
        let prompts = Prompts::read(checkpoint)?;
        Ok(Sentences { reader: Reader { encoder, modules, text, prompts }, labels })
    }
}

/// The prompts that sentence-transformers puts before texts (`config_sentence_transformers.json`).
#[derive(Debug, Default)]
struct Prompts {
    /// Before every text without a purpose.
    usual: String,
    query: Option<String>,
    document: Option<String>,
}

impl Prompts {
    fn read(checkpoint: &Checkpoint) -> Result<Prompts, Fault> {
        let Some(config) = checkpoint.json("config_sentence_transformers.json")? else { return Ok(Prompts::default()) };
        let prompts = config.part("prompts")?;
        let named = |name: &str| Ok::<_, Fault>(prompts.string(name)?.map(str::to_owned));
        let usual = match config.string("default_prompt_name")? {
            Some(name) => named(name)?.unwrap_or_default(),
            None => String::new(),
        };
        let document = match named("document")? {
            Some(prompt) => Some(prompt),
            None => named("passage")?,
        };
        Ok(Prompts { usual, query: named("query")?, document })
    }

    /// The text with the prompt for its purpose.
    fn before(&self, text: &str, purpose: Option<EmbedPurpose>) -> String {
        let own = match purpose {
            Some(EmbedPurpose::Query) => self.query.as_ref(),
            Some(EmbedPurpose::Document) => self.document.as_ref(),
            None => None,
        };
        format!("{}{text}", own.unwrap_or(&self.usual))
    }
}

impl Reader {
    /// Unit vectors of texts, which have their prompts.
    fn read(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let encode = |text: &&str| self.text.encoded(text, None);
        let encoded = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        self.encoder.read(&encoded, &mut |states| self.modules.apply(states))
    }
}

impl Reader {
    /// The subject of a job with its prompt; empty if the subject is not a text.
    fn subject(&self, job: &Job) -> Option<String> {
        let purpose = match &job.request {
            Request::Embed(embed) => embed.purpose,
            _ => None,
        };
        job.subject().and_then(text).map(|text| self.prompts.before(text, purpose))
    }

    /// The labels of a job with their prompts.
    fn labels(&self, job: &Job) -> Vec<String> {
        match &job.request {
            Request::Rank(rank) => rank.texts.iter().map(|text| self.prompts.before(text, None)).collect(),
            _ => Vec::new(),
        }
    }
}

fn shared(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

impl Sentences {
    fn reply(&mut self, job: &Job) -> Result<Reply, Fault> {
        let Sentences { reader, labels: known } = self;
        let subject = [reader.subject(job).unwrap_or_default()];
        let what = known.of(&shared(&subject), TextUse::Subject, |texts| reader.read(texts))?.remove(0);
        match &job.request {
            Request::Rank(RankRequest { floor: FloorUse::Required, .. }) => {
                Err(Fault::model("a sentence embedder lacks background vectors, which `floor: true` needs"))
            }
            Request::Rank(RankRequest { among, .. }) => {
                let vectors = known.of(&shared(&reader.labels(job)), TextUse::Label, |texts| reader.read(texts))?;
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
        let subjects: Vec<String> = jobs.iter().filter_map(|job| reader.subject(job)).collect();
        let all: Vec<String> = jobs.iter().flat_map(|job| reader.labels(job)).collect();
        let warm = known.of(&shared(&subjects), TextUse::Subject, |texts| reader.read(texts));
        let warm = warm.and_then(|_| known.of(&shared(&all), TextUse::Label, |texts| reader.read(texts)));
        if let Err(error) = warm {
            tracing::debug!(%error, "the texts of a call are tried one by one");
        }
        for job in jobs {
            let reply = self.reply(&job);
            job.answer(reply);
        }
    }
}
