//! A CLI at work, launched as the product launches it but without a guardian, and the place of the engine beside it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use acceptance::clis::Kit;
use agents::{Hook, LaunchRequest, McpServer, ProjectConfig, launch};
use domain::{AgentInfo, Dialect, Role, Settings};
use engine::calls::{self, Called};
use engine::{config, discover};

/// One CLI, its project, and what it calls.
pub(crate) struct Desk {
    pub(crate) kit: Kit,
    pub(crate) calls: PathBuf,
    pub(crate) answers: PathBuf,
}

impl Desk {
    /// For the scenario of this name.
    pub(crate) fn new(bin: PathBuf, scenario: &str) -> Self {
        let kit = Kit::new(bin, scenario);
        let (calls, answers) = (kit.home().join("w1.calls.jsonl"), kit.home().join("w1 answers"));
        for folder in ["project", "private"] {
            fs::create_dir(kit.home().join(folder)).unwrap();
        }
        Self { kit, calls, answers }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.kit.home().join("project")
    }

    /// The agent as discovery finds it from the settings.
    fn found(&self, dialect: Dialect) -> (Settings, AgentInfo) {
        let settings = config::parse(&self.kit.settings(&[dialect]), Path::new("settings.toml")).unwrap();
        let found = discover::agents(&settings, &self.kit.environment(), Some(&self.project()));
        let found = found.into_iter().find(|found| found.dialect == dialect).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert!(matches!(found.signed_in, discover::SignedIn::Yes(_)), "{:?}", found.signed_in);
        (settings, found.agent.unwrap())
    }

    /// Starts the CLI with an assignment of this purpose, whose last line is `task`.
    pub(crate) fn start(
        &self,
        dialect: Dialect,
        (purpose, task): (&str, &str),
        mcp: Option<&McpServer>,
        hook: Option<&Hook>,
    ) -> Child {
        let (settings, agent) = self.found(dialect);
        let user_settings = fs::read_to_string(self.kit.home().join(".gemini/settings.json")).ok();
        let prompt = format!(
            "# Orchestrate assignment\nagent: any\nrole: implementer\npurpose: {purpose}\ntask: t1\n\n{task}\n"
        );
        let launch = launch(&LaunchRequest {
            agent: &agent,
            settings: &settings.agents[&agent.name],
            role: Role::Implementer,
            cwd: &self.project(),
            folder: self.kit.home(),
            target: &self.project(),
            extra_dirs: &[],
            resume: None,
            skip_git_check: true,
            shape: None,
            mcp,
            hook,
            files: &self.kit.home().join("private"),
            project: &ProjectConfig::default(),
            user_settings: user_settings.as_deref(),
            prompt: &prompt,
            env: &self.kit.environment(),
            root_consented: true,
        });
        for (path, content) in &launch.files {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let prompt = self.kit.home().join("prompt");
        fs::write(&prompt, &launch.stdin).unwrap();
        Command::new(&launch.program)
            .args(&launch.args)
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.cwd)
            .stdin(Stdio::from(File::open(&prompt).unwrap()))
            .stdout(File::create(self.kit.home().join("stdout")).unwrap())
            .stderr(File::create(self.kit.home().join("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    pub(crate) fn called(&self) -> Vec<Called> {
        let text = fs::read(&self.calls).unwrap_or_default();
        text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| calls::read(line).ok()).collect()
    }

    /// What the CLI printed.
    pub(crate) fn words(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.kit.home().join(name)).unwrap_or_default();
        format!("{}\n{}", read("stdout"), read("stderr"))
    }
}
