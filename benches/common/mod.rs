//! The shared part of the benches: the CPU time of this process, which other work on the machine does not lengthen.

/// Seconds that all threads of this process have computed, in hundredths (`/proc/self/stat`); `None` without that file.
pub(crate) fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // the second field is a name in brackets that may hold spaces; user and system ticks are the 12th and 13th after it
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().ok());
    ticks.sum::<Option<f64>>().map(|ticks| ticks / 100.0)
}
