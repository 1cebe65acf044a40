//! Level L1, where bubblewrap cannot be used: Landlock, which a process lays on itself and all it starts. It tells which
//! files can be read and written; there are no namespaces, so neither the network nor what is mounted is the worker's own.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};

use super::profile::{Mount, Profile};
use super::seccomp;

/// The least that holds: before it (Linux 6.2) a file that must not be written could still be emptied.
const LEAST: ABI = ABI::V3;
/// What is taken where the kernel has it: control of devices, and of other processes and their sockets (Linux 6.12).
const FILES: ABI = ABI::V5;
const SCOPES: ABI = ABI::V6;
/// Devices that programs need. No terminals: the user's own are among them.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What programs read about themselves. Of other processes Landlock shows no environment, memory or descriptor.
const PROCESSES: &str = "/proc";

/// Which files, each with all below it. Part of the [`Setup`](super::confined::Setup).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Files {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

impl Files {
    /// What a profile shows. What it covers, links or keeps in memory has no place here.
    pub(super) fn of(profile: &Profile) -> Self {
        let mut files = Self { read: vec![PROCESSES.into()], write: DEVICES.map(PathBuf::from).into() };
        for mount in profile.mounts() {
            match mount {
                Mount::Read(from) => files.read.push(from.clone()),
                Mount::Write(from) => files.write.push(from.clone()),
                Mount::Link(_) | Mount::Memory(_) => {}
            }
        }
        files
    }

    /// Confines this process for good, and all it will start.
    ///
    /// # Errors
    /// A kernel without Landlock, or with one that holds too little; in words.
    pub(super) fn enforce(&self) -> Result<(), String> {
        let status = self.restrict().map_err(|fault| format!("Landlock: {fault}"))?;
        if status == RulesetStatus::NotEnforced {
            return Err("Landlock: the kernel does not hold it".to_owned());
        }
        seccomp::apply()
    }

    fn restrict(&self) -> Result<RulesetStatus, RulesetError> {
        let all = AccessFs::from_all(FILES);
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(LEAST))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .scope(Scope::from_all(SCOPES))?
            .create()?;
        // What is not there is left out, as with bubblewrap.
        let ruleset = ruleset
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(FILES)))?
            .add_rules(path_beneath_rules(&self.write, all))?;
        Ok(ruleset.restrict_self()?.ruleset)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sandbox::profile::Network;

    #[test]
    fn what_is_shown_is_all_there_is() {
        let mut profile = Profile::new(Network::Hosts, Path::new("/home/u"), Path::new("/s/trees/t1"));
        profile.read(Path::new("/usr"));
        profile.put("/bin", Mount::Link("usr/bin".into()));
        profile.write(Path::new("/s/trees/t1"));
        profile.put("/s/trees/t1/.git", Mount::Read("/s/repos/t1~git".into()));
        let files = Files::of(&profile);
        let paths = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(files.read, paths(&["/proc", "/s/repos/t1~git", "/usr"]));
        assert_eq!(files.write, [paths(&DEVICES), paths(&["/s/trees/t1"])].concat());
    }
}
