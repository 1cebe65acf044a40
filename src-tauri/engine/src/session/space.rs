//! Room on the disk that sessions live on. Workers stand still before it falls below the floor of the settings, and go
//! on when there is room again (RELIABILITY G14): a full disk would harm everybody's work, ours first.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{Context, Message};

/// The shortest and longest time between two looks.
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(2);
/// The fastest that a disk is thought to be filled, in bytes per second.
const FASTEST: u64 = 2 << 30;
/// Looks that the room has to last for at the speed seen, so that it is noticed before the floor is reached.
const AHEAD: u32 = 3;
/// Room above the floor from which on work goes on: a little more, so that it does not stop and go.
const MARGIN: u64 = 64 << 20;

/// Looks at the room as long as the session runs, and tells its loop when it gets low and when it is there again.
pub(super) fn watch(context: Arc<Context>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let floor = context.opened.settings.limits.disk_free_mib.saturating_mul(1 << 20);
        if floor == 0 {
            return;
        }
        let mut gauge = Gauge::new(floor);
        loop {
            let folder = context.folder.clone();
            let seen = tokio::task::spawn_blocking(move || room(&folder)).await.ok().flatten();
            let Some((free, size)) = seen else { return };
            if let Some(low) = gauge.look(Instant::now(), free, size) {
                debug!(free, low, "room on the disk");
                let text = low.then(|| gauge.words(free));
                if context.inbox.send(Message::Space(text)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(gauge.pause(free).clamp(SOONEST, LATEST)).await;
        }
    })
}

/// Free bytes for this user and all bytes of the disk that a folder is on.
#[cfg(unix)]
fn room(folder: &Path) -> Option<(u64, u64)> {
    let facts = rustix::fs::statvfs(folder).ok()?;
    Some((facts.f_bavail.saturating_mul(facts.f_frsize), facts.f_blocks.saturating_mul(facts.f_frsize)))
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<(u64, u64)> {
    None
}

/// How long something that found the disk full waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Waits a moment when this fault is a full disk, so that it may be tried again; `false` when it is another one, or when
/// the session is being stopped.
pub(super) async fn waited(context: &Context, seen: &watch::Receiver<State>, fault: &str) -> bool {
    if !is_full(fault) || seen.borrow().stopping.is_some() || context.inbox.is_closed() {
        return false;
    }
    warn!(%fault, "the disk is full; this is tried again");
    tokio::time::sleep(RETRY).await;
    true
}

/// Whether a fault says that the disk, or the user's share of it, is full: in the words of the system, which git repeats.
fn is_full(fault: &str) -> bool {
    fault.contains("No space left on device") || fault.contains("Disk quota exceeded")
}

/// Judges what is seen.
#[derive(Debug)]
struct Gauge {
    wanted: u64,
    floor: u64,
    last: Option<(Instant, u64)>,
    low: bool,
}

impl Gauge {
    fn new(wanted: u64) -> Self {
        Self { wanted, floor: wanted, last: None, low: false }
    }

    /// Whether work has to stop (`true`) or may go on (`false`), when that has changed.
    fn look(&mut self, now: Instant, free: u64, size: u64) -> Option<bool> {
        // A small disk cannot have that much free.
        self.floor = self.wanted.min(size / 2);
        let lost = self.last.replace((now, free)).map_or(0, |(at, before)| {
            let passed = now.duration_since(at).max(Duration::from_millis(1));
            // What went in one look's time, at the speed seen.
            let lost = u128::from(before.saturating_sub(free)) * SOONEST.as_millis() / passed.as_millis();
            u64::try_from(lost).unwrap_or(u64::MAX)
        });
        let low = if self.low {
            free < self.floor.saturating_add(MARGIN.min(size / 16))
        } else {
            free.saturating_sub(lost.saturating_mul(u64::from(AHEAD))) < self.floor
        };
        let changed = low != self.low;
        self.low = low;
        changed.then_some(low)
    }

    /// When to look again: before the fastest disk could be at the floor.
    fn pause(&self, free: u64) -> Duration {
        if self.low {
            return Duration::from_millis(500);
        }
        Duration::from_secs(free.saturating_sub(self.floor)) / u32::try_from(FASTEST).unwrap_or(u32::MAX)
    }

    fn words(&self, free: u64) -> String {
        format!(
            "only {} MiB are free on the disk of the sessions, of at least {} that are to stay free; \
             workers stand still and go on by themselves when there is room again: make some",
            free >> 20,
            self.floor >> 20
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const MIB: u64 = 1 << 20;

    /// Free MiB at each look, a tenth of a second apart, and what each said.
    fn check(size: u64, free_mib: &[(u64, Option<bool>)]) {
        let (mut gauge, mut now) = (Gauge::new(GIB), Instant::now());
        for (free, wanted) in free_mib {
            assert_eq!(gauge.look(now, free * MIB, size), *wanted, "{free} MiB in {free_mib:?}");
            now += SOONEST;
        }
    }

    #[test]
    fn work_stops_before_the_floor_and_goes_on_above_it() {
        let size = 100 * GIB;
        check(size, &[(5000, None), (4999, None), (1025, Some(true)), (5000, Some(false))]);
        check(size, &[(1100, None), (1100, None), (1030, Some(true)), (1087, None), (1088, Some(false))]);
        check(size, &[(1000, Some(true)), (1024, None), (900, None), (2000, Some(false)), (2000, None)]);
        // Slowly filled, it may come close.
        check(
            size,
            &[(1040, None), (1038, None), (1036, None), (1034, None), (1032, None), (1023, Some(true))],
        );
        // 1 GiB/s: stopped three looks ahead.
        check(size, &[(1700, None), (1600, None), (1500, None), (1400, None), (1300, Some(true))]);
    }

    #[test]
    fn a_small_disk_has_a_lower_floor() {
        check(MIB, &[(1, None), (0, Some(true)), (1, Some(false))]);
        check(GIB, &[(600, None), (520, Some(true)), (580, Some(false))]);
    }

    #[cfg(unix)]
    #[test]
    fn a_full_disk_is_told_from_other_faults() {
        let words = |number| std::io::Error::from_raw_os_error(number).to_string();
        for (number, full) in
            [(libc::ENOSPC, true), (libc::EDQUOT, true), (libc::EIO, false), (libc::EROFS, false)]
        {
            let fault = format!("its files cannot be written: {}", words(number));
            assert_eq!(is_full(&fault), full, "{fault}");
        }
        assert!(is_full("fatal: unable to write loose object file: No space left on device"));
    }

    #[test]
    fn the_fuller_the_sooner() {
        let mut gauge = Gauge::new(GIB);
        gauge.look(Instant::now(), 100 * GIB, 200 * GIB);
        assert_eq!(gauge.pause(5 * GIB), Duration::from_secs(2));
        assert_eq!(gauge.pause(GIB), Duration::ZERO);
    }
}
