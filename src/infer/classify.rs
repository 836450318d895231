//! Image classifiers: a network that gives a picture one logit for each of its classes, as a model that ranks.
//!
//! Each picture has a forward pass of its own. Its layers multiply hundreds of rows, so a batch would gain little on a
//! CPU, and candle multiplies one row otherwise than several: logits would depend on the batch.

use super::{
    classes::Classes,
    config::{Config, within},
    conv::Features,
    cost::Phase,
    failed,
    image::{Preparation, fingerprint},
    job::{Input, Job, Model},
    meter::Meter,
    not_finite,
    perceived::Perceived,
};
use crate::{
    error::Fault,
    exchange::{Answers, FloorUse, Kind, Modality, RankRequest, Reply, Request},
};
use ::image::RgbImage;
use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

/// The requests that an image classifier answers.
pub const ANSWERS: &[Answers] = &[Answers::new(Kind::Rank, &[Modality::Image])];

/// A network that classifies pictures.
pub trait PictureNetwork {
    /// The logits of one prepared picture, (1, classes).
    fn logits(&self, picture: &Features) -> Result<Tensor>;
}

/// A loaded image classifier.
pub struct PictureClassifier {
    network: Box<dyn PictureNetwork>,
    classes: Classes,
    preparation: Preparation,
    perceived: Perceived,
    meter: Meter,
    device: Device,
    dtype: DType,
}

impl PictureClassifier {
    /// A classifier of pictures that `preparation` prepares; the network computes in `dtype` on `device`.
    pub fn new(
        network: Box<dyn PictureNetwork>,
        classes: Classes,
        preparation: Preparation,
        (dtype, device): (DType, &Device),
        (perceived, meter): (Perceived, Meter),
    ) -> PictureClassifier {
        let device = device.clone();
        PictureClassifier { network, classes, preparation, perceived, meter, device, dtype }
    }

    /// The logits of a picture, from memory if it was seen before.
    fn see(&mut self, picture: &RgbImage) -> std::result::Result<Arc<Vec<f32>>, Fault> {
        let print = fingerprint(picture);
        if let Some(logits) = self.perceived.get(&print) {
            return Ok(logits);
        }
        let (values, height, width) = self.preparation.apply(picture)?;
        let classify = || {
            let features = Features::of(values, height, width, self.dtype, &self.device)?;
            self.network.logits(&features)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()
        };
        let logits = Arc::new(self.meter.time(Phase::Picture, 1, classify).map_err(failed)?);
        if let Some(odd) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(not_finite("the scores", *odd));
        }
        self.perceived.keep(print, logits.clone());
        Ok(logits)
    }

    fn rank(&mut self, job: &Job) -> std::result::Result<Reply, Fault> {
        let wrong = || Fault::failed("an image classifier ranks pictures only");
        let Request::Rank(request) = &job.request else { return Err(wrong()) };
        let RankRequest { among, floor, .. } = request;
        if *floor == FloorUse::Required {
            return Err(Fault::model("an image classifier lacks background vectors, which `floor: true` needs"));
        }
        let logits = match job.subject() {
            Some(Input::Seen(logits)) => logits.clone(),
            Some(Input::Image(picture)) => self.see(picture)?,
            _ => return Err(wrong()),
        };
        job.note(&self.perceived, &logits);
        Ok(Reply::Rank(match request.wants_own_labels() {
            true => self.classes.all(&logits),
            false => self.classes.among(among, &logits)?,
        }))
    }
}

impl Model for PictureClassifier {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            // the caller may have left while other pictures were classified
            if !job.gone() {
                let reply = self.rank(&job);
                job.answer(reply);
            }
        }
    }
}

/// Height and width at `key`: a number for both, or a list of the two.
pub fn sides(config: &Config, key: &str, default: usize) -> std::result::Result<(usize, usize), Fault> {
    let Some(list) = config.get(key).and_then(|value| value.as_array()) else {
        let side = config.count(key, within::SIDE)?.unwrap_or(default);
        return Ok((side, side));
    };
    let side = |n: usize| list.get(n).and_then(|v| v.as_u64()).map(|v| v as usize).filter(|v| within::SIDE.contains(v));
    match (list.len(), side(0), side(1)) {
        (2, Some(height), Some(width)) => Ok((height, width)),
        _ => {
            let expected = format!("a side, or two, from {} to {}", within::SIDE.start(), within::SIDE.end());
            Err(config.wrong(key, expected, config.get(key).expect("the list was read: this is a bug")))
        }
    }
}

/// A list of whole numbers at `key`, each within `range`.
pub fn counts(
    config: &Config,
    key: &str,
    range: std::ops::RangeInclusive<usize>,
    default: &[usize],
) -> std::result::Result<Vec<usize>, Fault> {
    let Some(value) = config.get(key) else { return Ok(default.to_vec()) };
    let list = config.list(key)?;
    let one = |v: &serde_json::Value| v.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|v| range.contains(v));
    let expected = || format!("a list of whole numbers from {} to {}", range.start(), range.end());
    let all: Option<Vec<usize>> = list.iter().map(one).collect();
    all.filter(|all| !all.is_empty() && within::LAYERS.contains(&all.len()))
        .ok_or_else(|| config.wrong(key, expected(), value))
}
