//! The towers of a contrastive model, which are loaded at their first use.

use crate::{
    error::Fault,
    hub::digest::Stamp,
    infer::{checkpoint::Checkpoint, cost::Phase, failed, image::Preparation, meter::Meter},
};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use std::time::Instant;

/// Turns pictures into vectors.
pub trait ImageTower {
    /// (batch, 3, side, side) -> one vector of unit length for each picture.
    fn see(&self, pixels: &Tensor) -> candle_core::Result<Vec<Vec<f32>>>;

    /// True if the vectors of pictures in one forward pass are those of each picture alone ([`may_share`](crate::infer::ops::may_share)).
    fn may_share(&self) -> bool;
}

/// Turns stretches of sound into vectors.
pub trait SoundTower {
    /// Samples in a second of what it hears.
    fn rate_hz(&self) -> u32;

    /// The most samples that it hears at once, above 0.
    fn window(&self) -> usize;

    /// 1 to [`SoundTower::window`] samples -> a vector of unit length.
    fn hear(&self, samples: &[f32]) -> candle_core::Result<Vec<f32>>;
}

/// Turns texts into vectors.
pub trait TextTower {
    /// Token ids of texts of one length -> one vector of unit length for each text.
    fn read(&self, ids: &[&[u32]], device: &Device) -> candle_core::Result<Vec<Vec<f32>>>;

    /// True if the vectors of texts with so many tokens in one forward pass are those of each text alone.
    fn may_share(&self, tokens: usize) -> bool;
}

/// Loads a tower from the weights.
type Build<T> = Box<dyn Fn(&VarBuilder<'static>) -> Result<Box<T>, Fault>>;

/// A tower that is loaded at its first use.
pub struct Lazy<T: ?Sized> {
    name: &'static str,
    build: Build<T>,
    loaded: Option<Box<T>>,
}

impl<T: ?Sized> Lazy<T> {
    /// A tower of this name that `build` reads.
    pub fn new(name: &'static str, build: impl Fn(&VarBuilder<'static>) -> Result<Box<T>, Fault> + 'static) -> Self {
        Lazy { name, build: Box::new(build), loaded: None }
    }

    /// Fails if a tensor is missing, or has another shape than the configuration states.
    pub fn check(&self, headers: &VarBuilder<'static>) -> Result<(), Fault> {
        (self.build)(headers).map(drop)
    }
}

impl Lazy<dyn ImageTower> {
    /// An image tower that `load` reads.
    pub fn image<T: ImageTower + 'static>(
        load: impl Fn(&VarBuilder<'static>) -> candle_core::Result<T> + 'static,
    ) -> Self {
        Lazy::<dyn ImageTower>::new("image", move |vb| Ok(Box::new(load(vb).map_err(failed)?)))
    }
}

impl Lazy<dyn TextTower> {
    /// A text tower that `load` reads.
    pub fn text<T: TextTower + 'static>(
        load: impl Fn(&VarBuilder<'static>) -> candle_core::Result<T> + 'static,
    ) -> Self {
        Lazy::<dyn TextTower>::new("text", move |vb| Ok(Box::new(load(vb).map_err(failed)?)))
    }
}

/// What a model compares texts with.
pub enum Perception {
    /// Pictures.
    Pictures {
        /// The image tower.
        tower: Lazy<dyn ImageTower>,
        /// The preparation of pictures.
        preparation: Preparation,
        /// The side of a prepared picture, in pixels.
        side: usize,
    },
    /// Stretches of sound.
    Sounds(Lazy<dyn SoundTower>),
}

impl Perception {
    /// As [`Lazy::check`].
    pub(super) fn check(&self, headers: &VarBuilder<'static>) -> Result<(), Fault> {
        match self {
            Perception::Pictures { tower, .. } => tower.check(headers),
            Perception::Sounds(tower) => tower.check(headers),
        }
    }
}

/// The weights, which are read when a tower is loaded.
pub struct TowerSource {
    checkpoint: Checkpoint,
    vb: VarBuilder<'static>,
    /// The stamps of the files when the model was loaded.
    stamps: Vec<Option<Stamp>>,
    /// Measures the speed.
    pub meter: Meter,
}

impl TowerSource {
    /// The weights of a checkpoint as it is now.
    pub fn new(checkpoint: &Checkpoint, vb: VarBuilder<'static>, meter: Meter) -> TowerSource {
        TowerSource { checkpoint: checkpoint.clone(), vb, stamps: checkpoint.stamps(), meter }
    }

    /// The device of the weights.
    pub fn device(&self) -> &Device {
        self.vb.device()
    }

    /// The tower; the first call loads it. Fails if a file is damaged, or has changed since the model was loaded.
    pub fn tower<'a, T: ?Sized>(&self, lazy: &'a mut Lazy<T>) -> Result<&'a T, Fault> {
        if lazy.loaded.is_none() {
            let begun = Instant::now();
            let tower = (lazy.build)(&self.vb).map_err(Fault::of_weights)?;
            if self.checkpoint.stamps() != self.stamps {
                let folder = self.checkpoint.folder.display();
                let message = format!("{folder} has changed since the run began; run the command again");
                return Err(Fault::model(message).of_weights());
            }
            // the bytes were counted when the headers were read
            self.meter.took(Phase::Load, 0.0, begun.elapsed());
            tracing::info!(tower = lazy.name, took = ?begun.elapsed(), "loaded a tower");
            lazy.loaded = Some(tower);
        }
        lazy.loaded.as_deref().ok_or_else(|| Fault::model("the tower is missing: this is a bug"))
    }
}
