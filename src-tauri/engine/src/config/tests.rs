use super::*;

const EXAMPLE: &str = include_str!("../../../../settings.example.toml");

/// What a text is refused with: `line:column: sentence`.
fn check(text: &str, expected: &str) {
    let error = parse(text, Path::new("s.toml")).expect_err(text);
    assert_eq!(error.to_string(), format!("s.toml:{expected}"), "for {text:?}");
}

fn good(text: &str) -> Settings {
    parse(text, Path::new("s.toml")).unwrap()
}

#[test]
fn the_example_is_the_defaults() {
    assert_eq!(good(EXAMPLE), Settings::default());
    assert_eq!(good(""), Settings::default());
}

#[test]
fn the_example_names_every_setting() {
    let all = toml::Value::try_from(Settings::default()).unwrap();
    for (key, value) in all.as_table().unwrap() {
        assert!(EXAMPLE.contains(key.as_str()), "{key} is not documented");
        for key in value.as_table().into_iter().flatten().map(|(key, _)| key) {
            assert!(EXAMPLE.contains(key.as_str()), "{key} is not documented");
        }
    }
}

#[test]
fn a_part_of_an_agent_keeps_the_rest() {
    let settings = good("[agents.claude]\nmodel = 'opus'\n[agents.second]\ndialect = 'codex'\n");
    assert_eq!(settings.agents.len(), 4);
    let claude = &settings.agents[&"claude".into()];
    assert_eq!((claude.model.as_deref(), claude.dialect), (Some("opus"), Some(Dialect::Claude)));
    assert!(claude.enabled);
    assert_eq!(settings.agents[&"gemini".into()], AgentSettings::of(Dialect::Gemini));
    assert_eq!(settings.agents[&"second".into()].dialect, Some(Dialect::Codex));
}

#[test]
fn faults_have_a_place_and_a_sentence() {
    check("paralel = 3", "1:1: unknown setting \"paralel\"; did you mean \"parallel\"?");
    check("\n[review]\n  max_round = 3", "3:3: unknown setting \"max_round\"; did you mean \"max_rounds\"?");
    check("# ä\n[agents.claude]\nmodle = 'x'", "3:1: unknown setting \"modle\"; did you mean \"model\"?");
    check(
        "[limits]\nzzz = 1",
        "2:1: unknown setting \"zzz\"; known here are session_minutes, worker_minutes, silent_minutes, \
         start_seconds, tokens, cost_usd, workers, output_bytes, check_minutes, \
         worker_turns, worker_tokens, worker_cost_usd, worker_cpu_minutes, worker_memory_mib, worker_processes, \
         disk_free_mib",
    );
    check("[agents.x]\ndialect = 'cluade'", "2:11: unknown value \"cluade\"; did you mean \"claude\"?");
    check(
        "[sandbox]\nnetwork = 'allowlist'",
        "2:11: unknown value \"allowlist\"; did you mean \"allow_list\"?",
    );
    for hosts in ["1.2.3.4", "a b", "*.example.com", "x.example:0", "https://x.example"] {
        check(
            &format!("[sandbox]\nhosts = [{hosts:?}]"),
            &format!("2:1: sandbox.hosts holds {hosts:?}, which is no host name; take `name` or `name:port`"),
        );
    }
    check("[sandbox]\nlocal_ports = [0]", "2:1: sandbox.local_ports holds 0, which is no port");
    check(
        "[sandbox]\nread = ['~/x']",
        "2:1: sandbox.read holds \"~/x\"; it must be an absolute path, and not the root",
    );
    check(
        "[sandbox]\nprotect = ['a/b']",
        "2:1: sandbox.protect holds \"a/b\", which is no name at the top of a project",
    );
    check("parallel = 'three'", "1:12: invalid type: string \"three\", expected u32");
    check("lead = 'codex'\nparallel = 0", "2:1: parallel is 0; it must be from 1 to 64");
    check("[review]\nmax_rounds = 11", "2:1: review.max_rounds is 11; it must be from 1 to 10");
    check("review = { at_milestone = 0 }", "1:12: review.at_milestone is 0; it must be from 1 to 8");
    check("review.at_end = 0", "1:8: review.at_end is 0; it must be from 1 to 8");
    check("limits.cost_usd = nan", "1:8: limits.cost_usd is NaN; it must be from 0.01 to 1000000 US dollars");
    check(
        "[agents.mine]\ncommand = 'x'",
        "1:9: agents.mine is no known agent; say how it speaks with dialect = \"claude\", \"codex\" or \"gemini\"",
    );
    check(
        "[agents.claude]\ndialect = 'codex'",
        "2:1: agents.claude.dialect is \"codex\"; give an agent that speaks it another name than \"claude\"",
    );
    check(
        "[agents.\"../x\"]\ndialect = 'codex'",
        "1:9: agents.../x is no good name; take 1 to 32 lower-case letters, digits, '-' and '_'",
    );
    check("[guard]\noff = ['raw-disk']", "2:1: guard.off names \"raw-disk\", which cannot be switched off");
    check(
        "[[guard.rules]]\nid = 'x'\nclearance = 'ask'\nreason = 'r'\npatterns = ['make x']\nfits = ['make y']",
        "1:9: guard.rules has a rule \"x\" that does not fit its example \"make y\"",
    );
    check("lead = 'nobody'", "1:1: lead is \"nobody\", which is no agent of these settings");
    check("checks = ['make', ' ']", "1:1: checks holds \" \", which is no command");
    check("directories = ['../up']", "1:1: directories holds \"../up\", which is no absolute path");
    check(
        "[agents.codex]\nenv = { 'A=B' = '1' }",
        "2:1: agents.codex.env holds \"A=B\", which cannot be a variable's name or has a NUL in its value",
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_place() {
    let error = parse("a = 1\nb = = 2", Path::new("s.toml")).unwrap_err().to_string();
    assert!(error.starts_with("s.toml:2:5: "), "{error}");
}

#[test]
fn only_the_users_own_file_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (home, target) = (dir.path().join("home"), dir.path().join("project"));
    let theirs = target.join(".meta-orchestrator").join(FILE_NAME);
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::create_dir_all(&home).unwrap();
    fs::write(&theirs, "parallel = 7").unwrap();
    let own = home.join(FILE_NAME);

    let (settings, sources) = load_from(None, Some(own.clone()), Some(&target)).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(sources, [Source::Defaults(Some(own.clone())), Source::Ignored(theirs.clone())]);

    fs::write(&own, "parallel = 2").unwrap();
    let (settings, sources) = load_from(None, Some(own.clone()), Some(&target)).unwrap();
    assert_eq!((settings.parallel, &sources[0]), (2, &Source::File(own)));

    let (settings, sources) = load_from(None, Some(theirs.clone()), Some(&target)).unwrap();
    assert_eq!(settings, Settings::default(), "XDG_CONFIG_HOME moved into the project");
    assert_eq!(sources[0], Source::Ignored(theirs));
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let check = |path: &Path, expected: &str| {
        let error = load_from(Some(path), None, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&dir.path().join("none.toml"), "is not there");
    check(dir.path(), "not a regular file");
    let latin = dir.path().join("latin.toml");
    fs::write(&latin, b"# fine\n# caf\xe9\n").unwrap();
    check(&latin, "latin.toml:2:6: this is not UTF-8 text");
    let large = dir.path().join("large.toml");
    fs::File::create(&large).unwrap().set_len(MOST_BYTES + 1).unwrap();
    check(&large, "larger than 1 MiB");
}
