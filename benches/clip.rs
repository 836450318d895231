//! CLIP images a second at batch 1, 8 and 32, on the checkpoint folder named by `ELENCHUS_CLIP_BENCH`.
//!
//! `benches/clip.py` runs this and PyTorch in turn and prints the ratios. Alone it prints one JSON line: `{"1":
//! [images_per_second, images_per_second_computed], …}`. The time includes preparing the pixels, but no resizing:
//! pictures have the model's own size.

mod common;

use candle_core::{DType, Device};
use elenchus::{
    exchange::{EmbedRequest, Item, Request},
    infer::{
        checkpoint::Checkpoint,
        config::within,
        job::{Input, Job, Model},
    },
    models::{self, ModelOptions},
    value::ImageFile,
};
use image::RgbImage;
use std::{path::PathBuf, sync::Arc, time::Instant};

/// The minimum time of the measurement for each batch size, after one call to warm up.
const SECONDS: f64 = 3.0;

fn main() {
    let Some(folder) = std::env::var_os("ELENCHUS_CLIP_BENCH").map(PathBuf::from) else {
        eprintln!("set ELENCHUS_CLIP_BENCH to a CLIP checkpoint folder, or run benches/clip.py");
        return;
    };
    let checkpoint = Checkpoint::open(&folder).expect("a checkpoint folder");
    let loading = ModelOptions::new(Device::Cpu, DType::F32);
    let mut model = (models::family(Some("clip"), &checkpoint.config).expect("a family").load)(&checkpoint, &loading)
        .expect("a model");
    let vision = checkpoint.config.part("vision_config").expect("an object");
    let side = vision.count("image_size", within::SIDE).expect("a side").unwrap_or(224) as u32;
    let mut album = Album { side, next: 0 };
    let mut line = |batch: usize| {
        let (passed, computed) = rate(&mut *model, &mut album, batch);
        format!("\"{batch}\": [{passed:.2}, {computed:.2}]")
    };
    let rates = [1, 8, 32].map(&mut line);
    println!("{{{}}}", rates.join(", "));
}

/// Pictures that all differ, because a model remembers the vectors of earlier ones.
struct Album {
    side: u32,
    next: u32,
}

impl Album {
    fn picture(&mut self) -> Arc<RgbImage> {
        self.next += 1;
        let shade = self.next.to_le_bytes();
        Arc::new(RgbImage::from_fn(self.side, self.side, |x, y| {
            image::Rgb([(x as u8) ^ shade[0], (y as u8) ^ shade[1], shade[2]])
        }))
    }
}

/// Images a second at this batch size, and images for each second computed by all threads together.
fn rate(model: &mut dyn Model, album: &mut Album, batch: usize) -> (f64, f64) {
    let mut call = || {
        let file = ImageFile { path: String::new(), digest: String::new() };
        let request = || Request::Embed(EmbedRequest { what: Item::Image(file.clone()), purpose: None });
        let mut job = || Job::new(request(), vec![Input::Image(album.picture())], 0, None);
        let (jobs, answers): (Vec<_>, Vec<_>) = (0..batch).map(|_| job()).unzip();
        model.answer(jobs);
        for answer in answers {
            answer.blocking_recv().expect("an answer").expect("a vector");
        }
    };
    call();
    let (start, before, mut images) = (Instant::now(), common::cpu_s(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        call();
        images += batch;
    }
    let images = f64::from(images as u32);
    let computed_s = common::cpu_s().zip(before).map_or(f64::NAN, |(after, before)| after - before);
    (images / start.elapsed().as_secs_f64(), images / computed_s)
}
