//! G1c: the power is cut at any moment; nothing that was acknowledged is lost.
//!
//! A disk of its own in memory (ext4 on a loop device); what is on the device at one moment is what a power cut leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use acceptance::{
    chaos::{Chaos, Fault},
    team::signal,
};
use engine::weakness::Weakness;

use super::writer;

/// Bytes of the disk.
const DISK: u64 = 16 << 20;

/// What the cuts showed.
#[derive(Debug, Default)]
struct Tally {
    cuts: u32,
    acknowledged: u64,
    /// Cuts that lost something.
    lost: u32,
    torn: u32,
    wrong: Vec<String>,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let Some(memory) = Some(Path::new("/dev/shm")).filter(|it| it.is_dir()) else {
        chaos.skipped("G1c", "there is no /dev/shm");
        return Ok(());
    };
    let folder = tempfile::Builder::new().prefix("chaos-power-").tempdir_in(memory)?;
    let disk = Disk::new(folder.path())?;
    if let Err(why) = disk.fresh() {
        chaos.skipped("G1c", why);
        return Ok(());
    }
    disk.unmount();
    let mut rng = chaos.rng();
    let cuts = chaos.scale(100, 25);
    let mut tally = Tally::default();
    for _ in 0..cuts {
        cut(&disk, &[], rng.u64(20_000..150_000), &mut tally)?;
    }
    tally.wrong.iter().take(10).for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.note(format_args!(
        "{} entries acknowledged before {} cuts, {} of which left a torn tail",
        tally.acknowledged, tally.cuts, tally.torn
    ));
    chaos.goal("G1c-cuts", tally.cuts, cuts, tally.cuts == cuts && 0 < tally.acknowledged);
    chaos.goal("G1c-acknowledged-lost", tally.lost, 0, tally.lost == 0 && tally.wrong.is_empty());
    let mut weak = Tally::default();
    for _ in 0..5 {
        cut(&disk, &[Weakness::NoSync.name()], rng.u64(60_000..150_000), &mut weak)?;
    }
    let what = format_args!("without fdatasync {} of {} cuts lose something:", weak.lost, weak.cuts);
    chaos.control("G1c-acknowledged-lost", what, 0 < weak.lost);
    Ok(())
}

/// A disk, where it is mounted, and the copy that a cut leaves.
struct Disk {
    empty: PathBuf,
    image: PathBuf,
    copy: PathBuf,
    at: PathBuf,
    acks: PathBuf,
}

impl Disk {
    fn new(folder: &Path) -> std::io::Result<Self> {
        let [empty, image, copy, at, acks] =
            ["empty", "image", "copy", "mounted", "acks"].map(|name| folder.join(name));
        fs::create_dir(&at)?;
        Ok(Self { empty, image, copy, at, acks })
    }

    /// Mounts an empty disk.
    fn fresh(&self) -> Result<(), String> {
        if !self.empty.exists() {
            let file = fs::File::create(&self.empty).and_then(|file| file.set_len(DISK));
            file.map_err(|fault| fault.to_string())?;
            system("mkfs.ext4", &[&"-q", &"-F", &self.empty])?;
        }
        fs::copy(&self.empty, &self.image).map_err(|fault| fault.to_string())?;
        self.mount(&self.image)
    }

    fn mount(&self, image: &Path) -> Result<(), String> {
        system("mount", &[&"-o", &"loop", &image, &self.at])
    }

    fn unmount(&self) {
        // What was just ended may need a moment to let go.
        for _ in 0..100 {
            if system("umount", &[&self.at]).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Fails when it is not mounted, as it should be.
        drop(system("umount", &[&self.at]));
    }
}

/// Runs a program of the system; what it complained about when it failed.
fn system(program: &str, words: &[&dyn AsRef<std::ffi::OsStr>]) -> Result<(), String> {
    let mut command = Command::new(program);
    for word in words {
        command.arg(word.as_ref());
    }
    let done = command.stdin(Stdio::null()).output().map_err(|fault| format!("{program}: {fault}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

/// One writer, one cut, one recovery.
fn cut(disk: &Disk, weak: &[&str], microseconds: u64, tally: &mut Tally) -> Result<(), Fault> {
    disk.fresh()?;
    fs::write(&disk.acks, "")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["inner", "writer"]).arg(disk.at.join("session")).arg(&disk.acks).arg("1000000").args(weak);
    let mut writer = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // The time begins with the first acknowledgement: a program takes long to start on a busy machine.
    for _ in 0..2000 {
        if 0 < writer::acknowledged(&disk.acks) || writer.try_wait()?.is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_micros(microseconds));
    signal(writer.id(), "-STOP");
    let acknowledged = writer::acknowledged(&disk.acks);
    fs::copy(&disk.image, &disk.copy)?;
    writer.kill()?;
    writer.wait()?;
    disk.unmount();
    disk.mount(&disk.copy)?;
    let session = disk.at.join("session");
    let torn = |session: &Path| {
        let files = fs::read_dir(session).into_iter().flatten().flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with("journal.torn-")).count()
    };
    let before = torn(&session);
    let found = writer::recovered(&session);
    tally.torn += u32::from(before < torn(&session));
    tally.cuts += 1;
    tally.acknowledged += acknowledged;
    match found {
        Ok(found) if acknowledged <= found => {
            // It goes on where it stood.
            let goes_on =
                writer::write(&session, &disk.acks, found + 8, false).map_err(|fault| fault.to_string());
            tally.wrong.extend(goes_on.err());
        }
        Ok(found) => {
            tally.lost += 1;
            tally.wrong.push(format!("{acknowledged} were acknowledged, {found} are there"));
        }
        Err(why) => {
            tally.lost += 1;
            tally.wrong.push(format!("{acknowledged} were acknowledged: {why}"));
        }
    }
    disk.unmount();
    Ok(())
}
