//! G5: whatever happens to a journal's bytes, what is read is the longest part that was written, or it is refused and
//! the place is named. Damaged bytes are kept aside.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
};

use acceptance::{
    chaos::{Chaos, Fault},
    team::{plan, task, work},
};
use domain::{Entry, SessionId};
use engine::journal::{self, Journal, JournalError};

/// Lengths of what is found behind the last entry.
const TAILS: [usize; 8] = [1, 2, 511, 512, 4095, 4096, 65_535, 65_536];
/// Bits that are flipped in each byte.
const BITS: [u8; 3] = [0, 3, 5];
/// Machines have several processors; what is done here needs nothing else.
const LANES: usize = 2;

/// A journal as it was written.
struct Written {
    session: SessionId,
    entries: Vec<Entry>,
    /// Names and contents of its files, in order.
    files: Vec<(String, Vec<u8>)>,
    /// The same entries as another session has them.
    foreign: Vec<Vec<u8>>,
}

/// What is done to the bytes of a file.
type Change<'a> = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync + 'a>;

/// One corruption.
struct Damage<'a> {
    what: String,
    /// The number of the file.
    file: usize,
    change: Change<'a>,
    /// Whether an interrupted write or a cut of the power leaves this, so that it has to be mended without asking.
    natural: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    cut: u64,
    refused: u64,
    wrong: Vec<String>,
    /// Entries that a reader without checksums would have given and that were never written.
    invented: u64,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let _memory = Scratch(scratch(chaos, "")?);
    let whole = session(chaos)?;
    let parted = in_two(chaos, &whole)?;
    let mut tally = Tally::default();
    for written in [&whole, &parted] {
        let damages = damages(chaos, written);
        let lanes: Vec<PathBuf> =
            (0..LANES).map(|lane| scratch(chaos, &format!("lane-{lane}"))).collect::<Result<_, _>>()?;
        let tallies: Vec<Tally> = thread::scope(|scope| {
            let run = |(lane, folder): (usize, &PathBuf)| {
                let (damages, folder) = (&damages, folder.clone());
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    damages
                        .iter()
                        .skip(lane)
                        .step_by(LANES)
                        .for_each(|it| one(written, it, &folder, &mut tally));
                    tally
                })
            };
            let lanes: Vec<_> = lanes.iter().enumerate().map(run).collect();
            lanes.into_iter().filter_map(|lane| lane.join().ok()).collect()
        });
        if tallies.len() < LANES {
            return Err("a lane broke off".into());
        }
        for lane in tallies {
            tally.cases += lane.cases;
            tally.cut += lane.cut;
            tally.refused += lane.refused;
            tally.invented += lane.invented;
            tally.wrong.extend(lane.wrong);
        }
    }
    odd_folders(chaos, &whole, &parted, &mut tally)?;
    tally.wrong.iter().take(10).for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.note(format_args!(
        "a session of {} entries, {} bytes; {} corruptions: {} cut off and kept aside, {} refused with the place",
        whole.entries.len(),
        whole.files[0].1.len(),
        tally.cases,
        tally.cut,
        tally.refused
    ));
    let wanted = chaos.scale(50_000, 3000);
    chaos.goal("G5-corruptions", tally.cases, wanted, wanted <= tally.cases);
    chaos.goal("G5-wrong", tally.wrong.len(), 0, tally.wrong.is_empty());
    let what = format_args!("without checksums {} wrong entries are read:", tally.invented);
    chaos.control("G5-wrong", what, 0 < tally.invented);
    Ok(())
}

/// A folder that goes away with this.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is told by nobody: it is in memory.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A folder in memory where there is one: a hundred thousand files are written.
fn scratch(chaos: &Chaos, name: &str) -> std::io::Result<PathBuf> {
    let shm = Path::new("/dev/shm");
    let own = chaos.folder().file_name().unwrap_or_default();
    let folder =
        if shm.is_dir() { shm.join(own).join(name) } else { chaos.folder().join("scratch").join(name) };
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The journal of a session that the product ran.
fn session(chaos: &Chaos) -> Result<Written, Fault> {
    let team = chaos.team(|_| vec![plan(&[task("t1", "claude")]), work("t1", &[])]);
    team.begin().end().expect(0);
    let folder = team.session().ok_or("no session")?;
    let entries = journal::read(&folder)?;
    let files = vec![(journal::FILE.to_owned(), fs::read(folder.join(journal::FILE))?)];
    let other = scratch(chaos, "other")?.join("session");
    Journal::create(&other, &SessionId("01990000-0000-7000-8000-00000000000f".to_owned()))?
        .append(&entries)?;
    let foreign = fs::read(other.join(journal::FILE))?;
    let foreign = foreign.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    Ok(Written { session: team.id(), entries, files, foreign })
}

/// The same entries in two segments.
fn in_two(chaos: &Chaos, whole: &Written) -> Result<Written, Fault> {
    let folder = scratch(chaos, "two")?.join("session");
    let (first, second) = whole.entries.split_at(whole.entries.len() / 2);
    let mut journal = Journal::create(&folder, &whole.session)?;
    journal.append(first)?;
    journal.reopen()?;
    journal.append(second)?;
    drop(journal);
    let mut names: Vec<_> = fs::read_dir(&folder)?.flatten().map(|file| file.file_name()).collect();
    names.retain(|name| name.to_string_lossy().ends_with(".jsonl"));
    names.sort_by_key(|name| name.len()); // journal.jsonl is the first
    let read = |name: &std::ffi::OsString| {
        fs::read(folder.join(name)).map(|bytes| (name.to_string_lossy().into_owned(), bytes))
    };
    let files = names.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    fs::remove_dir_all(&folder)?;
    if files.len() != 2 {
        return Err("a journal that is opened anew does not begin a segment".into());
    }
    Ok(Written {
        session: whole.session.clone(),
        entries: whole.entries.clone(),
        files,
        foreign: whole.foreign.clone(),
    })
}

fn damages<'a>(chaos: &Chaos, written: &'a Written) -> Vec<Damage<'a>> {
    let mut damages: Vec<Damage<'a>> = Vec::new();
    // Every byte, or every so-manieth from a random one on.
    let step = chaos.scale(1, if cfg!(debug_assertions) { 101 } else { 11 });
    let mut rng = chaos.rng();
    for (file, (name, bytes)) in written.files.iter().enumerate() {
        let mut add = |what: String, natural: bool, change: Change<'a>| {
            damages.push(Damage { what: format!("{what} of {name}"), file, change, natural });
        };
        for at in (rng.usize(..step)..bytes.len()).step_by(step) {
            add(format!("cut at {at}"), true, Box::new(move |bytes| bytes[..at].to_vec()));
            for bit in BITS {
                let flip = move |bytes: &[u8]| {
                    let mut bytes = bytes.to_vec();
                    bytes[at] ^= 1 << bit;
                    bytes
                };
                add(format!("bit {bit} of byte {at}"), false, Box::new(flip));
            }
        }
        for (byte, len) in [0, b'\n', 0xff].into_iter().flat_map(|byte| TAILS.map(|len| (byte, len))) {
            let tail = move |bytes: &[u8]| [bytes, &vec![byte; len]].concat();
            add(format!("{len} bytes {byte:#x} at the end"), true, Box::new(tail));
        }
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
        let before = if file == 0 { 0 } else { written.entries.len() - lines };
        for line in 0..lines {
            let twice = move |bytes: &[u8]| relined(bytes, |lines| lines.insert(line, lines[line]));
            add(format!("line {line} twice"), false, Box::new(twice));
            let without = move |bytes: &[u8]| {
                relined(bytes, |lines| {
                    lines.remove(line);
                })
            };
            add(format!("without line {line}"), false, Box::new(without));
            let swapped =
                move |bytes: &[u8]| relined(bytes, |changed| changed.swap(line, (line + 1) % lines));
            add(format!("line {line} after the next"), false, Box::new(swapped));
            let foreign = &written.foreign[before + line];
            let other = move |bytes: &[u8]| relined(bytes, |lines| lines[line] = foreign);
            add(format!("line {line} of another session"), false, Box::new(other));
        }
    }
    damages
}

fn relined<'a>(bytes: &'a [u8], change: impl FnOnce(&mut Vec<&'a [u8]>)) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    change(&mut lines);
    lines.concat()
}

/// Does one damage and judges what the product makes of it.
fn one(written: &Written, damage: &Damage<'_>, folder: &Path, tally: &mut Tally) {
    let original = &written.files[damage.file].1;
    let damaged = (damage.change)(original);
    if damaged == *original {
        return;
    }
    tally.cases += 1;
    let judged = catch_unwind(AssertUnwindSafe(|| judge(written, damage, &damaged, folder)));
    match judged {
        Ok(Ok(Made::Cut)) => tally.cut += 1,
        Ok(Ok(Made::Refused)) => tally.refused += 1,
        Ok(Ok(Made::Read)) => {}
        Ok(Err(why)) => tally.wrong.push(format!("{}: {why}", damage.what)),
        Err(_) => tally.wrong.push(format!("{}: panics", damage.what)),
    }
    // The control: lines that are taken as they are.
    let number = kept(original, &damaged);
    let line = damaged.split(|byte| *byte == b'\n').nth(number).unwrap_or_default();
    let json = line.split(|byte| *byte == b'\t').nth(1).unwrap_or_default();
    let before = entries_before(written, damage.file);
    if let Ok(entry) = serde_json::from_slice::<Entry>(json) {
        tally.invented += u64::from(written.entries.get(before + number) != Some(&entry));
    }
}

/// What the product made of a damaged journal.
enum Made {
    /// The rest was cut off.
    Cut,
    /// The place was named.
    Refused,
    /// All that is there was read.
    Read,
}

/// Whole lines that are as they were.
fn kept(original: &[u8], damaged: &[u8]) -> usize {
    let same = original.iter().zip(damaged).take_while(|(one, other)| one == other).count();
    original[..same].iter().filter(|byte| **byte == b'\n').count()
}

fn entries_before(written: &Written, file: usize) -> usize {
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    written.files[..file].iter().map(|(_, bytes)| count(bytes)).sum()
}

fn judge(written: &Written, damage: &Damage<'_>, damaged: &[u8], folder: &Path) -> Result<Made, String> {
    let session = folder.join("session");
    let told = |error: std::io::Error| error.to_string();
    if session.exists() {
        fs::remove_dir_all(&session).map_err(told)?;
    }
    fs::create_dir(&session).map_err(told)?;
    for (number, (name, bytes)) in written.files.iter().enumerate() {
        let bytes = if number == damage.file { damaged } else { bytes };
        fs::write(session.join(name), bytes).map_err(told)?;
    }
    let last = damage.file + 1 == written.files.len();
    let original = &written.files[damage.file].1;
    let lines = kept(original, damaged);
    // A segment ends where the next begins: what stands behind its entries there was never acknowledged.
    let harmless = !last && damaged.starts_with(original);
    let wanted = if harmless { written.entries.len() } else { entries_before(written, damage.file) + lines };
    let good: usize = original.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
    let acknowledged_behind = !harmless
        && (!last
            || original
                .split_inclusive(|byte| *byte == b'\n')
                .skip(lines)
                .any(|line| memchr::memmem::find(&damaged[good..], line).is_some()));

    // Readers, which change nothing.
    let (read, trouble) = journal::read_readable(&session).map_err(|fault| format!("read: {fault}"))?;
    if read != written.entries[..wanted] {
        return Err(format!("a reader gets {} entries, not the {wanted}", read.len()));
    }
    let mut opened = Vec::new();
    let result = Journal::open_each(&session, &written.session, |entry| opened.push(entry));
    if opened != written.entries[..wanted] {
        return Err(format!("{} entries are opened, not the {wanted}", opened.len()));
    }
    let now = |name: &str| fs::read(session.join(name)).unwrap_or_default();
    match result {
        Ok(_) if acknowledged_behind => {
            Err("entries behind the damage are given up without a word".to_owned())
        }
        Ok(_) if trouble.is_some() => Err(format!("it opens, but readers say {trouble:?}")),
        Ok((_, None)) if harmless || good == damaged.len() => Ok(Made::Read),
        Ok((_, None)) => Err("the rest is not told of".to_owned()),
        Ok((_, Some(cut))) => {
            if fs::read(&cut.kept_at).map_err(told)? != damaged[good..] {
                return Err("what was cut off is not what is kept aside".to_owned());
            }
            let left = now(&written.files[damage.file].0);
            if left == damaged[..good] {
                Ok(Made::Cut)
            } else {
                Err("not only the rest is cut off".to_owned())
            }
        }
        Err(fault) if damage.natural && !acknowledged_behind => {
            Err(format!("an interrupted write is refused: {fault}"))
        }
        Err(JournalError::Damaged { line, .. } | JournalError::Newer { line, .. })
            if line != wanted as u64 + 1 =>
        {
            Err(format!("line {line} is named, not {}", wanted + 1))
        }
        Err(JournalError::Damaged { .. } | JournalError::Newer { .. }) if trouble.is_none() => {
            Err("it does not open, but readers see nothing".to_owned())
        }
        Err(JournalError::Damaged { .. } | JournalError::Newer { .. }) => {
            let same = written.files.iter().enumerate().all(|(number, (name, bytes))| {
                now(name) == if number == damage.file { damaged } else { &bytes[..] }
            });
            if same { Ok(Made::Refused) } else { Err("what is refused is changed".to_owned()) }
        }
        Err(fault) => Err(format!("refused without a place: {fault}")),
    }
}

/// Folders that are not as a session's folder is; each with how many entries are to be read, or none to be refused.
fn odd_folders(chaos: &Chaos, whole: &Written, parted: &Written, tally: &mut Tally) -> Result<(), Fault> {
    let half = entries_before(parted, 1);
    let (first, second) = (&parted.files[0], &parted.files[1]);
    let third = second.0.replace('2', "3");
    let all = whole.entries.len();
    type Made<'a> = Vec<(&'a str, Option<&'a [u8]>)>;
    let cases: Vec<(&str, Made<'_>, Option<usize>)> = vec![
        ("an empty file", vec![(journal::FILE, Some(&[]))], Some(0)),
        ("no file", vec![], None),
        ("a folder instead of the file", vec![(journal::FILE, None)], None),
        ("no first segment", vec![(&second.0, Some(&second.1))], None),
        ("an empty first segment", vec![(&first.0, Some(&[])), (&second.0, Some(&second.1))], None),
        ("a folder instead of a segment", vec![(&first.0, Some(&first.1)), (&second.0, None)], None),
        ("no last segment", vec![(&first.0, Some(&first.1))], Some(half)),
        ("an empty last segment", vec![(&first.0, Some(&first.1)), (&second.0, Some(&[]))], Some(half)),
        // A number that was passed over says nothing: numbers of entries tell whether one is missing.
        ("another number", vec![(&first.0, Some(&first.1)), (&third, Some(&second.1))], Some(all)),
        (
            "the first segment twice",
            vec![(&first.0, Some(&first.1)), (&second.0, Some(&first.1))],
            Some(half),
        ),
        (
            "all, and the second half again",
            vec![(&first.0, Some(&whole.files[0].1)), (&second.0, Some(&second.1))],
            Some(all),
        ),
    ];
    for (what, files, wanted) in cases {
        tally.cases += 1;
        let folder = scratch(chaos, "odd")?.join("session");
        fs::create_dir(&folder)?;
        for (name, bytes) in files {
            match bytes {
                Some(bytes) => fs::write(folder.join(name), bytes)?,
                None => fs::create_dir(folder.join(name))?,
            }
        }
        let read = catch_unwind(|| journal::read_readable(&folder));
        let opened = catch_unwind(|| Journal::open(&folder, &whole.session));
        let wrong = match (read, opened, wanted) {
            (Ok(Ok((read, None))), Ok(Ok((_, found))), Some(wanted)) => {
                read != whole.entries[..wanted] || found.entries != whole.entries[..wanted]
            }
            (Ok(Err(_) | Ok((_, Some(_)))), Ok(Err(_)), None) => false,
            _ => true,
        };
        if wrong {
            tally
                .wrong
                .push(format!("{what}: {:?}", journal::read_readable(&folder).map(|it| (it.0.len(), it.1))));
        }
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
