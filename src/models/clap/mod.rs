//! CLAP without fusion (`laion/clap-htsat-unfused`): a sound tower and a text tower that were trained on sounds and their
//! descriptions (Wu et al. 2023, arXiv 2211.06687).
//!
//! Our own code: no crate has it for candle. A sound that is longer than the model's window (10 s) is heard window by
//! window, and its vector is the mean of theirs; transformers takes a random window, which would give another answer
//! each time.

mod features;
mod projection;
mod shape;
mod tower;

use super::{
    Family, ModelOptions,
    bert::encoder::{Encoder, Kin},
};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        contrast::{Contrast, Judge, Lazy, Parts, Perception, SoundTower, TextTower},
        cost::{CostModel, Transformer},
        dense::Packing,
        failed,
        job::Model,
        labels::LabelVectors,
        ops::{self, Activation, Linear},
        text::{Encoded, TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};
use features::SoundFeatures;
use projection::Projection;
use shape::HearingShape;
use tower::Hearing;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "clap",
    about: "scores words against sounds; embeds sounds and text",
    answers: &[
        Answers::new(Kind::Rank, &[Modality::Text, Modality::Sound]),
        Answers::new(Kind::Embed, &[Modality::Text, Modality::Sound]),
    ],
    own_labels: false,
    recognises: |config| config.is_type(&["clap"], &["ClapModel"]),
    floors: false,
    packing: Packing::F32,
    cost: |config| Settings::read(config).and_then(|settings| settings.cost(config)),
    load,
};

/// The settings in `config.json`.
#[derive(Debug, Clone)]
struct Settings {
    hearing: HearingShape,
    /// The width of the text tower.
    text: usize,
    /// The length of a vector.
    width: usize,
    activation: Activation,
}

impl Settings {
    /// Fails if a value is out of range, or if the model is one that this code does not compute.
    fn read(config: &Config) -> std::result::Result<Settings, Fault> {
        Ok(Settings {
            hearing: HearingShape::read(&config.part("audio_config")?)?,
            text: config.part("text_config")?.count("hidden_size", within::WIDTH)?.unwrap_or(768),
            width: config.count("projection_dim", within::WIDTH)?.unwrap_or(512),
            activation: config.activation("projection_hidden_act", "relu")?,
        })
    }

    fn cost(&self, config: &Config) -> std::result::Result<CostModel, Fault> {
        let text = Transformer::read(&config.part("text_config")?, (768, 12, 12))?.token();
        Ok(CostModel { sound: self.hearing.cost(), text, text_tokens: 512, window_s: 10.0, ..CostModel::default() })
    }
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let settings = Settings::read(&checkpoint.config)?;
    let words = checkpoint.config.part("text_config")?;
    TextTokenizer::limit(checkpoint)?;
    let preprocessor = checkpoint.processor("feature_extractor")?;
    let HearingShape { bins, spec, .. } = settings.hearing;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let scale = vb.get((), "logit_scale_a").and_then(|s| s.to_dtype(DType::F32)?.to_scalar::<f32>()).map_err(failed)?;
    let (source, width) = (checkpoint.clone(), settings.width);
    let max_tokens = Words::load(&settings, &words, loading, &checkpoint.headers(loading.dtype)?)?.encoder.max_tokens;
    let (shape, options) = (settings.clone(), loading.clone());
    let hear = move |vb: &VarBuilder<'static>| {
        let features = SoundFeatures::read(&preprocessor, bins, spec)?;
        let projection = (settings.width, settings.activation);
        let tower = Hearing::load(&settings.hearing, features, projection, vb).map_err(failed)?;
        Ok(Box::new(tower) as Box<dyn SoundTower>)
    };
    let read =
        move |vb: &VarBuilder<'static>| Ok(Box::new(Words::load(&shape, &words, &options, vb)?) as Box<dyn TextTower>);
    let parts = Parts {
        perception: Perception::Sounds(Lazy::new("sound", hear)),
        text: Lazy::new("text", read),
        tokens: Box::new(move || {
            let tokenizer = TextTokenizer::open(&source, VocabStyle::Roberta)?;
            let max_tokens = tokenizer.max_tokens(max_tokens);
            Ok(Box::new(move |text| tokenizer.encode_within(text, max_tokens)))
        }),
        width,
        judge: Judge::Softmax { scale: f64::from(scale).exp() },
        perceived: loading.perceived.clone(),
        meter: loading.meter.clone(),
    };
    let labels = LabelVectors::new(loading.labels.clone(), width);
    Ok(Box::new(Contrast::new(checkpoint, vb, parts, labels)?))
}

/// The text tower: RoBERTa with a pooler.
struct Words {
    encoder: Encoder,
    pooler: Linear,
    projection: Projection,
    /// The smallest number of outputs of a layer.
    narrowest: usize,
}

impl Words {
    fn load(
        settings: &Settings,
        words: &Config,
        loading: &ModelOptions,
        vb: &VarBuilder<'_>,
    ) -> std::result::Result<Words, Fault> {
        let (v, w) = (vb.pp("text_model"), settings.text);
        let encoder = Encoder::load(words, Kin::Roberta, &v, loading)?;
        let (width, activation) = (settings.width, settings.activation);
        let projection = Projection::load(w, width, activation, &vb.pp("text_projection")).map_err(failed)?;
        let pooler = ops::linear_with_bias(w, w, v.pp("pooler.dense")).map_err(failed)?;
        Ok(Words { narrowest: encoder.narrowest.min(width), encoder, pooler, projection })
    }
}

impl TextTower for Words {
    fn read(&self, ids: &[&[u32]], _device: &Device) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<Encoded> =
            ids.iter().map(|ids| Encoded { ids: ids.to_vec(), types: vec![0; ids.len()] }).collect();
        let states = self.encoder.states(&texts.iter().collect::<Vec<_>>())?; // (batch · t, width)
        // each row alone, so that a vector does not depend on its batch
        let row = |n: usize| -> Result<Vec<f32>> {
            let first: Tensor = states.narrow(0, n * ids[0].len(), 1)?;
            ops::unit(&self.projection.forward(&self.pooler.forward(&first)?.tanh()?)?)
        };
        (0..texts.len()).map(row).collect()
    }

    fn may_share(&self, tokens: usize) -> bool {
        ops::may_share(tokens, self.narrowest)
    }
}
