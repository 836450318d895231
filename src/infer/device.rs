//! The device and the number format of a model.

use super::dense::Precision;
use crate::error::Fault;
use candle_core::{DType, Device, Tensor};
use std::{path::Path, time::Instant};

/// Largest `/proc/cpuinfo`, in bytes: some 1.5 kB for each of a thousand threads.
const MAX_CPUINFO_BYTES: usize = 4 << 20;

/// Opens a device by name: `auto`, `cpu`, `cuda:N` (or `cuda`), `metal`. Fails if this build or machine lacks the
/// device.
///
/// `auto` is the first CUDA or Metal device if this build supports one and the machine has one, else the CPU.
pub fn open(name: &str) -> Result<Device, Fault> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" | "" => Ok(accelerator().unwrap_or(Device::Cpu)),
        "metal" if !cfg!(feature = "metal") => Err(not_built("metal")),
        "metal" => Device::new_metal(0).map_err(|e| Fault::model(format!("the Metal device cannot be opened: {e}"))),
        _ => cuda(name),
    }
}

/// The device that `auto` opens: `cuda:0`, `metal` or `cpu`.
pub fn automatic() -> &'static str {
    match accelerator() {
        Some(Device::Cuda(_)) => "cuda:0",
        Some(Device::Metal(_)) => "metal",
        _ => "cpu",
    }
}

/// Free memory of an accelerator, in bytes; none for the CPU, and for a device that does not report it.
///
/// Metal shares the machine's memory and recommends a maximum; the result is the unused part of that maximum.
pub fn free_memory(name: &str) -> Option<u64> {
    match open(name).ok()? {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => cuda.cuda_stream().context().mem_get_info().ok().map(|(free, _)| free as u64),
        #[cfg(feature = "metal")]
        Device::Metal(metal) => {
            let device = metal.metal_device();
            Some(device.recommended_max_working_set_size().saturating_sub(device.current_allocated_size()) as u64)
        }
        _ => None,
    }
}

/// The side of the matrices that [`speed`] multiplies.
const SIDE: usize = 1024;

/// The speed of a device at products of matrices in f32, in FLOPs a second. Takes a fraction of a second. Fails if the
/// device cannot be opened.
pub fn speed(name: &str) -> Result<f64, Fault> {
    let device = open(name)?;
    let measure = || -> candle_core::Result<f64> {
        let square = Tensor::rand(-1f32, 1f32, (SIDE, SIDE), &device)?;
        let product = |times: usize| -> candle_core::Result<f32> {
            let mut last = square.clone();
            for _ in 0..times {
                last = square.matmul(&last)?.affine(1e-3, 0.0)?;
            }
            // reading a value waits for the device
            last.sum_all()?.to_scalar()
        };
        product(1)?;
        let begun = Instant::now();
        product(4)?;
        Ok(4.0 * 2.0 * (SIDE as f64).powi(3) / begun.elapsed().as_secs_f64())
    };
    measure().map_err(|error| Fault::model(format!("the speed of {name} cannot be measured: {error}")))
}

/// The accelerators that this build supports.
pub fn built_with() -> Vec<&'static str> {
    let features = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    features.into_iter().filter(|(_, is_built)| *is_built).map(|(name, _)| name).collect()
}

fn accelerator() -> Option<Device> {
    if cfg!(feature = "cuda") {
        return Device::new_cuda(0).ok();
    }
    if cfg!(feature = "metal") { Device::new_metal(0).ok() } else { None }
}

fn cuda(name: &str) -> Result<Device, Fault> {
    let number = match name.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|n| n.parse().ok()),
        None => None,
    };
    let Some(number) = number else {
        return Err(Fault::model(format!("unknown device `{name}`; use auto, cpu, cuda:N or metal")));
    };
    if !cfg!(feature = "cuda") {
        return Err(not_built("cuda"));
    }
    let unopened = |error: candle_core::Error| {
        // candle adds a backtrace where backtraces are on
        let why = super::failed(error.to_string().split(" 0: ").next().unwrap_or_default()).message;
        Fault::model(format!("CUDA device {number} cannot be opened: {why}"))
            .hint("`elenchus doctor` shows the devices; check the driver, or use `--device cpu`")
    };
    Device::new_cuda(number).map_err(unopened)
}

fn not_built(feature: &str) -> Fault {
    Fault::model(format!(
        "this elenchus was built without the `{feature}` feature; build it with `cargo build --release --features {feature}`, or use `--device cpu`"
    ))
}

/// The number format to compute in: `asked`, unless it is absent or `auto`. Else f32 on a CPU, where bf16 and f16 are
/// slow. Else the stored format if it is f16 or bf16, else f32. `int8` is f32 with products of 8-bit integers, on a CPU
/// only.
pub fn dtype(asked: Option<&str>, stored: Option<DType>, device: &Device) -> Result<(DType, Precision), Fault> {
    let asked = asked.unwrap_or("auto");
    if asked == "int8" {
        return match device {
            Device::Cpu => Ok((DType::F32, Precision::Int8)),
            _ => Err(Fault::model("the dtype `int8` is computed on the CPU only")
                .hint("use `dtype: f16` or `bf16` on a graphics card, or `device: cpu`")),
        };
    }
    let dtype = match asked {
        "f32" | "float32" => Ok(DType::F32),
        "f16" | "float16" => Ok(DType::F16),
        "bf16" | "bfloat16" => Ok(DType::BF16),
        "auto" | "" if device.is_cpu() => Ok(DType::F32),
        "auto" | "" => Ok(stored.filter(|d| matches!(d, DType::F16 | DType::BF16)).unwrap_or(DType::F32)),
        other => Err(Fault::model(format!("unknown dtype `{other}`; use auto, f32, f16, bf16 or int8"))),
    };
    dtype.map(|dtype| (dtype, Precision::F32))
}

/// The class of a device, as a part of an agent's identity: the memo treats replies of one class as equal.
pub fn class(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

/// The machine, as far as it decides the speed of a model: the processor and the number of threads.
pub fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Linux on x86 names the processor; other systems have one kind of machine in practice
    let known = crate::files::read_text(Path::new("/proc/cpuinfo"), MAX_CPUINFO_BYTES).unwrap_or_default();
    let name =
        known.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    format!("{} {threads}", name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_opened_gives_a_clear_error() {
        let check = |name: &str| open(name).map(|d| class(&d).to_owned()).unwrap_or_else(|e| e.to_string());
        assert_eq!(check("cpu"), "cpu");
        insta::assert_snapshot!(check("gpu"), @"unknown device `gpu`; use auto, cpu, cuda:N or metal");
        if !cfg!(feature = "cuda") {
            insta::assert_snapshot!(check("cuda:1"), @"this elenchus was built without the `cuda` feature; build it with `cargo build --release --features cuda`, or use `--device cpu`");
        }
    }

    #[test]
    fn the_cpu_computes_in_f32_unless_asked() {
        let check = |asked, stored| dtype(asked, stored, &Device::Cpu).map_err(|e| e.to_string());
        assert_eq!(check(None, Some(DType::BF16)), Ok((DType::F32, Precision::F32)));
        assert_eq!(check(Some("f16"), Some(DType::F32)), Ok((DType::F16, Precision::F32)));
        assert_eq!(check(Some("int8"), Some(DType::F16)), Ok((DType::F32, Precision::Int8)));
        assert_eq!(check(Some("q4"), None), Err("unknown dtype `q4`; use auto, f32, f16, bf16 or int8".to_owned()));
    }
}
