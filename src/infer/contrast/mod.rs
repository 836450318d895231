//! A contrastive model: an image or sound tower and a text tower whose vectors are compared. CLIP, SigLIP and CLAP bring the
//! towers; this file has their caches, floors and scores, and answers requests.
//!
//! Each tower is loaded at its first use. A run that ranks pictures among labels with known vectors loads no text
//! tower, and a run that embeds texts loads no image tower. The headers of both are checked at once, so that a damaged
//! checkpoint is refused before the first request.

mod reader;
mod tower;

use super::{
    background::Floors,
    checkpoint::Checkpoint,
    cost::Phase,
    failed,
    image::{Fingerprint, fingerprint},
    job::{Input, Job, Model, SoundSource},
    labels::{LabelVectors, TextUse},
    meter::Meter,
    ops,
    perceived::Perceived,
};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality, RankRequest, Reply, Request},
};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use image::RgbImage;
use indexmap::IndexMap;
use rayon::prelude::*;
use std::{collections::HashMap, sync::Arc, time::Instant};

pub use reader::{EncodeText, LabelReader, OpenTokens};
pub use tower::{ImageTower, Lazy, Perception, SoundTower, TextTower, TowerSource};

/// The scores of a picture and a label as probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judge {
    /// softmax(scale · cosine) over the labels of a request, as CLIP.
    Softmax {
        /// The scale of a cosine.
        scale: f64,
    },
    /// sigmoid(scale · cosine + bias), each label alone, as SigLIP.
    Sigmoid {
        /// The scale of a cosine.
        scale: f64,
        /// The addend of a scaled cosine.
        bias: f64,
    },
}

/// The requests that a contrastive model answers.
pub const ANSWERS: &[Answers] = &[
    Answers::new(Kind::Rank, &[Modality::Text, Modality::Image]),
    Answers::new(Kind::Embed, &[Modality::Text, Modality::Image]),
];

/// The parts of a model that its family makes.
pub struct Parts {
    /// The tower that does not read texts.
    pub perception: Perception,
    /// The text tower.
    pub text: Lazy<dyn TextTower>,
    /// Reads the tokenizer.
    pub tokens: OpenTokens,
    /// The length of a vector.
    pub width: usize,
    /// The probabilities.
    pub judge: Judge,
    /// Where the vectors of pictures and of windows of sound are kept.
    pub perceived: Perceived,
    /// Measures the speed.
    pub meter: Meter,
}

/// A loaded contrastive model.
pub struct Contrast {
    source: TowerSource,
    perception: Perception,
    words: LabelReader,
    judge: Judge,
    /// Vectors of pictures and of windows of sound. A run asks for the same moment with each label list.
    perceived: Perceived,
    floors: Floors,
    device: Device,
    dtype: DType,
}

impl Contrast {
    /// Checks the headers of both towers, and loads neither. Fails if a tensor is missing or has another shape than the
    /// configuration states.
    pub fn new(
        checkpoint: &Checkpoint,
        vb: VarBuilder<'static>,
        parts: Parts,
        labels: LabelVectors,
    ) -> Result<Contrast, Fault> {
        let Parts { perception, text, tokens, width, judge, perceived, meter } = parts;
        let headers = checkpoint.headers(vb.dtype())?;
        perception.check(&headers)?;
        let words = LabelReader::new(text, tokens, labels);
        words.check(&headers)?;
        let (device, dtype) = (vb.device().clone(), vb.dtype());
        let source = TowerSource::new(checkpoint, vb, meter);
        let floors = Floors::of(checkpoint, width)?;
        Ok(Contrast { source, perception, words, judge, perceived, floors, device, dtype })
    }

    /// Unit vectors of pictures. Pictures that are not in the cache share a forward pass.
    fn see(&mut self, pictures: &[&RgbImage]) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        let prints: Vec<Fingerprint> = pictures.iter().map(|picture| fingerprint(picture)).collect();
        let mut vectors: HashMap<Fingerprint, Arc<Vec<f32>>> =
            prints.iter().filter_map(|print| Some((*print, self.perceived.get(print)?))).collect();
        let mut unseen: IndexMap<Fingerprint, &RgbImage> = IndexMap::new();
        unseen.extend(prints.iter().zip(pictures).filter(|(p, _)| !vectors.contains_key(*p)).map(|(p, i)| (*p, *i)));
        if !unseen.is_empty() {
            let new = self.look(&unseen.values().copied().collect::<Vec<_>>())?;
            let new = unseen.into_keys().zip(new.into_iter().map(Arc::new));
            new.for_each(|(print, vector)| {
                self.perceived.keep(print, vector.clone());
                vectors.insert(print, vector);
            });
        }
        Ok(prints.iter().map(|print| vectors[print].clone()).collect())
    }

    /// Unit vector of a stretch of sound: the mean of the vectors of its windows, each weighted by its length.
    fn listen(&mut self, sound: &SoundSource) -> Result<Arc<Vec<f32>>, Fault> {
        let Perception::Sounds(tower) = &mut self.perception else { return Err(wrong_input()) };
        let tower = self.source.tower(tower)?;
        let (rate_hz, window) = (tower.rate_hz(), tower.window());
        let (mut from, mut sum) = (0, Vec::new());
        loop {
            let samples = sound.samples(from, from + window, rate_hz)?;
            if samples.is_empty() {
                break;
            }
            let mut hasher = blake3::Hasher::new();
            samples.iter().for_each(|sample| {
                hasher.update(&sample.to_le_bytes());
            });
            let print = *hasher.finalize().as_bytes();
            let vector = match self.perceived.get(&print) {
                Some(known) => known,
                None => {
                    let hear = || tower.hear(&samples).map_err(failed);
                    let vector = Arc::new(self.source.meter.time(Phase::Sound, 1, hear)?);
                    self.perceived.keep(print, vector.clone());
                    vector
                }
            };
            if from == 0 && samples.len() < window {
                return Ok(vector);
            }
            sum.resize(vector.len(), 0.0);
            sum.iter_mut().zip(&*vector).for_each(|(sum, v)| *sum += f64::from(*v) * samples.len() as f64);
            from += samples.len();
            if samples.len() < window {
                break;
            }
        }
        if from == 0 {
            return Err(Fault::media("the sound has no samples"));
        }
        let norm = sum.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        Ok(Arc::new(sum.into_iter().map(|v| (v / norm) as f32).collect()))
    }

    /// Unit vectors of pictures, in one forward pass.
    fn look(&mut self, pictures: &[&RgbImage]) -> Result<Vec<Vec<f32>>, Fault> {
        let Perception::Pictures { tower, preparation, side } = &mut self.perception else { return Err(wrong_input()) };
        let (begun, side) = (Instant::now(), *side);
        let prepare = |picture: &&RgbImage| {
            let (one, height, width) = preparation.apply(picture)?;
            match (height, width) == (side, side) {
                true => Ok(one),
                false => Err(Fault::model(format!(
                    "{} prepares pictures of {width}×{height}, but the model requires {side}×{side}",
                    preparation.name
                ))),
            }
        };
        let values = pictures.par_iter().map(prepare).collect::<Result<Vec<_>, Fault>>()?.concat();
        let shape = (pictures.len(), 3, side, side);
        let pixels = Tensor::from_vec(values, shape, &self.device).and_then(|x| x.to_dtype(self.dtype));
        let prepared = begun.elapsed();
        let tower = self.source.tower(tower)?;
        let begun = Instant::now();
        let see = |pixels: Tensor| match pictures.len() == 1 || tower.may_share() {
            true => tower.see(&pixels),
            false => {
                let alone = (0..pictures.len()).map(|n| tower.see(&pixels.narrow(0, n, 1)?));
                Ok(alone.collect::<candle_core::Result<Vec<_>>>()?.concat())
            }
        };
        let vectors = pixels.and_then(see).map_err(failed);
        self.source.meter.took(Phase::Picture, pictures.len() as f64, prepared + begun.elapsed());
        vectors
    }

    /// Unit vectors of texts.
    fn read(&mut self, texts: &[&str], used: TextUse) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        self.words.read(&self.source, texts, used)
    }

    fn embed(&mut self, inputs: &[&Input]) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        let texts: Vec<&str> =
            inputs.iter().filter_map(|i| if let Input::Text(t) = i { Some(t.as_str()) } else { None }).collect();
        if !texts.is_empty() {
            return self.read(&texts, TextUse::Subject);
        }
        let sounds: Vec<&SoundSource> =
            inputs.iter().filter_map(|i| if let Input::Sound(sound) = i { Some(sound) } else { None }).collect();
        if !sounds.is_empty() {
            return sounds.into_iter().map(|sound| self.listen(sound)).collect();
        }
        let pictures = inputs.iter().filter_map(|i| if let Input::Image(p) = i { Some(&**p) } else { None });
        let mut new = self.see(&pictures.collect::<Vec<_>>())?.into_iter();
        let known = |input: &&Input| if let Input::Seen(vector) = input { Some(vector.clone()) } else { new.next() };
        Ok(inputs.iter().filter_map(known).collect())
    }

    fn finish(&mut self, request: &Request, what: &[f32]) -> Result<Reply, Fault> {
        let Request::Rank(RankRequest { among, texts, floor, .. }) = request else {
            return Ok(Reply::Embed(what.to_vec()));
        };
        let labels = self.read(&texts.iter().map(String::as_str).collect::<Vec<_>>(), TextUse::Label)?;
        let scores: Vec<f32> = labels.iter().map(|label| ops::cosine(what, label)).collect();
        let mut scored = match self.judge {
            Judge::Softmax { scale } => ops::scored(among, &scores, ops::softmax(&scores, scale)),
            Judge::Sigmoid { scale, bias } => {
                let probability = |score: &f32| ops::sigmoid(scale * f64::from(*score) + bias) as f32;
                ops::scored(among, &scores, scores.iter().map(probability).collect())
            }
        };
        if floor.applies(true) {
            self.floors.state(&mut scored, texts, &labels)?;
        }
        Ok(Reply::Rank(scored))
    }
}

impl Model for Contrast {
    fn answer(&mut self, jobs: Vec<Job>) {
        let sees = matches!(self.perception, Perception::Pictures { .. });
        let takes = |job: &Job| match job.subject() {
            Some(Input::Text(_)) => true,
            Some(Input::Image(_) | Input::Seen(_)) => sees,
            Some(Input::Sound(_)) => !sees,
            None => false,
        };
        let (jobs, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(takes);
        others.into_iter().for_each(Job::refuse);
        let inputs: Vec<&Input> = jobs.iter().filter_map(Job::subject).collect();
        let vectors = match self.embed(&inputs) {
            Ok(vectors) => vectors.into_iter().map(Ok).collect(),
            // One bad picture or sound must not fail the others of the batch, so each is tried alone.
            Err(_) if inputs.len() > 1 => inputs.iter().map(|i| self.embed(&[i]).map(|mut v| v.remove(0))).collect(),
            Err(error) => vec![Err(error)],
        };
        let vectors: Vec<Result<_, Fault>> = vectors;
        for (job, vector) in jobs.into_iter().zip(vectors) {
            if let Ok(vector) = &vector {
                job.note(&self.perceived, vector);
            }
            let reply = vector.and_then(|v| self.finish(&job.request, &v));
            job.answer(reply);
        }
    }
}

/// The cards of these models prevent it.
fn wrong_input() -> Fault {
    Fault::model("the model has no tower for this: this is a bug")
}

/// The last map of a tower, (batch, width) -> unit vectors. Each row is multiplied alone, because candle uses other
/// kernels for one row than for many, and a vector must not depend on its batch.
pub fn project(pooled: &Tensor, projection: &ops::Linear) -> candle_core::Result<Vec<Vec<f32>>> {
    let row = |n: usize| ops::unit(&projection.forward(&pooled.narrow(0, n, 1)?)?);
    (0..pooled.dim(0)?).map(row).collect()
}
