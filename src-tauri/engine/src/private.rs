//! Files and folders that only the user may read: journals, raw logs and exit records hold prompts and code.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Options that make new files readable by nobody else (0600).
pub(crate) fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder that nobody else may enter (0700), with its parents; one that exists is closed to others.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Makes names in a folder durable. Windows has no such call and needs none on NTFS.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Writes a file that nobody else may read, whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = options().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)
}

/// Replaces a file as a whole: whoever reads it sees the old or the new content, also after a power cut.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    // Made anew: in a folder that a worker writes to, a link in its place would lead to a file of the user's.
    match std::fs::remove_file(&temporary) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        Ok(()) | Err(_) => {}
    }
    let mut file = options().write(true).create_new(true).open(&temporary)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes `at` another name of a file or folder that stays where it is.
///
/// # Errors
/// `AlreadyExists` when something is there; Windows lets not every user make symbolic links: files are copied then.
#[cfg(unix)]
pub(crate) fn link(from: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(from, at)
}

/// As on Unix.
#[cfg(windows)]
pub(crate) fn link(from: &Path, at: &Path) -> io::Result<()> {
    use std::os::windows::fs::{symlink_dir, symlink_file};
    if at.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if from.is_dir() {
        return symlink_dir(from, at);
    }
    symlink_file(from, at).or_else(|_| std::fs::copy(from, at).map(|_| ()))
}
