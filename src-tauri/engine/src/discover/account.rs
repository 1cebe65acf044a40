//! Whether a CLI is signed in, as far as its files and variables tell: nothing is started, sent or spent, and no
//! secret is read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::Dialect;

use super::Environment;

/// What can be told about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// There is a credential; whether it is still valid shows when it is used. Says which one.
    Yes(String),
    /// No trace of one. It may be in a key ring or behind a helper program, so this warns and never blocks.
    Unknown,
}

/// Looks for the credentials the CLI itself would use. `env` is what the worker will get.
#[must_use]
pub fn signed_in(dialect: Dialect, env: &Environment) -> SignedIn {
    let found = match dialect {
        Dialect::Claude => claude(env),
        Dialect::Codex => codex(env),
        Dialect::Gemini => gemini(env),
    };
    found.map_or(SignedIn::Unknown, SignedIn::Yes)
}

/// How to sign in, with the command to copy.
#[must_use]
pub fn sign_in_hint(dialect: Dialect) -> String {
    let (command, key) = (agents::login_hint(dialect), keys(dialect)[0]);
    format!("Sign in with `{command}`, or set {key}.")
}

/// Variables that carry a key, the usual one first.
fn keys(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Claude => &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
        Dialect::Codex => &["CODEX_API_KEY", "OPENAI_API_KEY"],
        Dialect::Gemini => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    }
}

fn claude(env: &Environment) -> Option<String> {
    let folder = folder(env, "CLAUDE_CONFIG_DIR", ".claude");
    // In a folder of its own the account file lies inside, else next to it.
    let account = match set(env, "CLAUDE_CONFIG_DIR") {
        Some(own) => Some(Path::new(own).join(".claude.json")),
        None => home(env).map(|home| home.join(".claude.json")),
    };
    variable(env, keys(Dialect::Claude))
        .or_else(|| {
            variable(env, &["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"])
        })
        .or_else(|| file(folder.map(|folder| folder.join(".credentials.json"))))
        // On macOS the credential is in the key ring; this file then names the account.
        .or_else(|| account.filter(|path| contains(path, "\"oauthAccount\"")).map(|path| named(&path)))
}

fn codex(env: &Environment) -> Option<String> {
    let folder = folder(env, "CODEX_HOME", ".codex")?;
    variable(env, keys(Dialect::Codex))
        .or_else(|| file(Some(folder.join("auth.json"))))
        .or_else(|| codex_provider(&folder.join("config.toml"), env))
}

/// A model provider of the user's own that brings its key in a variable, or needs none.
fn codex_provider(config: &Path, env: &Environment) -> Option<String> {
    let config: toml::Table = fs::read_to_string(config).ok()?.parse().ok()?;
    let name = config.get("model_provider")?.as_str()?;
    let provider = config.get("model_providers")?.get(name)?.as_table()?;
    match provider.get("env_key").and_then(toml::Value::as_str) {
        Some(key) => set(env, key).map(|_| format!("{key} for the model provider {name}")),
        None => Some(format!("the model provider {name}, which names no key")),
    }
}

fn gemini(env: &Environment) -> Option<String> {
    let home = set(env, "GEMINI_CLI_HOME").map(PathBuf::from).or_else(|| home(env))?;
    let folder = home.join(".gemini");
    variable(env, keys(Dialect::Gemini))
        .or_else(|| {
            variable(
                env,
                &["GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "GOOGLE_APPLICATION_CREDENTIALS"],
            )
        })
        .or_else(|| file(Some(folder.join("oauth_creds.json"))))
        .or_else(|| file(Some(folder.join("gemini-credentials.json"))))
        .or_else(|| {
            let path = folder.join(".env");
            contains(&path, "GEMINI_API_KEY=").then(|| named(&path))
        })
}

fn variable(env: &Environment, names: &[&str]) -> Option<String> {
    names.iter().find(|name| set(env, name).is_some()).map(|name| format!("{name} is set"))
}

fn set<'a>(env: &'a Environment, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
}

fn home(env: &Environment) -> Option<PathBuf> {
    set(env, "HOME").or_else(|| set(env, "USERPROFILE")).map(PathBuf::from).or_else(std::env::home_dir)
}

fn folder(env: &Environment, name: &str, inside: &str) -> Option<PathBuf> {
    set(env, name).map(PathBuf::from).or_else(|| Some(home(env)?.join(inside)))
}

fn file(path: Option<PathBuf>) -> Option<String> {
    let path = path?;
    fs::metadata(&path).is_ok_and(|facts| facts.is_file() && 2 < facts.len()).then(|| named(&path))
}

fn contains(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|content| content.contains(text))
}

fn named(path: &Path) -> String {
    format!("{} is there", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told with these files in the home folder and these variables; `~` stands for the home folder.
    fn check(dialect: Dialect, files: &[(&str, &str)], vars: &[(&str, &str)], expected: Option<&str>) {
        let home = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let home = home.path().to_str().unwrap();
        let mut env: Environment =
            vars.iter().map(|(key, value)| ((*key).to_owned(), value.replace('~', home))).collect();
        env.insert("HOME".to_owned(), home.to_owned());
        let expected = expected.map_or(SignedIn::Unknown, |text| SignedIn::Yes(text.replace('~', home)));
        assert_eq!(signed_in(dialect, &env), expected, "{dialect:?} {files:?} {vars:?}");
    }

    #[test]
    fn by_variables() {
        check(Dialect::Claude, &[], &[], None);
        check(Dialect::Claude, &[], &[("ANTHROPIC_API_KEY", " ")], None);
        check(Dialect::Claude, &[], &[("ANTHROPIC_API_KEY", "k")], Some("ANTHROPIC_API_KEY is set"));
        check(Dialect::Claude, &[], &[("OPENAI_API_KEY", "k")], None);
        check(Dialect::Codex, &[], &[("CODEX_API_KEY", "k")], Some("CODEX_API_KEY is set"));
        check(Dialect::Gemini, &[], &[("GOOGLE_API_KEY", "k")], Some("GOOGLE_API_KEY is set"));
    }

    #[test]
    fn by_files() {
        let json = "{\"a\":1}";
        check(
            Dialect::Claude,
            &[(".claude/.credentials.json", json)],
            &[],
            Some("~/.claude/.credentials.json is there"),
        );
        check(Dialect::Claude, &[(".claude/.credentials.json", "")], &[], None);
        check(
            Dialect::Claude,
            &[("own/.credentials.json", json), (".claude/.credentials.json", json)],
            &[("CLAUDE_CONFIG_DIR", "~/own")],
            Some("~/own/.credentials.json is there"),
        );
        check(
            Dialect::Claude,
            &[(".claude.json", "{\"oauthAccount\":{}}")],
            &[],
            Some("~/.claude.json is there"),
        );
        check(Dialect::Claude, &[(".claude.json", "{}")], &[], None);
        check(Dialect::Codex, &[(".codex/auth.json", json)], &[], Some("~/.codex/auth.json is there"));
        check(Dialect::Codex, &[(".codex/auth.json", json)], &[("CODEX_HOME", "~/other")], None);
        check(
            Dialect::Gemini,
            &[(".gemini/oauth_creds.json", json)],
            &[],
            Some("~/.gemini/oauth_creds.json is there"),
        );
        check(
            Dialect::Gemini,
            &[("own/.gemini/gemini-credentials.json", json)],
            &[("GEMINI_CLI_HOME", "~/own")],
            Some("~/own/.gemini/gemini-credentials.json is there"),
        );
        check(Dialect::Gemini, &[(".gemini/.env", "GEMINI_API_KEY=k")], &[], Some("~/.gemini/.env is there"));
    }

    #[test]
    fn by_a_model_provider_of_ones_own() {
        let config = "model_provider = 'house'\n[model_providers.house]\nenv_key = 'HOUSE_KEY'\n";
        let files = &[(".codex/config.toml", config)];
        check(Dialect::Codex, files, &[], None);
        check(Dialect::Codex, files, &[("HOUSE_KEY", "k")], Some("HOUSE_KEY for the model provider house"));
        check(Dialect::Codex, &[(".codex/config.toml", "= broken")], &[], None);
        let open = &[(".codex/config.toml", "model_provider = 'o'\n[model_providers.o]\nbase_url = 'x'\n")];
        check(Dialect::Codex, open, &[], Some("the model provider o, which names no key"));
    }
}
