//! Control groups: one per worker, below the group that this program is in (SUPERVISION section 9).
//!
//! Version 2 where its controllers are delegated to us, version 1 where its folders may be written, each controller
//! for itself; what cannot be had is looked after by polling. Groups are folders: made, used and removed by plain
//! file operations, and named after their guardian, so that what a killed guardian leaves can be told from the rest.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Caps;
use super::platform;

const PREFIX: &str = "orchestrate-";
/// Threads per allowed process that the kernel lets be: compilers and language runtimes have many.
pub(super) const THREADS: u64 = 4;
/// Tries to remove a group whose last process is just going away.
const TRIES: u32 = 50;

/// The groups of one worker.
#[derive(Debug, Default)]
pub(super) struct Cgroup {
    memory: Option<Folder>,
    pids: Option<Folder>,
    cpu: Option<Folder>,
    freezer: Option<Folder>,
    unified: Option<Folder>,
}

/// A group's folder in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    v2: bool,
}

impl Folder {
    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.trim().parse().ok()
    }

    /// The number after a word, in a file of lines of both.
    fn field(&self, file: &str, word: &str) -> Option<u64> {
        let text = self.read(file)?;
        text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        // Never made: a file that is not there is a controller that is not there.
        io::Write::write_all(&mut OpenOptions::new().write(true).open(self.path.join(file))?, text.as_bytes())
    }

    fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }
}

impl Cgroup {
    /// Makes the groups that can be had, with these limits; `None` when there are none.
    pub(super) fn make(caps: &Caps) -> Option<Self> {
        let own = std::process::id();
        let name = format!("{PREFIX}{own}-{}", platform::find(own)?.started);
        let parents = parents(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
        let made = |controller: &str| {
            let path = parents.get(controller)?.join(&name);
            fs::create_dir(&path).ok()?;
            Some(Folder { path, v2: false })
        };
        let mut group = Self {
            unified: parents.get("").and_then(|parent| unified(parent, &name)),
            freezer: None,
            cpu: made("cpuacct"),
            memory: caps.memory.and_then(|_| made("memory")),
            pids: caps.processes.and_then(|_| made("pids")),
        };
        let of_v2 = |file: &str| group.unified.clone().filter(|folder| folder.has(file));
        let (memory, pids, cpu) = (of_v2("memory.max"), of_v2("pids.max"), of_v2("cpu.stat"));
        let freezer = of_v2("cgroup.freeze");
        group.memory = group.memory.take().or(memory);
        group.pids = group.pids.take().or(pids);
        group.cpu = group.cpu.take().or(cpu);
        group.freezer = freezer.or_else(|| made("freezer"));
        group.limit(caps);
        (!group.folders().is_empty()).then_some(group)
    }

    /// Sets the limits; a controller that refuses its limit is not relied on.
    fn limit(&mut self, caps: &Caps) {
        let set_memory = |folder: &Folder, most: u64| {
            let most = most.to_string();
            if folder.v2 {
                folder.write("memory.max", &most)?;
                let _ = folder.write("memory.swap.max", "0");
                let _ = folder.write("memory.oom.group", "1");
                return Ok(());
            }
            folder.write("memory.limit_in_bytes", &most)?;
            // With swap, or not there: then there is no swap to flee to, or no way to bound it.
            let _ = folder.write("memory.memsw.limit_in_bytes", &most);
            io::Result::Ok(())
        };
        if let (Some(folder), Some(most)) = (&self.memory, caps.memory)
            && set_memory(folder, most).is_err()
        {
            self.drop_memory();
        }
        if let (Some(folder), Some(most)) = (&self.pids, caps.processes)
            && folder.write("pids.max", &most.saturating_mul(THREADS).to_string()).is_err()
        {
            self.drop_pids();
        }
    }

    fn drop_memory(&mut self) {
        self.memory.take().iter().filter(|folder| !folder.v2).for_each(remove);
    }

    fn drop_pids(&mut self) {
        self.pids.take().iter().filter(|folder| !folder.v2).for_each(remove);
    }

    /// Every folder once.
    fn folders(&self) -> Vec<&Folder> {
        let all = [&self.memory, &self.pids, &self.cpu, &self.freezer, &self.unified];
        let mut found: Vec<&Folder> = Vec::new();
        for folder in all.into_iter().flatten() {
            if !found.contains(&folder) {
                found.push(folder);
            }
        }
        found
    }

    /// What a new process writes `0` to, to be in the groups.
    pub(super) fn doors(&self) -> Vec<File> {
        let open =
            |folder: &&Folder| OpenOptions::new().write(true).open(folder.path.join("cgroup.procs")).ok();
        self.folders().iter().filter_map(open).collect()
    }

    /// Forgets the groups that a process did not get into.
    pub(super) fn keep_joined(&mut self, pid: u32) {
        let joined = |folder: &Folder| {
            let pids = folder.read("cgroup.procs").unwrap_or_default();
            // One that has ended already tells nothing.
            pids.lines().any(|line| line.parse() == Ok(pid)) || platform::find(pid).is_none_or(|p| p.zombie)
        };
        for folder in [&mut self.memory, &mut self.pids, &mut self.cpu, &mut self.freezer, &mut self.unified]
        {
            if let Some(found) = folder.take_if(|folder| !joined(folder)) {
                remove(&found);
            }
        }
    }

    /// Memory of the tree that is its own (no cache of files), in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        let folder = self.memory.as_ref()?;
        let sum = |words: [&str; 2]| {
            let field = |word| folder.field("memory.stat", word);
            Some(field(words[0])? + field(words[1]).unwrap_or(0))
        };
        if folder.v2 { sum(["anon", "shmem"]) } else { sum(["total_rss", "total_shmem"]) }
    }

    /// Whether the kernel ended a process of the tree because the memory was used up.
    pub(super) fn out_of_memory(&self) -> bool {
        let Some(folder) = &self.memory else { return false };
        let file = if folder.v2 { "memory.events" } else { "memory.oom_control" };
        folder.field(file, "oom_kill").is_some_and(|count| 0 < count)
    }

    /// Threads of the tree.
    pub(super) fn tasks(&self) -> Option<u64> {
        self.pids.as_ref()?.number("pids.current")
    }

    /// Whether the kernel refused a new process or thread.
    pub(super) fn refused_tasks(&self) -> bool {
        self.pids
            .as_ref()
            .and_then(|folder| folder.field("pids.events", "max"))
            .is_some_and(|count| 0 < count)
    }

    /// Processor time of the tree, of processes that have ended too.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let folder = self.cpu.as_ref()?;
        if folder.v2 {
            return folder.field("cpu.stat", "usage_usec").map(Duration::from_micros);
        }
        folder.number("cpuacct.usage").map(Duration::from_nanos)
    }

    /// Stops the whole tree from running, or lets it go on; false when signals must do it.
    pub(super) fn freeze(&self, frozen: bool) -> bool {
        let Some(folder) = &self.freezer else { return false };
        let done = match (folder.v2, frozen) {
            (true, true) => folder.write("cgroup.freeze", "1"),
            (true, false) => folder.write("cgroup.freeze", "0"),
            (false, true) => folder.write("freezer.state", "FROZEN"),
            (false, false) => folder.write("freezer.state", "THAWED"),
        };
        done.is_ok()
    }

    /// Kills the whole tree at once; false when it must be done one by one.
    pub(super) fn kill(&self) -> bool {
        self.unified.as_ref().is_some_and(|folder| folder.write("cgroup.kill", "1").is_ok())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.folders().into_iter().for_each(remove);
    }
}

fn remove(folder: &Folder) {
    for _ in 0..TRIES {
        match fs::remove_dir(&folder.path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(()) | Err(_) => return,
        }
    }
}

/// Removes groups whose guardian was killed: empty ones whose maker is gone.
pub(super) fn tidy() {
    let (Some(groups), Some(mounts)) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo")) else {
        return;
    };
    for parent in parents(&groups, &mounts).values() {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
            let Some((Ok(pid), Ok(started))) = maker.map(|(pid, at)| (pid.parse(), at.parse::<u64>())) else {
                continue;
            };
            if platform::find(pid).is_none_or(|found| found.started != started) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// The group of version 2, with its controllers where they are delegated to us.
fn unified(parent: &Path, name: &str) -> Option<Folder> {
    let at = |parent: &Path| Folder { path: parent.join(name), v2: true };
    // Allowed when nothing runs in the parent itself, as in a container's own group; else beside it, as a user's
    // session manager does it; else without controllers, which still freezes and kills.
    let own = at(parent);
    let _ = fs::write(parent.join("cgroup.subtree_control"), "+memory +pids");
    fs::create_dir(&own.path).ok()?;
    if own.has("memory.max") && own.has("pids.max") {
        return Some(own);
    }
    let beside = parent.parent().filter(|beside| beside.join("cgroup.procs").exists()).map(at);
    if let Some(beside) = beside.filter(|beside| fs::create_dir(&beside.path).is_ok()) {
        let may_move = OpenOptions::new().write(true).open(parent.with_file_name("cgroup.procs")).is_ok();
        if beside.has("memory.max") && beside.has("pids.max") && may_move {
            remove(&own);
            return Some(beside);
        }
        remove(&beside);
    }
    Some(own)
}

/// The folder of our own group, by controller; version 2 has the empty name.
fn parents(groups: &str, mounts: &str) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    // proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, `-`, type, source, options.
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (left, right): (Vec<&str>, Vec<&str>) = (left.split(' ').collect(), right.split(' ').collect());
        let (Some(root), Some(at), Some(kind), Some(options)) =
            (left.get(3), left.get(4), right.first(), right.get(2))
        else {
            continue;
        };
        // cgroups(7): hierarchy, controllers, path.
        for group in groups.lines() {
            let mut fields = group.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let same = match *kind {
                "cgroup2" => controllers.is_empty(),
                "cgroup" => !controllers.is_empty() && controllers.split(',').all(|c| has(options, c)),
                _ => false,
            };
            let Some(below) = path.strip_prefix(root.trim_end_matches('/')).filter(|_| same) else {
                continue;
            };
            let folder = Path::new(at).join(below.trim_start_matches('/'));
            found.extend(controllers.split(',').map(|controller| (controller.to_owned(), folder.clone())));
        }
    }
    found
}

fn has(options: &str, controller: &str) -> bool {
    options.split(',').any(|option| option == controller)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_every_hierarchy() {
        let check = |groups: &str, mounts: &str, wanted: &[(&str, &str)]| {
            let wanted =
                wanted.iter().map(|(name, path)| ((*name).to_owned(), PathBuf::from(path))).collect();
            assert_eq!(parents(groups, mounts), wanted);
        };
        let v1 = "30 25 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                  31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                  32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        check(
            "4:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n",
            v1,
            &[
                ("", "/sys/fs/cgroup/unified"),
                ("cpu", "/sys/fs/cgroup/cpu,cpuacct"),
                ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
                ("memory", "/sys/fs/cgroup/memory/a/b"),
            ],
        );
        let v2 = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        check("0::/user.slice/app.scope\n", v2, &[("", "/sys/fs/cgroup/user.slice/app.scope")]);
        // In a container the mount begins at its own group.
        let inside = "30 25 0:26 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        check("4:memory:/docker/1/x\n", inside, &[("memory", "/sys/fs/cgroup/memory/x")]);
        check("4:memory:/elsewhere\n", inside, &[]);
        check("", v1, &[]);
        check("0::/\n", "nonsense\n", &[]);
    }
}
