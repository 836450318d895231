//! The modules of sentence-transformers after the encoder: pooling, dense layers and normalisation (Reimers & Gurevych
//! 2019, arXiv 1908.10084). `modules.json` lists them in order, each with its folder.

use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        failed,
        ops::{self, Linear},
    },
};
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::Module;

/// The pooling of the states of a text into one vector. A file may select several, whose vectors are then concatenated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    First,
    Max,
    Mean,
    /// The sum divided by the square root of the number of tokens.
    MeanRoot,
    /// A mean with the weights 1, 2, 3, …
    WeightedMean,
    Last,
}

impl Pooling {
    /// In the order in which sentence-transformers concatenates vectors.
    const ALL: [(&str, Pooling); 6] = [
        ("cls_token", Pooling::First),
        ("max_tokens", Pooling::Max),
        ("mean_tokens", Pooling::Mean),
        ("mean_sqrt_len_tokens", Pooling::MeanRoot),
        ("weightedmean_tokens", Pooling::WeightedMean),
        ("lasttoken", Pooling::Last),
    ];

    fn read(config: Option<Config>) -> std::result::Result<Vec<Pooling>, Fault> {
        let Some(config) = config else { return Ok(vec![Pooling::Mean]) };
        if config.truth("include_prompt")? == Some(false) {
            return Err(Fault::model(format!("{}: `include_prompt` must be true, found false", config.name())));
        }
        let mut asked = Vec::new();
        for (mode, pooling) in Pooling::ALL {
            asked.extend(config.truth(&format!("pooling_mode_{mode}"))?.filter(|on| *on).map(|_| pooling));
        }
        if !asked.is_empty() {
            return Ok(asked);
        }
        let several = config.get("pooling_mode").is_some_and(serde_json::Value::is_array);
        let names: Vec<&str> = match several {
            true => config.list("pooling_mode")?.iter().filter_map(|name| name.as_str()).collect(),
            false => config.string("pooling_mode")?.into_iter().collect(),
        };
        let mut found = Vec::new();
        for name in &names {
            let short =
                |mode: &str| mode == *name || mode.trim_end_matches("_tokens").trim_end_matches("_token") == *name;
            let known = Pooling::ALL.iter().find(|(mode, _)| short(mode));
            let (_, pooling) = known
                .ok_or_else(|| Fault::model(format!("{}: the pooling `{name}` is not supported", config.name())))?;
            found.push(*pooling);
        }
        Ok(if found.is_empty() { vec![Pooling::Mean] } else { found })
    }

    /// (t, width) -> (width)
    fn apply(self, states: &Tensor) -> Result<Tensor> {
        let t = states.dim(0)?;
        match self {
            Pooling::First => states.i(0),
            Pooling::Max => states.max(0),
            Pooling::Mean => ops::mean_rows(states),
            Pooling::MeanRoot => ops::mean_rows(states)? * (t as f64).sqrt(),
            Pooling::WeightedMean => {
                let weights = Tensor::arange(1f32, t as f32 + 1.0, states.device())?.to_dtype(states.dtype())?;
                states.broadcast_mul(&weights.unsqueeze(1)?)?.sum(0)? / ((t * (t + 1)) as f64 / 2.0)
            }
            Pooling::Last => states.i(t - 1),
        }
    }
}

/// The activation of a dense layer, a class of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Squash {
    Identity,
    Tanh,
    Sigmoid,
    Other(ops::Activation),
}

impl Squash {
    fn named(class: &str) -> Option<Squash> {
        Some(match class.rsplit('.').next()? {
            "Identity" => Squash::Identity,
            "Tanh" => Squash::Tanh,
            "Sigmoid" => Squash::Sigmoid,
            "ReLU" => Squash::Other(ops::Activation::Relu),
            "GELU" => Squash::Other(ops::Activation::Gelu),
            "SiLU" => Squash::Other(ops::Activation::Silu),
            _ => return None,
        })
    }

    fn apply(self, x: Tensor) -> Result<Tensor> {
        match self {
            Squash::Identity => Ok(x),
            Squash::Tanh => x.tanh(),
            Squash::Sigmoid => candle_nn::ops::sigmoid(&x),
            Squash::Other(activation) => activation.forward(&x),
        }
    }
}

/// A step after the pooling.
enum Step {
    Dense(Linear, Squash),
    Normalize,
}

/// The steps from the states of a text to its vector.
pub(super) struct Modules {
    pooling: Vec<Pooling>,
    steps: Vec<Step>,
    /// The length of a vector.
    pub(super) width: usize,
}

impl Modules {
    /// Reads `modules.json` and the folders that it names. Without it, the vector is the mean of the states. Fails if
    /// it names a module that this code does not compute, because that would change the vectors.
    pub(super) fn read(
        checkpoint: &Checkpoint,
        width: usize,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Modules, Fault> {
        let (mut pooling, mut steps, mut width) = (None, Vec::new(), width);
        for (kind, folder) in checkpoint.modules()? {
            let file = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            match kind.as_str() {
                "Transformer" if folder.is_empty() => {}
                "Transformer" => {
                    let why = format!("the path of the Transformer must be empty, found `{folder}`");
                    return Err(Fault::model(format!("modules.json: {why}")));
                }
                "Pooling" if pooling.is_none() => {
                    let name = file("config.json");
                    let missing =
                        || Fault::model(format!("modules.json names the module `{folder}`, but {name} is not there"));
                    let parts = Pooling::read(Some(checkpoint.json(&name)?.ok_or_else(missing)?))?;
                    width *= parts.len();
                    pooling = Some(parts);
                }
                "Dense" if pooling.is_some() => {
                    let config = checkpoint.json(&file("config.json"))?;
                    let config = config.unwrap_or_else(|| Config::empty(&file("config.json")));
                    let (linear, squash) = dense(checkpoint, &config, &folder, width, dtype, device)?;
                    width = linear.outputs().unwrap_or(width);
                    steps.push(Step::Dense(linear, squash));
                }
                "Normalize" => steps.push(Step::Normalize),
                "Dropout" => {}
                other => return Err(Fault::model(format!("modules.json: the module `{other}` is not supported here"))),
            }
        }
        let pooling = match pooling {
            Some(pooling) => pooling,
            // Older checkpoints have the folder without the list.
            None => Pooling::read(checkpoint.json("1_Pooling/config.json")?)?,
        };
        Ok(Modules { pooling, steps, width })
    }

    /// The states of a text (t, width) -> a vector of unit length.
    pub(super) fn apply(&self, states: &Tensor) -> Result<Vec<f32>> {
        let parts = self.pooling.iter().map(|pooling| pooling.apply(states));
        let mut x = Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)?.unsqueeze(0)?;
        for step in &self.steps {
            x = match step {
                Step::Dense(linear, squash) => squash.apply(linear.forward(&x)?)?,
                Step::Normalize => {
                    let unit = ops::unit(&x)?;
                    Tensor::from_vec(unit, x.dims(), x.device())?.to_dtype(x.dtype())?
                }
            };
        }
        ops::unit(&x)
    }
}

/// A dense layer from its folder.
fn dense(
    checkpoint: &Checkpoint,
    config: &Config,
    folder: &str,
    width: usize,
    dtype: DType,
    device: &Device,
) -> std::result::Result<(Linear, Squash), Fault> {
    let (input, output) = (config.size("in_features", within::WIDTH)?, config.size("out_features", within::WIDTH)?);
    if input != width {
        let why = format!("`in_features` must be {width}, the length of the vector before it, found {input}");
        return Err(Fault::model(format!("{}: {why}", config.name())));
    }
    for key in ["module_input_name", "module_output_name"] {
        if let Some(other) = config.string(key)?.filter(|name| *name != "sentence_embedding") {
            let why = format!("`{key}` must be sentence_embedding, found {other}");
            return Err(Fault::model(format!("{}: {why}", config.name())));
        }
    }
    let class = config.string("activation_function")?.unwrap_or("torch.nn.modules.activation.Tanh");
    let squash = Squash::named(class)
        .ok_or_else(|| Fault::model(format!("{}: the activation `{class}` is not supported", config.name())))?;
    let vb = checkpoint.weights_in(folder, dtype, device)?.pp("linear");
    let linear = match config.truth("bias")?.unwrap_or(true) {
        true => ops::linear_with_bias(input, output, vb),
        false => vb.get((output, input), "weight").map(|weight| Linear::new(weight, None)),
    };
    Ok((linear.map_err(failed)?, squash))
}
