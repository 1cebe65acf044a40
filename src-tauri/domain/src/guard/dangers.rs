//! What the rules of the table look for where words alone do not tell.

use super::invocation::Invocation;
use super::place::{Place, Zone};
use super::run::interpreter;
use super::value::Value;

/// Programs that delete what they are given.
const DELETERS: &[&str] =
    &["rm", "rmdir", "unlink", "shred", "srm", "trash", "trash-put", "rimraf", "del", "rd", "wipe"];
/// Programs that write to their last operand.
const COPIERS: &[&str] = &["cp", "mv", "install", "ln", "rsync", "scp", "ditto"];
/// Programs that write to all their operands.
const WRITERS: &[&str] = &["tee", "touch", "mkdir", "truncate", "sponge", "mkfifo", "mknod", "chattr"];
/// Programs that change who may do what with all their operands but the first.
const MODES: &[&str] = &["chmod", "chown", "chgrp", "setfacl"];

const COPY_OPTIONS: &[&str] =
    &["-m", "-o", "-g", "-S", "-e", "--rsh", "--exclude", "--include", "-f", "--filter"];

impl Invocation {
    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.program.as_str())
    }

    fn zone(&self, place: &Place, path: &Value) -> Zone {
        place.zone(path, self.cwd.as_deref())
    }

    /// What it deletes, and whether with all that is below.
    fn deletes(&self) -> Option<(Vec<&Value>, bool)> {
        if self.is(DELETERS) {
            let operands = self.operands(&["-n", "-s", "--iterations"]);
            let below = self.program != "rm" && self.program != "unlink" && self.program != "rmdir"
                || self.any(&["-r", "-R", "--recursive"])
                || self.any(&["--rec", "--recurs", "--recurse", "--recursiv"]);
            return Some((operands, below));
        }
        let finds = self.program == "find" && self.word("-delete");
        if finds || (self.program == "rsync" && self.args.iter().any(|arg| arg.text().starts_with("--del"))) {
            let from = self.args.iter().take_while(|arg| finds && !arg.text().starts_with(['-', '(', '!']));
            let paths: Vec<&Value> = if finds {
                from.collect()
            } else {
                self.operands(COPY_OPTIONS).into_iter().skip(1).collect()
            };
            return Some((paths, true));
        }
        // What is moved is gone from where it was.
        (self.program == "mv").then(|| {
            let operands = self.operands(&["-S", "-t"]);
            let sources = operands.len().saturating_sub(usize::from(!self.has("-t")));
            (operands.into_iter().take(sources).collect(), true)
        })
    }

    /// A `find` that is narrowed finds a part only.
    fn narrowed(&self) -> bool {
        let tests = [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-regex",
            "-mtime",
            "-mmin",
            "-newer",
            "-size",
            "-empty",
            "-maxdepth",
        ];
        self.program == "find" && tests.iter().any(|test| self.word(test))
    }

    /// Files that it writes: by redirects, and as its operands.
    fn written(&self) -> Vec<&Value> {
        let mut all: Vec<&Value> = self.writes.iter().collect();
        if self.is(COPIERS) {
            let to = self.operands(COPY_OPTIONS).into_iter().last();
            all.extend(to.filter(|to| !to.text().contains(':') || to.text().starts_with('/')));
            all.extend(
                self.args.iter().skip_while(|arg| !matches!(arg.text(), "-t" | "--target-directory")).nth(1),
            );
        } else if self.is(WRITERS) {
            all.extend(self.operands(&["-s", "-m", "-d", "-t", "-r", "--size", "--reference"]));
        } else if self.is(MODES) {
            all.extend(self.operands(&["--reference"]).into_iter().skip(1));
        } else if self.is(&["sed", "perl", "ruby", "gawk", "yq", "sd"])
            && (self.any(&["-i", "--in-place"]) || self.clustered_in_place())
        {
            all.extend(self.operands(&["-e", "-f", "-E"]));
        } else if self.is(&["dd"]) {
            all.extend(self.args.iter().filter(|arg| arg.text().starts_with("of=")));
        } else if self.is(&["tar", "unzip", "bsdtar", "7z"]) {
            let into =
                self.args.iter().skip_while(|arg| !matches!(arg.text(), "-C" | "-d" | "--directory")).nth(1);
            all.extend(into);
        } else if self.is(&["patch", "ed", "ex"]) {
            all.extend(self.operands(&["-p", "-i", "-d"]).first().copied());
        } else if self.is(&["curl", "wget"]) {
            let to =
                self.args.iter().skip_while(|arg| !matches!(arg.text(), "-o" | "-O" | "--output")).nth(1);
            all.extend(to.filter(|to| !to.text().starts_with("http")));
        }
        all
    }

    fn clustered_in_place(&self) -> bool {
        self.args
            .iter()
            .any(|arg| arg.text().starts_with("-i") || arg.text() == "-pi" || arg.text().starts_with("-pi."))
    }
}

fn deleted_zones(call: &Invocation, place: &Place) -> Vec<Zone> {
    let Some((paths, _)) = call.deletes() else { return Vec::new() };
    let narrowed = call.narrowed();
    let here = Value::known(".");
    let paths = if paths.is_empty() && call.program == "find" { vec![&here] } else { paths };
    let part = |zone: Zone| if narrowed && zone == Zone::WholeProject { Zone::Project } else { zone };
    paths.into_iter().map(|path| part(call.zone(place, path))).collect()
}

pub(super) fn deletes_system(call: &Invocation, place: &Place) -> bool {
    let zones = deleted_zones(call, place);
    zones.iter().any(|zone| matches!(zone, Zone::System | Zone::Secret | Zone::Startup | Zone::Device))
}

pub(super) fn deletes_git(call: &Invocation, place: &Place) -> bool {
    // A lock that a killed git left is removed by everybody.
    let lock = call.args.iter().all(|arg| arg.text().starts_with('-') || arg.text().ends_with(".lock"));
    !lock && deleted_zones(call, place).contains(&Zone::Git)
}

pub(super) fn deletes_outside(call: &Invocation, place: &Place) -> bool {
    deleted_zones(call, place).contains(&Zone::Outside)
}

pub(super) fn deletes_all(call: &Invocation, place: &Place) -> bool {
    let below = call.deletes().is_some_and(|(_, below)| below);
    let globs = call.args.iter().any(|arg| arg.text().contains('*'));
    (below || globs || call.many) && deleted_zones(call, place).contains(&Zone::WholeProject)
}

pub(super) fn deletes_unknown(call: &Invocation, place: &Place) -> bool {
    let Some((_, below)) = call.deletes() else { return false };
    let named = call.program != "mv" && (below || call.many);
    named && deleted_zones(call, place).contains(&Zone::Unknown)
}

pub(super) fn raw_disk(call: &Invocation, place: &Place) -> bool {
    const MAKERS: &[&str] = &[
        "mkswap",
        "wipefs",
        "fdisk",
        "sfdisk",
        "gdisk",
        "sgdisk",
        "cfdisk",
        "parted",
        "blkdiscard",
        "hdparm",
        "badblocks",
        "cryptsetup",
        "lvremove",
        "vgremove",
        "pvremove",
        "mdadm",
        "zpool",
        "nvme",
        "diskutil",
        "format",
        "diskpart",
        "e2fsck",
        "fsck",
        "resize2fs",
        "tune2fs",
        "debugfs",
        "losetup",
        "partprobe",
        "flashrom",
        "fwupdmgr",
        "newfs",
    ];
    let makes = call.program.starts_with("mkfs") || call.program.starts_with("mke2fs") || call.is(MAKERS);
    let operands = call.args.iter().map(Value::text);
    let device = |text: &str| {
        let path = text.split_once('=').map_or(text, |(_, path)| path);
        call.zone(place, &Value::known(path)) == Zone::Device
    };
    // A file system in a file of the project harms nothing.
    let target = |text: &str| !text.starts_with('-');
    if makes {
        let mut targets = operands.filter(|text| target(text)).peekable();
        let asks = call.any(&["--help", "--version", "-V", "-l", "--list"]);
        return !asks
            && (targets.peek().is_none()
                || targets.any(|text| device(text) || text.contains('\u{1}'))
                || call.is(MAKERS));
    }
    let writes = call.written().into_iter().any(|file| device(file.text()));
    writes
        || (call.is(&["dd"]) && call.args.iter().any(|arg| arg.text().starts_with("of=") && !arg.is_known()))
}

pub(super) fn power(call: &Invocation, _: &Place) -> bool {
    let first = call.args.iter().map(Value::text).find(|text| !text.starts_with('-')).unwrap_or_default();
    let words = [
        "poweroff",
        "reboot",
        "halt",
        "kexec",
        "suspend",
        "hibernate",
        "rescue",
        "emergency",
        "isolate",
        "soft-reboot",
    ];
    call.is(&[
        "shutdown",
        "reboot",
        "halt",
        "poweroff",
        "telinit",
        "kexec",
        "pm-suspend",
        "pm-hibernate",
        "restart-computer",
        "stop-computer",
    ]) || (call.is(&["init"]) && matches!(first, "0" | "1" | "6" | "s" | "S"))
        || (call.is(&["systemctl", "loginctl", "busctl"]) && words.contains(&first))
        || call.written().iter().any(|file| file.text().contains("sysrq"))
}

pub(super) fn kernel(call: &Invocation, _: &Place) -> bool {
    let args = call.operands(&["-t", "-o", "-p"]).len();
    match call.program.as_str() {
        "insmod" | "rmmod" | "modprobe" | "depmod" | "pivot_root" | "switch_root" | "swapoff" | "swapon"
        | "ip6tables" | "iptables" | "iptables-restore" | "nft" | "ufw" | "firewall-cmd" | "pfctl"
        | "setenforce" | "csrutil" | "spctl" | "auditctl" | "ebtables" => {
            !call.any(&["-L", "--list", "-S", "status", "--help"])
                && !call.word("list")
                && !call.word("status")
        }
        "mount" => 0 < args,
        "umount" | "umount2" | "fusermount" => true,
        "sysctl" => {
            call.any(&["-w", "-p", "--write", "--load"])
                || call.args.iter().any(|arg| arg.text().contains('='))
        }
        "ip" => call.word("del") || call.word("flush") || call.word("down"),
        "ifconfig" | "route" => call.word("down") || call.word("del") || call.word("delete"),
        "timedatectl" | "hostnamectl" | "hwclock" => {
            call.args.iter().any(|arg| arg.text().starts_with("set")) || call.has("--set")
        }
        "date" => call.any(&["-s", "--set"]),
        "bcdedit" | "vssadmin" | "cipher" => true,
        _ => false,
    }
}

pub(super) fn kills_all(call: &Invocation, _: &Place) -> bool {
    let args: Vec<&str> = call.args.iter().map(Value::text).collect();
    // The signal comes first: `-9`, `-KILL`, `-s 9`.
    let signal = match args.first() {
        Some(&("-s" | "-n")) => 2,
        Some(first) if first.starts_with('-') && 1 < args.len() => 1,
        _ => 0,
    };
    call.is(&["killall5"])
        || (call.is(&["kill"]) && args.iter().skip(signal).any(|target| matches!(*target, "-1" | "1")))
}

pub(super) fn writes_system(call: &Invocation, place: &Place) -> bool {
    call.written().into_iter().any(|file| {
        let path = file.text().strip_prefix("of=").map_or_else(|| file.clone(), Value::known);
        matches!(call.zone(place, &path), Zone::System | Zone::Secret | Zone::Startup)
    })
}

pub(super) fn writes_outside(call: &Invocation, place: &Place) -> bool {
    call.written().into_iter().any(|file| call.zone(place, file) == Zone::Outside)
}

pub(super) fn reads_secrets(call: &Invocation, place: &Place) -> bool {
    // Names may be listed and tested.
    if call.is(&["ls", "test", "[", "stat", "echo", "cd", "find", "file", "du", "grep"])
        && !call.is(&["grep"])
    {
        return false;
    }
    let named = call.args.iter().chain(&call.reads).any(|arg| {
        let text = arg.text();
        let path = text.trim_start_matches('@').rsplit('=').next().unwrap_or(text).trim_start_matches('@');
        let mut value = Value::known(path);
        value.source = arg.source;
        (path.contains('/') || path.contains('.')) && call.zone(place, &value) == Zone::Secret
    });
    named
        || call.code.iter().any(|code| {
            code.contains("/.ssh/id_") || code.contains("/etc/shadow") || code.contains(".aws/credentials")
        })
}

pub(super) fn reverse_shell(call: &Invocation, _: &Place) -> bool {
    let net = |file: &Value| file.text().starts_with("/dev/tcp/") || file.text().starts_with("/dev/udp/");
    let shell = call.is(super::run::SHELLS) || call.is(&["exec"]);
    let talks = call.writes.iter().chain(&call.reads).any(net);
    let runs = call.is(&["nc", "ncat", "netcat", "nc.traditional"])
        && call.any(&["-e", "-c", "--exec", "--sh-exec"]);
    let socat = call.is(&["socat"])
        && call.args.iter().any(|arg| {
            let text = arg.text().to_lowercase();
            text.starts_with("exec:") || text.starts_with("system:") || text.starts_with("shell:")
        });
    let code = call.code.iter().any(|code| {
        code.contains("socket")
            && (code.contains("dup2") || code.contains("/bin/sh") || code.contains("/bin/bash"))
    });
    shell && talks || runs || socat || code
}

pub(super) fn becomes_root(call: &Invocation, _: &Place) -> bool {
    call.is(&[
        "sudo", "su", "doas", "pkexec", "runuser", "gosu", "su-exec", "setpriv", "sudoedit", "gksudo",
        "kdesu", "run0", "runas",
    ])
}

/// Words of programs in other languages that delete, start programs, or open connections.
const CODE: &[&str] = &[
    "rmtree",
    "os.remove",
    "os.unlink",
    "os.rmdir",
    "os.system",
    "os.popen",
    "os.exec",
    "os.spawn",
    "os.kill",
    "subprocess",
    "pty.spawn",
    "shutil.move",
    "commands.getoutput",
    "__import__",
    "importlib",
    "exec(",
    "eval(",
    "compile(",
    "child_process",
    "execsync",
    "spawnsync",
    "spawn(",
    "rmsync",
    "rmdirsync",
    "unlinksync",
    "fs.rm",
    "fs.unlink",
    "fs.rmdir",
    "unlink",
    "system(",
    "system ",
    "popen",
    "fileutils.rm",
    "file.delete",
    "dir.delete",
    "%x",
    "shell_exec",
    "passthru",
    "proc_open",
    "socket",
    "urllib",
    "urlopen",
    "requests.",
    "http.client",
    "net::http",
    "io.popen",
    "os.execute",
    "rm -rf",
    "rm -r ",
    "deno.remove",
    "deno.run",
    "deno.command",
    "process.kill",
    "path.unlink",
    "rmdir(",
    ".rmdir",
    ".unlink",
    "b64decode",
    "fromhex",
    "fromcharcode",
    "chr(",
    "qx",
    "do shell script",
    "truncate(",
    "ctypes",
];

pub(super) fn code(call: &Invocation, _: &Place) -> bool {
    let flagged = |code: &str| {
        let lower = code.to_lowercase();
        CODE.iter().any(|word| lower.contains(word))
    };
    let quoted = call.is(&["perl", "ruby", "php"]) && call.code.iter().any(|code| code.contains('`'));
    let awk = call.is(&["awk", "gawk", "mawk", "nawk", "bwk"])
        && call.args.iter().any(|arg| {
            let text = arg.text();
            text.contains("system(")
                || text.contains("| getline")
                || text.contains("|getline")
                || text.contains("| \"sh")
                || text.contains("|&")
        });
    let lines = interpreter(&call.program).is_some() && call.code.iter().any(|code| flagged(code));
    lines || quoted || awk
}

pub(super) fn hidden(call: &Invocation, _: &Place) -> bool {
    const LOADED: &[&str] = &[
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "ENV",
        "PROMPT_COMMAND",
        "GIT_SSH_COMMAND",
        "GIT_SSH",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
        "PAGER",
        "EDITOR",
        "VISUAL",
        "GIT_EDITOR",
        "PERL5OPT",
        "PYTHONSTARTUP",
        "RUBYOPT",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "GIT_PROXY_COMMAND",
        "LESSOPEN",
        "MANPAGER",
    ];
    let harmless = |value: &Value| {
        matches!(
            value.text(),
            "" | "cat"
                | "less"
                | "true"
                | ":"
                | "vim"
                | "vi"
                | "nano"
                | "more"
                | "-"
                | "/bin/cat"
                | "/bin/true"
        )
    };
    let text = |at: usize| call.args.get(at).map_or("", Value::text);
    let any = |test: &dyn Fn(&str) -> bool| call.args.iter().any(|arg| test(arg.text()));
    let loaded = call.assigned.iter().any(|(name, value)| {
        let library = name == "LD_LIBRARY_PATH";
        LOADED.contains(&name.as_str()) && !library && !harmless(value) && !value.text().starts_with("true ")
    });
    let exported = call.is(&["export", "declare", "typeset"])
        && any(&|arg| {
            arg.split_once('=').is_some_and(|(name, value)| {
                LOADED.contains(&name) && name != "LD_LIBRARY_PATH" && !harmless(&Value::known(value))
            })
        });
    loaded
        || exported
        || match call.program.as_str() {
            "tar" | "bsdtar" => {
                any(&|arg| {
                    arg.contains("checkpoint-action")
                        || arg.starts_with("--to-command")
                        || arg.starts_with("--use-compress-program")
                        || arg.starts_with("--rsh-command")
                }) || call.word("-I") && call.after(&["-I"]).is_some_and(|it| it.text().contains(' '))
            }
            "vim" | "vi" | "nvim" | "ex" | "view" | "ed" => any(&|arg| {
                arg.contains('!') || arg.contains("system(") || arg.contains(":py") || arg.contains("lua os")
            }),
            "rsync" | "scp" | "sftp" => {
                call.after(&["-e", "--rsh", "--rsync-path", "-S"])
                    .is_some_and(|it| it.text() != "ssh" && !it.text().starts_with("ssh -"))
                    || any(&|arg| arg.contains("ProxyCommand"))
            }
            "ssh" => any(&|arg| arg.contains("ProxyCommand") || arg.contains("LocalCommand")),
            "git" => git_hides(call),
            "sed" | "gsed" => any(&|arg| sed_runs(arg)),
            "man" => call.any(&["-P", "-H", "--pager"]),
            "gdb" | "lldb" => {
                any(&|arg| arg.contains("shell ") || arg.contains('!') || arg.contains("system("))
            }
            "make" | "gmake" => any(&|arg| arg.starts_with("--eval") || arg.starts_with("SHELL=")),
            "zip" => any(&|arg| arg.starts_with("-TT") || arg.starts_with("--unzip-command")),
            "sort" => any(&|arg| arg.starts_with("--compress-prog")),
            "find" => call.word("-fprintf") && text(0) == "/",
            "crontab" => false,
            "systemd-run" | "dbus-send" | "gdbus" | "busctl" => true,
            "curl" => any(&|arg| arg == "-K" || arg == "--config") && any(&|arg| arg == "-"),
            "openssl" => call.word("-engine"),
            "enable" => call.has("-f"),
            "hash" => call.has("-p"),
            _ => false,
        }
}

fn git_hides(call: &Invocation) -> bool {
    const KEYS: &[&str] = &[
        "core.sshcommand",
        "core.pager",
        "core.editor",
        "core.fsmonitor",
        "core.hookspath",
        "core.askpass",
        "sequence.editor",
        "diff.external",
        "gpg.program",
        "credential.helper",
        "core.gitproxy",
        "uploadpack",
        "protocol.ext",
    ];
    let set = call.args.windows(2).filter(|pair| pair[0].text() == "-c" || pair[0].text() == "--config");
    let mut keys = set.map(|pair| pair[1].text().to_lowercase());
    let dangerous = |pair: &String| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let harmless = matches!(value, "cat" | "true" | "" | "false" | ":" | "/dev/null" | "less");
        !harmless && KEYS.iter().any(|known| key.starts_with(known))
            || key.ends_with(".textconv")
            || key.ends_with(".smudge")
            || key.ends_with(".clean")
    };
    let ext = call.args.iter().any(|arg| {
        arg.text().starts_with("ext::")
            || arg.text().starts_with("--upload-pack")
            || arg.text().starts_with("--receive-pack")
    });
    keys.any(|pair| dangerous(&pair)) || ext
}

/// `sed` runs what follows its command `e`, and what its flag `e` finds.
fn sed_runs(script: &str) -> bool {
    let address = script.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '$' | ',' | ' '));
    let own = address.strip_prefix('e').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let separator =
        script.strip_prefix('s').and_then(|rest| rest.chars().next()).filter(|c| !c.is_alphanumeric());
    let flags = separator.and_then(|separator| script.rsplit(separator).next()).unwrap_or_default();
    let in_flags = separator.is_some()
        && flags.len() <= 4
        && flags.contains('e')
        && flags.chars().all(|c| c.is_ascii_alphanumeric());
    own && script != address || in_flags || script.starts_with("e ") || script.contains(";e ")
}

pub(super) fn plants(call: &Invocation, place: &Place) -> bool {
    let writes =
        call.written().into_iter().any(|file| matches!(call.zone(place, file), Zone::Git | Zone::Obeyed));
    let config = call.program == "git" && call.sub(&["-C", "-c"]) == "config" && {
        let reads = call.any(&["--get", "--get-all", "--list", "-l", "--get-regexp", "--show-origin"])
            || call.word("get")
            || call.word("list");
        let words = call.operands(&["-C", "-c", "-f", "--file", "--type"]);
        let key = words.get(1).map(|key| key.text().to_lowercase()).unwrap_or_default();
        let sets = 3 <= words.len() || call.any(&["--unset", "--add", "--edit", "-e", "--replace-all"]);
        let mild = key.starts_with("user.")
            || key.starts_with("init.")
            || key.starts_with("color.")
            || key.starts_with("advice.")
            || key.starts_with("pull.")
            || key.starts_with("commit.gpg");
        !reads && sets && (call.any(&["--global", "--system"]) || !mild)
    };
    writes || config
}

pub(super) fn rights(call: &Invocation, _: &Place) -> bool {
    let Some(mode) = call.operands(&[]).first().map(|mode| mode.text().to_owned()) else { return false };
    let digits = mode.chars().all(|c| c.is_digit(8)) && 3 <= mode.len();
    let special = digits && mode.len() == 4 && !mode.starts_with('0');
    let named = mode.contains("+s") || mode.contains("=s") || mode.contains("g+s");
    let open = digits && mode.ends_with('7')
        || mode.contains("o+w")
        || mode.contains("a+w")
        || mode.contains("a+rwx")
        || mode.contains("ugo+rwx");
    match call.program.as_str() {
        "chmod" => special && !mode.starts_with('1') || named || (open && call.any(&["-R", "--recursive"])),
        "setcap" | "chattr" | "setfacl" => true,
        _ => false,
    }
}

pub(super) fn loses_work(call: &Invocation, place: &Place) -> bool {
    if call.is(&["truncate", "shred"]) {
        let files = call.operands(&["-s", "-n", "-r", "--size", "--reference"]);
        let grows = call
            .args
            .iter()
            .any(|arg| arg.text().starts_with("-s") && arg.text().len() > 3 && !arg.text().contains('0'));
        return !grows
            && files.iter().any(|file| call.zone(place, file) == Zone::Project)
            && call.any(&["-s", "--size", "-u", "-n", "-z", "-f"])
            && !is_log(&files);
    }
    if call.program != "git" {
        return false;
    }
    let words: Vec<&str> = call
        .operands(&["-C", "-c", "--git-dir", "--work-tree", "-m", "-b", "-B"])
        .iter()
        .map(|word| word.text())
        .collect();
    let all = || words.iter().skip(1).any(|word| matches!(*word, "." | ":/" | "*" | "./"));
    match words.first().copied().unwrap_or_default() {
        "reset" => call.any(&["--hard", "--merge", "--keep"]),
        "clean" => call.any(&["-f", "--force"]) && !call.any(&["-n", "--dry-run"]),
        "checkout" => all() || call.any(&["-f", "--force"]),
        "switch" => call.any(&["-f", "--force", "--discard-changes"]),
        "restore" => all() && (call.any(&["--worktree", "-W"]) || !call.any(&["--staged", "-S"])),
        "stash" => matches!(words.get(1), Some(&("drop" | "clear"))),
        "branch" => call.has("-D") || (call.any(&["-d", "--delete"]) && call.any(&["-f", "--force"])),
        "tag" => call.any(&["-d", "--delete"]),
        "filter-branch" | "filter-repo" | "replace" => true,
        "reflog" => matches!(words.get(1), Some(&("expire" | "delete"))),
        "update-ref" => call.any(&["-d", "--stdin"]) || words.len() > 2,
        "gc" => call.args.iter().any(|arg| arg.text().starts_with("--prune")),
        "prune" => !call.any(&["-n", "--dry-run"]),
        "worktree" => matches!(words.get(1), Some(&"remove")) && call.any(&["-f", "--force"]),
        "rm" => call.has("-r") && all(),
        "remote" => matches!(words.get(1), Some(&("remove" | "rm" | "set-url"))),
        "submodule" => matches!(words.get(1), Some(&"deinit")),
        _ => false,
    }
}

fn is_log(files: &[&Value]) -> bool {
    files.iter().all(|file| file.text().ends_with(".log"))
}

pub(super) fn services(call: &Invocation, _: &Place) -> bool {
    let sub = call.sub(&[]);
    match call.program.as_str() {
        "systemctl" => !matches!(
            sub,
            "" | "status"
                | "show"
                | "list-units"
                | "list-unit-files"
                | "is-active"
                | "is-enabled"
                | "cat"
                | "list-timers"
        ),
        "service" | "rc-service" | "sv" | "initctl" | "supervisorctl" | "pm2" => {
            !call.word("status") && !call.word("--status-all") && !call.word("list") && !call.args.is_empty()
        }
        "launchctl" | "update-rc.d" | "chkconfig" | "rc-update" | "schtasks" | "sc" => {
            !matches!(sub, "list" | "print" | "query")
        }
        "crontab" => !call.has("-l"),
        "at" | "batch" => !call.any(&["-l", "-V"]),
        _ => false,
    }
}

pub(super) fn sends_out(call: &Invocation, _: &Place) -> bool {
    let urls = || call.args.iter().map(Value::text);
    let local = || {
        let mut hosts = urls()
            .filter(|text| text.contains("://") || text.starts_with("localhost") || text.starts_with("127."));
        hosts.clone().next().is_some() && hosts.all(is_local)
    };
    let net = |file: &Value| file.text().starts_with("/dev/tcp/") || file.text().starts_with("/dev/udp/");
    if call.writes.iter().any(net) {
        return !call
            .writes
            .iter()
            .filter(|file| net(file))
            .all(|file| is_local(file.text().trim_start_matches("/dev/tcp/")));
    }
    match call.program.as_str() {
        "curl" => {
            let file = urls().any(|text| {
                text.starts_with('@')
                    || text.contains("=@")
                    || text.starts_with("-d@")
                    || text.starts_with("-F")
            });
            let sends = call.any(&["-T", "--upload-file", "-F", "--form"])
                || file
                || call.any(&["-d", "--data", "--data-binary", "--data-raw", "--data-urlencode", "--json"]);
            sends && !local()
        }
        "wget" => {
            urls().any(|text| {
                text.starts_with("--post") || text.starts_with("--body") || text.starts_with("--method=P")
            }) && !local()
        }
        "http" | "https" | "xh" => {
            urls().any(|text| matches!(text, "POST" | "PUT" | "PATCH" | "DELETE") || text.contains('@'))
                && !local()
        }
        "scp" | "rsync" | "sftp" | "rcp" => urls().any(|text| !text.starts_with('-') && remote(text)),
        "ssh" | "telnet" | "mosh" | "ftp" | "lftp" | "tftp" | "autossh" | "rsh" | "rlogin" => {
            !call.any(&["-V", "-G", "-Q"])
        }
        "nc" | "ncat" | "netcat" | "socat" => {
            let listens = call.any(&["-l", "--listen"]);
            listens || (!call.any(&["-z", "-h"]) && !urls().any(is_local))
        }
        "mail" | "sendmail" | "mutt" | "mailx" | "swaks" => true,
        "ngrok" | "cloudflared" | "localtunnel" | "lt" | "bore" | "frpc" | "chisel" => true,
        "dig" | "nslookup" | "host" => call.args.iter().any(|arg| !arg.is_known()),
        _ => false,
    }
}

fn is_local(text: &str) -> bool {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.rsplit('@').next().unwrap_or(host);
    ["localhost", "127.", "[::1]", "::1", "0.0.0.0", "host.docker.internal"]
        .iter()
        .any(|known| host.starts_with(known))
        && !host.starts_with("localhost.")
}

fn remote(text: &str) -> bool {
    let before = text.split('/').next().unwrap_or_default();
    text.starts_with("rsync://")
        || before.contains(':') && !before.starts_with(':') && before.find(':') != Some(1)
}

pub(super) fn containers(call: &Invocation, _: &Place) -> bool {
    if call.is(&[
        "nsenter",
        "chroot",
        "unshare",
        "runc",
        "ctr",
        "crictl",
        "lxc",
        "machinectl",
        "systemd-nspawn",
    ]) {
        return true;
    }
    if !call.is(&["docker", "podman", "nerdctl", "docker-compose"]) {
        return false;
    }
    let args = || call.args.iter().map(Value::text);
    let mounts = args().any(|text| {
        let spec =
            text.trim_start_matches("--volume=").trim_start_matches("-v").trim_start_matches("--mount=");
        let from = spec.split(':').next().unwrap_or_default();
        let whole = spec.contains(':')
            && matches!(
                from,
                "/" | "/etc"
                    | "/usr"
                    | "/var"
                    | "/home"
                    | "/root"
                    | "/proc"
                    | "/sys"
                    | "/dev"
                    | "/boot"
                    | "~"
            );
        whole || text.contains("docker.sock") || text.contains("source=/,") || text.contains("src=/,")
    });
    let rights = [
        "--privileged",
        "--pid=host",
        "--cap-add",
        "--net=host",
        "--network=host",
        "--userns=host",
        "--security-opt",
        "--device",
        "--ipc=host",
    ];
    let widened = args().any(|text| rights.iter().any(|right| text.starts_with(right)));
    let words: Vec<&str> = call
        .operands(&["-f", "--file", "-p", "--project-name", "--context"])
        .iter()
        .map(|word| word.text())
        .collect();
    let deletes = match &words[..] {
        ["rm" | "rmi" | "kill", ..] => {
            call.any(&["-f", "--force"]) || call.args.iter().any(|arg| !arg.is_known())
        }
        ["system" | "volume" | "image" | "container" | "network" | "builder", "prune" | "rm", ..] => true,
        ["compose", "down", ..] | ["down", ..] => call.any(&["-v", "--volumes"]),
        ["swarm" | "stack" | "service" | "secret", ..] => true,
        _ => false,
    };
    mounts || widened || deletes
}

pub(super) fn database(call: &Invocation, _: &Place) -> bool {
    const CLIENTS: &[&str] = &[
        "psql",
        "mysql",
        "mariadb",
        "sqlite3",
        "mongo",
        "mongosh",
        "redis-cli",
        "cqlsh",
        "clickhouse-client",
        "sqlcmd",
        "duckdb",
        "bq",
        "influx",
        "sqlplus",
    ];
    if call.is(&["dropdb", "dropuser", "mysqladmin", "pg_resetwal"]) {
        return call.program != "mysqladmin" || call.word("drop");
    }
    let flagged = |text: &str| {
        let text = text.to_lowercase();
        [
            "drop ",
            "truncate ",
            "delete from",
            "flushall",
            "flushdb",
            "dropdatabase",
            ".drop(",
            "deletemany",
            "alter user",
            "grant all",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    call.is(CLIENTS)
        && (call.args.iter().any(|arg| flagged(arg.text())) || call.code.iter().any(|code| flagged(code)))
}
