//! Qwen3-VL: a decoder that sees pictures of any size (Bai et al. 2025, arXiv 2511.21631). A tower turns patches into vectors; some of
//! its layers give vectors for the first layers of the decoder, too (DeepStack). Positions count time, rows and columns.

mod pictures;
mod tower;

use super::{
    Family, ModelOptions,
    llama::{self, DecoderShape, KvCache, Llama, PictureStates},
};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::{CostModel, Phase},
        decode::{CacheRow, Decoder, TextGenerator},
        failed,
        image::fingerprint,
        meter::Meter,
        seen::SeenPicture,
    },
};
use candle_core::{Result, Tensor};
use image::RgbImage;
use pictures::PictureRule;
use serde_json::Value as Json;
use tower::{Tower, TowerConfig};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "qwen3_vl",
    about: "answers prompts about pictures, and chats",
    answers: ANSWERS,
    own_labels: false,
    recognises: |config| config.is_type(&["qwen3_vl"], &["Qwen3VLForConditionalGeneration"]),
    floors: false,
    cost,
    load: |checkpoint, loading| Ok(Box::new(load(checkpoint, loading)?)),
};

/// What a decoder that sees answers.
pub(super) const ANSWERS: &[Answers] = &[
    Answers::new(Kind::Look, &[Modality::Text, Modality::Image]),
    Answers::new(Kind::Say, &[Modality::Text, Modality::Image]),
];

/// A usual picture for an estimate of the work: 448 × 448 pixels.
const USUAL_SIDE: usize = 448;

/// The work of the decoder for a token, and of the tower for a picture of usual size.
fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let text = config.part("text_config")?;
    let tower = TowerConfig::read(&config.part("vision_config")?)?;
    Ok(CostModel { picture: tower.cost(USUAL_SIDE), ..llama::cost(&text)? })
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<TextGenerator<Qwen3Vl>, Fault> {
    let (config, text) = (&checkpoint.config, checkpoint.config.part("text_config")?);
    let tied = config.truth("tie_word_embeddings")?.or(text.truth("tie_word_embeddings")?).unwrap_or(false);
    let shape = DecoderShape::read(&text)?.tied(tied);
    let settings = TowerConfig::read(&config.part("vision_config")?)?;
    if settings.out != shape.width {
        let why =
            format!("`out_hidden_size` must be {}, the width of the decoder, found {}", shape.width, settings.out);
        return Err(Fault::model(format!("{}: {why}", config.name())));
    }
    let token = config.token("image_token_id", shape.vocab)?.unwrap_or(151_655);
    let rule = PictureRule::read(&checkpoint.processor("image_processor")?, &settings, loading.picture_pixels)?;
    let parts = llama::parts(checkpoint, &text, &shape, loading)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let tower = Tower::load(settings, &vb.pp("model.visual")).map_err(failed)?;
    let text = llama::seeing_network(shape, "model.language_model", vb, Some(sections(&text)?))?;
    let meter = loading.meter.clone();
    Ok(TextGenerator::new(Qwen3Vl { text, tower, rule, token, meter }, parts))
}

/// The pairs of dimensions for time, rows and columns.
fn sections(text: &Config) -> std::result::Result<[usize; 3], Fault> {
    let scaling = text.part("rope_scaling")?;
    let rope = if scaling.is_empty() { text.part("rope_parameters")? } else { scaling };
    let listed = rope.list("mrope_section")?;
    if listed.is_empty() {
        return Ok([24, 20, 20]);
    }
    let counts: Option<Vec<usize>> = listed
        .iter()
        .map(|count| {
            count.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= *within::HEADS.end())
        })
        .collect();
    match counts.as_deref() {
        Some([time, rows, columns]) => Ok([*time, *rows, *columns]),
        _ => Err(rope.wrong("mrope_section", "three whole numbers", &Json::Array(listed.to_vec()))),
    }
}

/// The mark of a picture in a prompt, and of each of its vectors.
const MARK: &str = "<|image_pad|>";

/// The network.
struct Qwen3Vl {
    text: Llama,
    tower: Tower,
    rule: PictureRule,
    /// Stands for a picture in a prompt.
    token: u32,
    meter: Meter,
}

impl Decoder for Qwen3Vl {
    type Cache = KvCache;

    fn cache(&self) -> KvCache {
        self.text.cache()
    }

    fn forward(&self, rows: &mut [CacheRow<'_, KvCache>], all: bool) -> Result<Tensor> {
        self.text.forward(rows, all)
    }

    fn picture_mark(&self) -> Option<(u32, &str)> {
        Some((self.token, MARK))
    }

    fn see(&mut self, pictures: &[&RgbImage]) -> std::result::Result<Vec<SeenPicture>, Fault> {
        let mut seen = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let print = fingerprint(picture);
            if self.text.sight.get(&print).is_none() {
                let prepared = self.rule.apply(picture)?;
                let look = || self.tower.see(&prepared);
                let (states, deep) = self.meter.time(Phase::Picture, 1, look).map_err(failed)?;
                let grid = self.tower.grid(&prepared);
                self.text.sight.keep(print, PictureStates { grid, states, deep });
            }
            let (rows, columns) = self.text.sight.get(&print).map_or((0, 0), |states| states.grid);
            let vectors = rows * columns;
            seen.push(SeenPicture { print, vectors, text: MARK.repeat(vectors as usize) });
        }
        Ok(seen)
    }

    fn rest(&mut self) {
        self.text.sight.rest();
    }
}
