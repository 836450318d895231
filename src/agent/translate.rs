//! The translator (`translate:` in an agent file): an image classifier and a text embedder that never met, as one agent
//! that ranks an image among any words.
//!
//! The method is ConSE (Norouzi et al. 2013, arXiv 1312.5650): the vector of an image is the mean of the vectors of the
//! labels that the classifier finds likeliest, weighted by their probabilities, at unit length. It lies in the space of
//! the embedder, so that its cosine with the vector of any text is a score.

use super::{Agent, CallContext, Card, local::LocalAgent};
use crate::{
    error::Fault,
    exchange::{Answers, EmbedRequest, FloorUse, Item, Kind, LabelList, Modality, RankRequest, Reply, Request},
    store::vectors::{ModelDigest, VectorStore},
    value::Scored,
};
use async_trait::async_trait;
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, TryChunksError},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The default number of labels that decide the vector of an image, as in the paper.
pub const LABELS: usize = 10;
/// The scale of cosines before the softmax over candidates. Of 5 to 60, it gave the right words of 24 photographs the
/// highest likelihood among 2,277 words (EfficientNet-Lite0 through all-MiniLM-L6-v2).
const SCALE: f64 = 20.0;
/// Changes to the method that change replies raise it, because it is part of the identity.
const REVISION: u32 = 1;
/// The maximum number of texts that wait at the embedder at the same time.
const AT_ONCE: usize = 64;
/// The maximum vectors in memory; a cache that would exceed it is emptied first.
const MAX_KNOWN: usize = 8192;

/// The settings of a translator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslateSpec {
    /// The agent that classifies images.
    pub eye: String,
    /// The agent that embeds texts.
    pub words: String,
    /// The number of labels that decide the vector of an image.
    pub labels: usize,
    /// The meanings of labels. The vector of a label with a meaning is that of both texts.
    pub senses: BTreeMap<String, String>,
}

/// An agent made of an image classifier and a text embedder.
pub struct TranslateAgent {
    card: Card,
    eye: Arc<dyn Agent>,
    words: Arc<dyn Agent>,
    labels: usize,
    senses: BTreeMap<String, String>,
    vectors: VectorStore,
    model: ModelDigest,
    known: Mutex<HashMap<String, Arc<Vec<f32>>>>,
}

impl TranslateAgent {
    /// Joins two agents. Label vectors are kept in `vectors`. Fails if `eye` has no labels of its own for images, or if
    /// `words` does not embed texts.
    pub fn new(
        name: &str,
        spec: &TranslateSpec,
        eye: Arc<dyn Agent>,
        words: Arc<dyn Agent>,
        vectors: VectorStore,
    ) -> Result<TranslateAgent, Fault> {
        let answers = |agent: &dyn Agent, kind: Kind, content: Modality| {
            agent.card().answers.iter().any(|able| able.kind == kind && able.takes.has(content))
        };
        let unfit = |key: &str, agent: &str, expected: &str| {
            Err(Fault::model(format!("found `{agent}` for `{key}` of `translate`, expected {expected}")).of(name))
        };
        if !eye.card().own_labels || !answers(&*eye, Kind::Rank, Modality::Image) {
            return unfit("eye", &spec.eye, "an image classifier with labels of its own");
        }
        if !answers(&*words, Kind::Embed, Modality::Text) {
            return unfit("words", &spec.words, "an agent that embeds texts");
        }
        let (seen, read) = (&eye.card().identity, &words.card().identity);
        let content = &[Modality::Text, Modality::Image];
        let senses = match spec.senses.is_empty() {
            true => String::new(),
            false => format!(" senses {}", blake3::hash(format!("{:?}", spec.senses).as_bytes()).to_hex()),
        };
        let card = Card {
            name: name.to_owned(),
            answers: vec![Answers::new(Kind::Rank, content), Answers::new(Kind::Embed, content)],
            identity: format!("translate {REVISION} {}{senses} [{seen}] [{read}]", spec.labels),
            memo: eye.card().memo && words.card().memo,
            own_labels: true,
        };
        let model = ModelDigest::of(&format!("text of {read}"));
        let (labels, senses) = (spec.labels, spec.senses.clone());
        Ok(TranslateAgent { card, eye, words, labels, senses, vectors, model, known: Mutex::default() })
    }

    /// The vectors of labels, in their order: from memory, from the store, and else from the embedder.
    async fn read(&self, texts: &[String]) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        let unknown: Vec<String> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() > MAX_KNOWN {
                known.clear();
            }
            let mut seen = HashSet::new();
            let new = texts.iter().filter(|text| !known.contains_key(*text) && seen.insert(*text));
            new.cloned().collect()
        };
        let found = self.fetch(unknown).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(found);
        let lost = || Fault::failed("the vector of a text is lost: this is a bug");
        texts.iter().map(|text| known.get(text).cloned().ok_or_else(lost)).collect()
    }

    /// The vectors of texts that memory lacks.
    async fn fetch(&self, texts: Vec<String>) -> Result<Vec<(String, Arc<Vec<f32>>)>, Fault> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (store, model, asked) = (self.vectors.clone(), self.model, texts.clone());
        let stored = tokio::task::spawn_blocking(move || {
            store.get_many(model, &asked.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let stored = stored.await.map_err(|error| Fault::failed(format!("the vectors cannot be read: {error}")))?;
        let (mut all, mut missing) = (Vec::new(), Vec::new());
        for (text, vector) in texts.into_iter().zip(stored) {
            match vector {
                Some(vector) => all.push((text, Arc::new(vector))),
                None => missing.push(text),
            }
        }
        let embedded = stream::iter(missing).map(|text| async move {
            let vector = self.embed(Item::Text(text.clone())).await?;
            Ok::<_, Fault>((text, Arc::new(vector)))
        });
        // kept piece by piece, so that a run that is interrupted loses little
        let mut pieces = embedded.buffer_unordered(AT_ONCE).try_chunks(AT_ONCE);
        while let Some(piece) = pieces.next().await {
            let (new, failed) = match piece {
                Ok(new) => (new, None),
                Err(TryChunksError(new, fault)) => (new, Some(fault)),
            };
            self.keep(&new).await?;
            if let Some(fault) = failed {
                return Err(fault);
            }
            all.extend(new);
        }
        Ok(all)
    }

    /// Adds vectors of texts to the store.
    async fn keep(&self, new: &[(String, Arc<Vec<f32>>)]) -> Result<(), Fault> {
        let (store, model, rows) = (self.vectors.clone(), self.model, new.to_vec());
        let kept = tokio::task::spawn_blocking(move || {
            let rows: Vec<(&str, &[f32])> = rows.iter().map(|(text, v)| (text.as_str(), v.as_slice())).collect();
            store.put_many(model, &rows);
        });
        kept.await.map_err(|error| Fault::failed(format!("the vectors cannot be kept: {error}")))
    }

    /// The vector of a text, from the embedder.
    async fn embed(&self, what: Item) -> Result<Vec<f32>, Fault> {
        match self.words.ask(Request::Embed(EmbedRequest::new(what)), CallContext::default()).await? {
            Reply::Embed(vector) => Ok(vector),
            _ => Err(Fault::failed("the embedder did not reply with a vector: this is a bug")),
        }
    }

    /// All labels of the classifier for an image, best first.
    async fn see(&self, what: Item) -> Result<Vec<Scored>, Fault> {
        let request =
            RankRequest { what, among: LabelList::default(), texts: LabelList::default(), floor: FloorUse::Unused };
        let request = Request::Rank(request);
        let reply = self.eye.ask(request.clone(), CallContext::default()).await?;
        request.fits(&reply).map_err(|why| Fault::failed(why).of(&self.eye.card().name))?;
        match reply {
            Reply::Rank(labels) => Ok(labels),
            _ => Err(Fault::failed("the reply of the classifier has no labels: this is a bug")),
        }
    }

    /// The vector of an item in the embedder's space, at unit length.
    async fn vector(&self, what: Item) -> Result<Vec<f32>, Fault> {
        if let Item::Text(_) = what {
            return self.embed(what).await;
        }
        let mut labels = self.see(what).await?;
        labels.truncate(self.labels);
        let astray = || Fault::model("the likeliest labels have no common direction").of(&self.card.name);
        let vectors = self.meant(&labels).await?.ok_or_else(astray)?;
        mean(labels.iter().map(|label| f64::from(label.probability)).zip(vectors.iter().map(|v| v.as_slice())))
            .ok_or_else(astray)
    }

    /// The vectors of labels: of the name alone, or of the name and its meaning together; none if such a pair cancels out.
    async fn meant(&self, labels: &[Scored]) -> Result<Option<Vec<Vec<f32>>>, Fault> {
        let names: Vec<String> = labels.iter().map(|label| label.text.clone()).collect();
        let senses: Vec<String> = names.iter().map(|name| self.senses.get(name).unwrap_or(name).clone()).collect();
        let (names, senses) = (self.read(&names).await?, self.read(&senses).await?);
        let pairs = names.iter().zip(&senses);
        Ok(pairs.map(|(name, sense)| mean([(1.0, name.as_slice()), (1.0, sense.as_slice())].into_iter())).collect())
    }

    async fn rank(&self, request: RankRequest) -> Result<Reply, Fault> {
        if request.floor == FloorUse::Required {
            return Err(needs_no_floor(&self.card.name));
        }
        if request.wants_own_labels() {
            return self.see(request.what).await.map(Reply::Rank);
        }
        let RankRequest { what, among, .. } = request;
        // The words themselves, and not `texts`: the classifier's labels have no wording. Among 2,277 words, 15 of 24
        // photographs have a right word first; with `a photo of a {}` around the words alone, 11 have.
        let (what, labels) = (self.vector(what).await?, self.read(&among).await?);
        let cosines: Vec<f64> = labels.iter().map(|label| dot(&what, label)).collect();
        let most = cosines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = cosines.iter().map(|cosine| (SCALE * (cosine - most)).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let scored = among.iter().cloned().zip(cosines).zip(powers).map(|((text, cosine), power)| {
            let (score, probability) = (cosine as f32, (power / sum) as f32);
            Scored { text, score, probability, floor: None }
        });
        Ok(Reply::Rank(scored.collect()))
    }
}

/// The fault of a step with `floor: true` that asks a translator.
pub(super) fn needs_no_floor(name: &str) -> Fault {
    Fault::model("a step ranks with `floor: true`, and a translator states no floors")
        .hint("write `floor: optional`, or give the role a contrastive model such as CLIP")
        .of(name)
}

/// The sum of vectors times their weights, at unit length; none if it is zero or not finite.
fn mean<'a>(weighted: impl Iterator<Item = (f64, &'a [f32])>) -> Option<Vec<f32>> {
    let mut sum: Vec<f64> = Vec::new();
    for (weight, vector) in weighted {
        sum.resize(vector.len().max(sum.len()), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += weight * f64::from(*value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length.is_finite() && length > 1e-12).then(|| sum.iter().map(|value| (value / length) as f32).collect())
}

/// The cosine of two vectors of unit length.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

#[async_trait]
impl Agent for TranslateAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    fn locals(&self) -> Vec<&LocalAgent> {
        let mut all = self.eye.locals();
        all.extend(self.words.locals());
        all
    }

    fn parts(&self, request: &Request) -> Vec<(&LocalAgent, Request)> {
        let read = |texts: &[String]| {
            let stored = self.vectors.get_many(self.model, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            let unknown = texts.iter().zip(stored).filter(|(_, vector)| vector.is_none());
            unknown.map(|(text, _)| Item::Text(text.clone())).collect::<Vec<_>>()
        };
        let (what, mut texts) = match request {
            Request::Rank(rank) => (&rank.what, read(&rank.among)),
            Request::Embed(embed) => (&embed.what, Vec::new()),
            _ => return Vec::new(),
        };
        let mut parts = Vec::new();
        match what {
            Item::Text(_) => texts.push(what.clone()),
            _ => {
                let (among, texts) = (LabelList::default(), LabelList::default());
                let own = RankRequest { what: what.clone(), among, texts, floor: FloorUse::Unused };
                parts.extend(self.eye.parts(&Request::Rank(own)));
            }
        }
        for what in texts {
            parts.extend(self.words.parts(&Request::Embed(EmbedRequest::new(what))));
        }
        parts
    }

    async fn ready(&self) -> Result<(), Fault> {
        self.eye.ready().await?;
        self.words.ready().await
    }

    async fn ask(&self, request: Request, _: CallContext) -> Result<Reply, Fault> {
        self.card.check(&request)?;
        match request {
            Request::Rank(rank) => self.rank(rank).await,
            Request::Embed(EmbedRequest { what, .. }) => self.vector(what).await.map(Reply::Embed),
            _ => Err(Fault::failed("a translator answers `rank` and `embed` only").of(&self.card.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::script::ScriptAgent, dialogue, value::ImageFile};

    fn script(name: &str, replies: &str) -> Arc<dyn Agent> {
        let file = dialogue::agent_file(&format!("script: {replies}"), "agents/a.yaml").expect("an agent file");
        Arc::new(ScriptAgent::new(name, file.script.expect("a script").value))
    }

    /// A translator of a classifier that sees a pan and a wok, with an embedder that knows four words.
    fn translator(labels: usize, store: VectorStore) -> TranslateAgent {
        let spec = TranslateSpec { eye: "eye".into(), words: "words".into(), labels, senses: BTreeMap::new() };
        let eye = script("eye", "{ '': { wok: 1, pan: 3, dog: 0 } }");
        let words = script("words", "{ pan: [1, 0, 0], wok: [0, 1, 0], dog: [0, 0, 1], kitchen: [0.6, 0.8, 0] }");
        TranslateAgent::new("t", &spec, eye, words, store).expect("they fit")
    }

    fn image() -> Item {
        Item::Image(ImageFile { path: "a.png".into(), digest: "d".into() })
    }

    fn rank(among: &[&str]) -> Request {
        let among: LabelList = among.iter().map(|label| (*label).to_owned()).collect();
        Request::Rank(RankRequest { what: image(), texts: among.clone(), among, floor: FloorUse::Unused })
    }

    async fn ask(agent: &TranslateAgent, request: Request) -> Result<Reply, String> {
        let reply = agent.ask(request.clone(), CallContext::default()).await.map_err(|fault| fault.to_string())?;
        request.fits(&reply).map(|()| reply)
    }

    #[tokio::test]
    async fn an_image_lies_between_its_likeliest_labels() {
        let check = async |labels: usize, expected: [f32; 3]| {
            let request = Request::Embed(EmbedRequest::new(image()));
            let Ok(Reply::Embed(vector)) = ask(&translator(labels, VectorStore::default()), request).await else {
                panic!("a vector")
            };
            assert!(vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{vector:?}");
        };
        check(1, [1.0, 0.0, 0.0]).await;
        check(2, [3.0 / 10f32.sqrt(), 1.0 / 10f32.sqrt(), 0.0]).await;
    }

    #[tokio::test]
    async fn a_meaning_moves_its_label() {
        let plain = translator(1, VectorStore::default());
        let senses = BTreeMap::from([("pan".to_owned(), "kitchen".to_owned())]);
        let spec = TranslateSpec { eye: "eye".into(), words: "words".into(), labels: 1, senses };
        let (eye, words) = (plain.eye.clone(), plain.words.clone());
        let agent = TranslateAgent::new("t", &spec, eye, words, VectorStore::default()).expect("they fit");
        assert_ne!(agent.card.identity, plain.card.identity);
        let Ok(Reply::Embed(vector)) = ask(&agent, Request::Embed(EmbedRequest::new(image()))).await else {
            panic!("a vector")
        };
        let length = (1.6f32 * 1.6 + 0.8 * 0.8).sqrt();
        let expected = [1.6 / length, 0.8 / length, 0.0];
        assert!(vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{vector:?}");
        let Ok(Reply::Rank(own)) = ask(&agent, rank(&[])).await else { panic!("labels") };
        assert_eq!(own[0].text, "pan");
    }

    #[tokio::test]
    async fn any_words_are_ranked() {
        let agent = translator(2, VectorStore::default());
        let Ok(Reply::Rank(scored)) = ask(&agent, rank(&["dog", "kitchen"])).await else { panic!("scores") };
        let expected = (3.0 * 0.6 + 0.8) / 10f32.sqrt();
        assert!((scored[0].score, scored[0].text.as_str()) == (0.0, "dog"), "{scored:?}");
        assert!((scored[1].score - expected).abs() < 1e-6, "{scored:?}");
        let odds = (20.0 * expected).exp();
        assert!((scored[1].probability - odds / (1.0 + odds)).abs() < 1e-6, "{scored:?}");
        let Ok(Reply::Rank(own)) = ask(&agent, rank(&[])).await else { panic!("labels") };
        assert_eq!(own.iter().map(|label| label.text.as_str()).collect::<Vec<_>>(), ["pan", "wok", "dog"]);
    }

    #[tokio::test]
    async fn a_label_is_embedded_once_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = || VectorStore::at(folder.path());
        assert!(ask(&translator(2, store()), rank(&["kitchen"])).await.is_ok());
        // this embedder knows nothing, so every vector must come from the store
        let spec = TranslateSpec { eye: "eye".into(), words: "words".into(), labels: 2, senses: BTreeMap::new() };
        let known = translator(2, store());
        let words = script("words", "{ none: [1, 0, 0] }");
        let agent =
            TranslateAgent { words, ..TranslateAgent::new("t", &spec, known.eye, known.words, store()).expect("fits") };
        assert!(ask(&agent, rank(&["kitchen"])).await.is_ok());
        assert!(ask(&agent, rank(&["dog"])).await.is_err());
    }

    #[tokio::test]
    async fn vectors_are_kept_while_others_are_computed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = || VectorStore::at(folder.path());
        let texts: Vec<String> = (0..3 * AT_ONCE).map(|n| format!("label {n}")).collect();
        // an embedder that knows all but the last text
        let known = texts[..texts.len() - 1].iter().map(|text| format!("{text}.: [1, 0, 0]")).collect::<Vec<_>>();
        let words = script("words", &format!("{{ {} }}", known.join(", ")));
        let spec = TranslateSpec { eye: "eye".into(), words: "words".into(), labels: 2, senses: BTreeMap::new() };
        let agent = TranslateAgent::new("t", &spec, translator(2, store()).eye.clone(), words, store()).expect("fits");
        let texts: Vec<String> = texts.into_iter().map(|text| text + ".").collect();
        assert!(agent.read(&texts).await.is_err());
        let names: Vec<&str> = texts.iter().map(String::as_str).collect();
        let kept = store().get_many(agent.model, &names).into_iter().flatten().count();
        assert_eq!(kept, texts.len() - 1);
    }

    #[tokio::test]
    async fn agents_that_do_not_fit_are_refused() {
        let spec = TranslateSpec { eye: "a".into(), words: "b".into(), labels: 1, senses: BTreeMap::new() };
        let person = || {
            struct Nobody;
            #[async_trait::async_trait]
            impl crate::agent::person::LineReader for Nobody {
                fn given(&self, _: &str) -> Option<String> {
                    None
                }
                async fn line(&self, _: &str) -> Result<String, String> {
                    Err("no terminal".into())
                }
            }
            Arc::new(crate::agent::person::PersonAgent::new("p", None, Arc::new(Nobody))) as Arc<dyn Agent>
        };
        let error = TranslateAgent::new("t", &spec, person(), person(), VectorStore::default()).err().expect("refused");
        assert_eq!(error.to_string(), "t: found `b` for `words` of `translate`, expected an agent that embeds texts");
        let agent = translator(1, VectorStore::default());
        let floors = RankRequest {
            what: image(),
            among: vec!["a".into()].into(),
            texts: vec!["a".into()].into(),
            floor: FloorUse::Required,
        };
        let error = ask(&agent, Request::Rank(floors)).await.expect_err("refused");
        assert_eq!(error, "t: a step ranks with `floor: true`, and a translator states no floors");
    }
}
