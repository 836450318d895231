//! Model families: one file or folder for each, and their list.

pub mod bert;
pub mod clap;
pub mod clip;
pub mod convnext;
pub mod efficientnet_lite;
pub mod golden;
pub mod llama;
pub mod mobilenet_v2;
pub mod owlv2;
pub mod parakeet;
pub mod qwen3_vl;
pub mod resnet;
pub mod siglip;
pub mod smolvlm;
pub mod vit;
pub mod whisper;

use crate::{
    error::Fault,
    exchange::{Answers, Decoding, HearingSettings, Kind},
    infer::{
        causal::KvFormat,
        checkpoint::Checkpoint,
        classes::Classes,
        classify::{self, PictureClassifier, PictureNetwork},
        config::Config,
        contrast,
        cost::Cost,
        dense::{self, Packing, Precision},
        device, failed,
        image::Preparation,
        job::Model,
        labels::LabelStore,
        meter::Meter,
        perceived::Perceived,
    },
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;

/// The settings that a family needs besides the checkpoint to load a model.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// The device of the weights.
    pub device: Device,
    /// The number format to compute in.
    pub dtype: DType,
    /// The number format of an encoder's products, if they are computed in f32 on a CPU.
    pub precision: Precision,
    /// The format of the keys and values that a decoder keeps, if it computes in f32 on a CPU.
    pub kv_cache: KvFormat,
    /// The agent's own decoding defaults; they come before the checkpoint's.
    pub decode: Decoding,
    /// The maximum tokens of prompt and reply together, if fewer than the model allows.
    pub context_tokens: Option<usize>,
    /// The most pixels of a picture that a decoder looks at, if fewer than its checkpoint states.
    pub picture_pixels: Option<usize>,
    /// How a speech model decodes.
    pub hearing: HearingSettings,
    /// Where the vectors of labels are kept between runs.
    pub labels: LabelStore,
    /// What the model computed for pictures and sounds, shared with its handle.
    pub perceived: Perceived,
    /// Measures the model's speed.
    pub meter: Meter,
}

impl ModelOptions {
    /// The options for a device and a number format. The agent has no settings of its own, and nothing is kept.
    pub fn new(device: Device, dtype: DType) -> ModelOptions {
        let (decode, labels) = (Decoding::default(), LabelStore::default());
        ModelOptions {
            device,
            dtype,
            precision: Precision::F32,
            kv_cache: KvFormat::default(),
            decode,
            context_tokens: None,
            picture_pixels: None,
            hearing: HearingSettings::default(),
            labels,
            perceived: Perceived::default(),
            meter: Meter::default(),
        }
    }

    /// Loads an image classifier; `network` reads its weights, and gets the number of classes.
    fn classifier<N: PictureNetwork + 'static>(
        &self,
        checkpoint: &Checkpoint,
        (classes, preparation): (Classes, Preparation),
        network: impl FnOnce(usize, &VarBuilder<'_>) -> candle_core::Result<N>,
    ) -> Result<Box<dyn Model>, Fault> {
        let vb = checkpoint.weights(self.dtype, &self.device)?;
        let network = Box::new(network(classes.count(), &vb).map_err(failed)?);
        let kept = (self.perceived.clone(), self.meter.clone());
        Ok(Box::new(PictureClassifier::new(network, classes, preparation, (self.dtype, &self.device), kept)))
    }
}

/// Loads a model of a family from its checkpoint.
pub type Load = fn(&Checkpoint, &ModelOptions) -> Result<Box<dyn Model>, Fault>;

/// A family of models: how to recognise and how to load one.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The name in `family:` of an agent file.
    pub name: &'static str,
    /// One line for `elenchus models`.
    pub about: &'static str,
    /// The kinds of request that it answers, with the supported modalities.
    pub answers: &'static [Answers],
    /// True if its models have labels of their own, so that they answer `rank` without candidates.
    pub own_labels: bool,
    /// Returns true for a `config.json` of this family.
    pub recognises: fn(&Config) -> bool,
    /// True if it scores labels against a background, so that a checkpoint may hold background vectors.
    pub floors: bool,
    /// How its matrices are held on a CPU.
    pub packing: Packing,
    /// Estimates the work of a model from its configuration. `|_| Ok(CostModel::default())` states nothing.
    pub cost: Cost,
    /// Loads a model.
    pub load: Load,
}

impl Family {
    /// Fails if its products cannot be computed in this format.
    pub fn computes_in(&self, precision: Precision) -> Result<(), Fault> {
        if precision == Precision::F32 || self.packing == Packing::Int8 {
            return Ok(());
        }
        let able = FAMILIES.iter().filter(|family| family.packing == Packing::Int8).map(|family| family.name);
        let able = able.collect::<Vec<_>>().join(", ");
        Err(Fault::model(format!("models of the family `{}` do not compute in `int8`", self.name))
            .hint(format!("these families do: {able}; a language model has its own formats in a GGUF file")))
    }

    /// Fails if its models keep no keys and values in the format of these options.
    pub fn keeps_as(&self, options: &ModelOptions) -> Result<(), Fault> {
        let format = options.kv_cache;
        if format == KvFormat::default() {
            return Ok(());
        }
        if !self.answers.iter().any(|answers| answers.kind == Kind::Say) {
            let why = format!("models of the family `{}` have no `kv_cache`", self.name);
            return Err(Fault::model(why).hint("language models keep keys and values; leave it out here"));
        }
        match options.device.is_cpu() && options.dtype == DType::F32 {
            true => Ok(()),
            false => {
                let why = format!("`kv_cache: {}` is for a model that computes in f32 on a CPU", format.as_str());
                Err(Fault::model(why).hint("elsewhere keys and values have the format of the computation (`dtype`)"))
            }
        }
    }

    /// How a model computes, as far as it decides the bits of its results: format, device, and the instructions of packed
    /// products.
    pub fn computing(&self, options: &ModelOptions) -> String {
        let (class, dtype) = (device::class(&options.device), options.dtype.as_str());
        let is_packed = self.packing.packs() && options.device.is_cpu() && options.dtype == DType::F32;
        match is_packed {
            true => format!("{dtype} {class} {} {}", options.precision.as_str(), dense::tier()),
            false => format!("{dtype} {class}"),
        }
    }

    /// A family of image classifiers that is recognised by `recognises`.
    const fn classifier(name: &'static str, recognises: fn(&Config) -> bool, cost: Cost, load: Load) -> Family {
        let about = "image classifier: ranks pictures among its own labels";
        Family {
            name,
            about,
            answers: classify::ANSWERS,
            own_labels: true,
            recognises,
            floors: false,
            packing: Packing::AsStored,
            cost,
            load,
        }
    }

    /// A family with an image tower and a text tower that is recognised by `recognises`.
    const fn contrastive(
        (name, about): (&'static str, &'static str),
        recognises: fn(&Config) -> bool,
        cost: Cost,
        load: Load,
    ) -> Family {
        Family {
            name,
            about,
            answers: contrast::ANSWERS,
            own_labels: false,
            recognises,
            floors: true,
            packing: Packing::Int8,
            cost,
            load,
        }
    }
}

/// Every family. Add a row here and a file beside this one.
pub const FAMILIES: &[Family] = &[
    clip::FAMILY,
    siglip::FAMILY,
    clap::FAMILY,
    owlv2::FAMILY,
    llama::EMBEDDER,
    llama::RERANKER,
    llama::FAMILY,
    qwen3_vl::FAMILY,
    smolvlm::FAMILY,
    whisper::FAMILY,
    parakeet::FAMILY,
    bert::BERT,
    bert::ROBERTA,
    bert::XLM_ROBERTA,
    bert::MODERN,
    bert::CROSS_ENCODER,
    bert::ENTAILMENT,
    bert::CLASSIFIER,
    vit::FAMILY,
    convnext::FAMILY,
    resnet::FAMILY,
    mobilenet_v2::FAMILY,
    efficientnet_lite::FAMILY,
];

/// The family `name`; if it is absent or `auto`, the one that recognises the checkpoint's `config.json`. Fails if there
/// is none.
pub fn family(name: Option<&str>, config: &Config) -> Result<&'static Family, Fault> {
    let names = || FAMILIES.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
    match name.filter(|n| *n != "auto") {
        Some(name) => FAMILIES
            .iter()
            .find(|f| f.name == name)
            .ok_or_else(|| Fault::model(format!("unknown model family `{name}`; the families are {}", names()))),
        None => FAMILIES.iter().find(|f| (f.recognises)(config)).ok_or_else(|| {
            let kind = config.get("model_type").map_or_else(|| "absent".to_owned(), ToString::to_string);
            Fault::model(format!(
                "no model family supports this checkpoint (model_type is {kind}); the families are {}",
                names()
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_a_family_lacks_are_refused() {
        let options = ModelOptions { kv_cache: KvFormat::F16, ..ModelOptions::new(Device::Cpu, DType::F32) };
        for family in FAMILIES {
            let writes = ["llama", "smolvlm", "qwen3_vl"].contains(&family.name);
            let refused = family.keeps_as(&options).err().map(|fault| fault.to_string());
            let expected = format!("models of the family `{}` have no `kv_cache`", family.name);
            assert_eq!(refused, (!writes).then_some(expected));
        }
        let narrow = ModelOptions { dtype: DType::F16, ..options };
        let refused = llama::FAMILY.keeps_as(&narrow).expect_err("not on this device").to_string();
        assert_eq!(refused, "`kv_cache: f16` is for a model that computes in f32 on a CPU");
    }
}
