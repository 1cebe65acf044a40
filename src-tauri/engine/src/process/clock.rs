//! A clock that goes on while the machine sleeps, for deadlines (SUPERVISION section 7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::weakness::{self, Weakness};

/// Time since some fixed moment, suspends included where the system can tell.
pub(crate) fn now() -> Duration {
    if let Some(wall) = wall() {
        return wall;
    }
    #[cfg(unix)]
    {
        #[cfg(target_os = "linux")]
        const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
        let time = rustix::time::clock_gettime(CLOCK);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(unix))]
    {
        static BEGAN: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        BEGAN.elapsed()
    }
}

/// Time since some fixed moment, without the time that the machine slept, where the system can tell.
pub(crate) fn awake() -> Duration {
    if let Some(wall) = wall() {
        return wall;
    }
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    {
        now()
    }
}

/// The clock on the wall, in control runs only.
fn wall() -> Option<Duration> {
    let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    weakness::has(Weakness::WallClock).then(wall)
}
