//! Qwen3-VL: a decoder that sees pictures of any size (Bai et al. 2025, arXiv 2511.21631). A tower turns patches into vectors; some of
//! its layers give vectors for the first layers of the decoder, too (DeepStack). Positions count time, rows and columns.

mod pictures;
mod tower;

use super::{
    Family, ModelOptions,
    llama::{self, DecoderShape, PictureEye, PictureStates, SeeingDecoder, VideoEye},
};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::{CostModel, Phase},
        decode::TextGenerator,
        dense::Packing,
        failed,
        meter::Meter,
    },
};
use image::RgbImage;
use pictures::{PicturePatches, PictureRule};
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
    packing: Packing::AsStored,
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
    let picture_tokens = ((USUAL_SIDE / tower.patch / tower.merge) as f64).powi(2);
    Ok(CostModel { picture: tower.cost(USUAL_SIDE), picture_tokens, ..llama::cost(&text)? })
}

fn load(
    checkpoint: &Checkpoint,
    loading: &ModelOptions,
) -> std::result::Result<TextGenerator<SeeingDecoder<PatchEye>>, Fault> {
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
    let video_token = config.token("video_token_id", shape.vocab)?.unwrap_or(151_656);
    let rule = PictureRule::read(&checkpoint.processor("image_processor")?, &settings, loading.picture_pixels)?;
    let videos = PictureRule::of_videos(&checkpoint.processor("video_processor")?, &settings, loading.picture_pixels)?;
    let parts = llama::parts(checkpoint, &text, &shape, loading)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let tower = Tower::load(settings, &vb.pp("model.visual")).map_err(failed)?;
    let sections = Some(sections(&text)?);
    let text = match checkpoint.gguf() {
        Some(gguf) => llama::seeing_gguf(gguf, shape, loading, sections)?,
        None => llama::seeing_network(shape, "model.language_model", vb, sections)?,
    };
    let (text, meter) = (text.keeping(loading.kv_cache), loading.meter.clone());
    let eye = PatchEye { tower, rule, videos, video_token };
    Ok(TextGenerator::new(SeeingDecoder { text, eye, token, meter }, parts))
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

/// The mark of a video in a prompt, and of each of its vectors.
const VIDEO_MARK: &str = "<|video_pad|>";

/// The tower with the preparation of its pictures.
struct PatchEye {
    tower: Tower,
    rule: PictureRule,
    videos: PictureRule,
    video_token: u32,
}

impl PatchEye {
    /// The vectors of a prepared picture or piece of a video.
    fn states(&self, prepared: &PicturePatches, meter: &Meter) -> std::result::Result<PictureStates, Fault> {
        let (states, deep) = meter.time(Phase::Picture, 1, || self.tower.see(prepared)).map_err(failed)?;
        let grid = self.tower.grid(prepared);
        let text = Self::MARK.repeat((grid.0 * grid.1) as usize);
        Ok(PictureStates { grid, states, deep, text })
    }
}

impl PictureEye for PatchEye {
    const MARK: &'static str = "<|image_pad|>";

    fn look(&self, picture: &RgbImage, meter: &Meter) -> std::result::Result<PictureStates, Fault> {
        self.states(&self.rule.apply(picture)?, meter)
    }

    fn video(&self) -> Option<&dyn VideoEye> {
        Some(self)
    }
}

impl VideoEye for PatchEye {
    fn mark(&self) -> (u32, &str) {
        (self.video_token, VIDEO_MARK)
    }

    fn frames(&self) -> usize {
        self.tower.frames()
    }

    fn watch(&self, piece: &[&RgbImage], all: usize, meter: &Meter) -> std::result::Result<PictureStates, Fault> {
        self.states(&self.videos.apply_frames(piece, all)?, meter)
    }

    // The chat template writes the marks of start and end around the whole video too, and transformers keeps them.
    fn text(&self, vectors: u32, seconds: f64) -> String {
        format!("<{seconds:.1} seconds><|vision_start|>{}<|vision_end|>", VIDEO_MARK.repeat(vectors as usize))
    }
}
