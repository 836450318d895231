//! OWLv2: finds boxes for words in a picture (Minderer et al. 2023, arXiv 2306.09683). A vision transformer gives each
//! patch one box and one vector, which is compared with the vectors of the words.
//!
//! Our own code: no crate has it for candle. The text tower is that of CLIP.

mod net;
mod picture;

use super::{Family, ModelOptions, clip::ClipWords};
use crate::{
    error::Fault,
    exchange::{Answers, DetectRequest, Detection, Kind, Modality, Reply, Request, suppressed},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        contrast::{LabelReader, Lazy, TowerSource},
        cost::{CostModel, Phase},
        dense::Packing,
        failed,
        image::{Fingerprint, fingerprint},
        job::{Input, Job, Model},
        labels::{LabelVectors, TextUse},
        not_finite, ops,
        prenorm::TowerDefaults,
        text::{TextTokenizer, VocabStyle},
        towers::{PairDefaults, TowerPair},
    },
};
use candle_core::{DType, Tensor};
use image::RgbImage;
use net::{Detector, Regions};
use picture::SquarePreparation;
use std::sync::Arc;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "owlv2",
    about: "finds boxes for words in images",
    answers: &[Answers::new(Kind::Detect, &[Modality::Image])],
    own_labels: false,
    recognises: |config| config.is_type(&["owlv2"], &["Owlv2ForObjectDetection"]),
    floors: false,
    packing: Packing::Int8,
    cost: |config| Settings::read(config).map(|settings| settings.cost()),
    load,
};

/// Absent keys have the values of transformers' `Owlv2TextConfig` and `Owlv2VisionConfig`.
const DEFAULTS: PairDefaults = PairDefaults {
    image: TowerDefaults { width: 768, inner: 3072, heads: 12, eps: 1e-5, activation: "quick_gelu" },
    side: 768,
    patch: 16,
    text: TowerDefaults { width: 512, inner: 2048, heads: 8, eps: 1e-5, activation: "quick_gelu" },
    vocab: 49408,
    positions: 16,
};

/// The largest id of a text marks its end, whatever end token the configuration states.
const LARGEST_ID: u32 = 2;

/// The settings in `config.json`.
#[derive(Debug, Clone, Copy)]
struct Settings {
    towers: TowerPair,
    /// The width of a text's vector.
    width: usize,
}

impl Settings {
    /// Fails if a value is out of range, or if the widths of both towers do not fit.
    fn read(config: &Config) -> Result<Settings, Fault> {
        let towers = TowerPair::read(&config.part("vision_config")?, &config.part("text_config")?, DEFAULTS)?;
        let width = config.count("projection_dim", within::WIDTH)?.unwrap_or(512);
        if width != towers.text.width {
            let why =
                format!("`projection_dim` must be {}, the width of the text tower, found {width}", towers.text.width);
            return Err(Fault::model(format!("{}: {why}", config.name())));
        }
        Ok(Settings { towers, width })
    }

    fn cost(&self) -> CostModel {
        let all = self.towers.cost();
        let wide = self.towers.image.width as f64;
        let heads = 2.0 * self.towers.patches() as f64 * wide * (2.0 * wide + self.width as f64);
        CostModel { picture: all.picture.with(heads), alone: true, ..all }
    }
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> Result<Box<dyn Model>, Fault> {
    let Settings { towers, width } = Settings::read(&checkpoint.config)?;
    let towers = towers.with(loading.precision);
    TextTokenizer::limit(checkpoint)?;
    let preparation = SquarePreparation::read(&checkpoint.processor("image_processor")?, towers.side)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let source = checkpoint.clone();
    let tokens = move || {
        let tokenizer = TextTokenizer::open(&source, VocabStyle::Clip)?;
        let max_tokens = tokenizer.max_tokens(towers.positions);
        let encode = move |text: &str| tokenizer.encode_within(text, max_tokens);
        Ok(Box::new(encode) as Box<dyn Fn(&str) -> Result<Vec<u32>, Fault>>)
    };
    let tower = Lazy::text(move |vb| ClipWords::load(&towers, LARGEST_ID, width, &vb.pp("owlv2")));
    let words = LabelReader::new(tower, Box::new(tokens), LabelVectors::new(loading.labels.clone(), width));
    words.check(&checkpoint.headers(loading.dtype)?)?;
    let detector = Detector::load(&towers, width, &vb).map_err(failed)?;
    let source = TowerSource::new(checkpoint, vb, loading.meter.clone());
    Ok(Box::new(Owl { source, detector, preparation, words, side: towers.side, dtype: loading.dtype, last: None }))
}

/// A loaded model.
struct Owl {
    source: TowerSource,
    detector: Detector,
    preparation: SquarePreparation,
    words: LabelReader,
    side: usize,
    dtype: DType,
    /// The picture that was seen last. A dialogue may ask about it with several lists of words.
    last: Option<(Fingerprint, Arc<Regions>)>,
}

impl Owl {
    /// What is in a picture.
    fn see(&mut self, picture: &RgbImage) -> Result<Arc<Regions>, Fault> {
        let print = fingerprint(picture);
        if let Some((known, regions)) = &self.last
            && *known == print
        {
            return Ok(regions.clone());
        }
        let see = || {
            let values = self.preparation.apply(picture)?;
            let pixels = Tensor::from_vec(values, (1, 3, self.side, self.side), self.source.device());
            pixels.and_then(|x| self.detector.see(&x.to_dtype(self.dtype)?)).map_err(failed)
        };
        let regions = Arc::new(self.source.meter.time(Phase::Picture, 1, see)?);
        self.last = Some((print, regions.clone()));
        Ok(regions)
    }

    fn detect(&mut self, job: &Job) -> Result<Reply, Fault> {
        let (Request::Detect(request), Some(Input::Image(picture))) = (&job.request, job.subject()) else {
            return Err(Fault::failed("this model finds boxes in pictures, and nothing else"));
        };
        let DetectRequest { among, texts, min, overlap, .. } = request;
        if among.is_empty() {
            return Ok(Reply::Detect(Vec::new()));
        }
        let labels =
            self.words.read(&self.source, &texts.iter().map(String::as_str).collect::<Vec<_>>(), TextUse::Label)?;
        let regions = self.see(picture)?;
        let rows = labels.iter().flat_map(|label| label.iter().copied()).collect();
        let labels = Tensor::from_vec(rows, (labels.len(), labels[0].len()), self.source.device());
        let best = labels.and_then(|labels| regions.best(&labels)).map_err(failed)?;
        let mut found = Vec::new();
        for ((label, logit), sides) in best.into_iter().zip(&regions.boxes) {
            if let Some(odd) = [logit].iter().chain(sides).find(|n| !n.is_finite()) {
                return Err(not_finite("the boxes", *odd));
            }
            let score = ops::sigmoid(f64::from(logit)) as f32;
            if score > *min
                && let Some(area) = within_picture(*sides, picture)
            {
                found.push(Detection { label: among[label].clone(), score, area });
            }
        }
        Ok(Reply::Detect(suppressed(found, *overlap)))
    }
}

/// Centre and size as shares of the padded square -> left, top, right and bottom in pixels of the picture; none if the
/// box is in the padding.
fn within_picture([x, y, width, height]: [f32; 4], picture: &RgbImage) -> Option<[f32; 4]> {
    let (right, bottom) = (picture.width() as f32, picture.height() as f32);
    let side = right.max(bottom);
    let at = |centre: f32, half: f32, end: f32| ((centre + half) * side).clamp(0.0, end);
    let area = [
        at(x, -width / 2.0, right),
        at(y, -height / 2.0, bottom),
        at(x, width / 2.0, right),
        at(y, height / 2.0, bottom),
    ];
    (area[0] < area[2] && area[1] < area[3]).then_some(area)
}

impl Model for Owl {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            // the caller may have left while other pictures were looked at
            if !job.gone() {
                let reply = self.detect(&job);
                job.answer(reply);
            }
        }
    }
}
