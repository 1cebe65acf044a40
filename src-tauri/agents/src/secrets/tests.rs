use super::*;

fn known() -> Secrets {
    let values =
        ["hunter2-hunter2", "hunter2-hunter2-long", "tiny7", "progress", "20261121", "päss\"w/örd 1"];
    Secrets::of(values.map(str::to_owned))
}

fn check(text: &str, redacted: &str) {
    let secrets = known();
    assert_eq!(secrets.redact(text), redacted, "{text:?}");
    assert_eq!(secrets.redact(redacted), redacted, "what is redacted has no secret");
    assert_eq!(secrets.is_clean(text), text == redacted && !text.contains('…'), "{text:?}");
}

#[test]
fn known_values_go() {
    check("my password is hunter2-hunter2.", "my password is [secret].");
    check("hunter2-hunter2-long", "[secret]");
    check(r#"{"p":"päss\"w/örd 1"}"#, r#"{"p":"[secret]"}"#);
    check(r#"{"p":"{\"q\":\"päss\\\"w/örd 1\"}"}"#, r#"{"p":"{\"q\":\"[secret]\"}"}"#);
    check("?p=p%C3%A4ss%22w%2F%C3%B6rd%201&q", "?p=[secret]&q");
    // Too short, a word of our own formats, a number.
    check("tiny7 things in progress since 20261121 stay", "tiny7 things in progress since 20261121 stay");
}

#[test]
fn what_a_cut_leaves_of_a_known_value_goes() {
    check("it is hunter2-hunt…", "it is [secret]…");
    check("…-hunter2 it is", "…[secret] it is");
    check("it is hunter…", "it is hunter…");
    check("…MIIEx\nAAA=\n-----END RSA PRIVATE KEY-----\nrest", "…[secret]\nrest");
    check("-----BEGIN PRIVATE KEY-----\nMIIEx…", "[secret]…");
}

#[test]
fn the_shapes_can_be_searched() {
    assert_eq!(shapes::fault(), None);
}

#[test]
fn known_shapes_go() {
    check(&format!("key sk-ant-{}!", "api03-AbCdEfGhIjKlMnOp"), "key [secret]!");
    check(&format!("OPENAI=sk-{}", "a1B2".repeat(10)), "OPENAI=[secret]");
    check(&format!(r"one\nsk-{} two", "a1B2".repeat(10)), r"one\n[secret] two");
    check(&format!("AIza{}", "x1".repeat(17) + "x"), "[secret]");
    check(&format!("ghp_{} and AKIA{}", "a1".repeat(18), "A1".repeat(8)), "[secret] and [secret]");
    check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "[secret]");
    check("Authorization: Bearer abcdefghijklmnop0123", "Authorization: Bearer [secret]");
    check(r#"{"Authorization": "Basic YWxhZGRpbjpvcGVuMTIz"}"#, r#"{"Authorization": "Basic [secret]"}"#);
    check("git clone https://me:s3cr3t!@host.example/x", "git clone https://me:[secret]@host.example/x");
    check("postgres://:pa55@localhost:5432/db", "postgres://:[secret]@localhost:5432/db");
    check("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[secret]");
    check(r#"A=1\nAPP_TOKEN=\"abc12345\"\nB=2"#, r#"A=1\nAPP_TOKEN=\"[secret]\"\nB=2"#);
}

#[test]
fn blocks_of_private_keys_go() {
    let body = "MIIEpAIBAAKCAQEA7\nAAA=\n";
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let block = format!("-----BEGIN {kind}PRIVATE KEY-----\n{body}-----END {kind}PRIVATE KEY-----");
        check(&format!("a\n{block}\nrest"), "a\n[secret]\nrest");
        check(&format!("a\\n{}\\nrest", block.replace('\n', "\\n")), "a\\n[secret]\\nrest");
        check(&format!("{block}{block}"), "[secret][secret]");
    }
    check(
        "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n-----END PRIVATE KEY-----",
        "[secret]",
    );
    for stays in [
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "looks for -----BEGIN PRIVATE KEY----- in \"files\"",
        "-----BEGIN PRIVATE KEY-----;-----BEGIN PRIVATE KEY----- {",
        "-----BEGIN ",
    ] {
        assert_eq!(known().redact(stays), stays);
    }
}

#[test]
fn blocks_go_on_in_the_next_text() {
    let open = |text: &str| Secrets::leaves_block_open(&serde_json::json!({ "text": text }));
    assert!(open("a\n-----BEGIN PRIVATE KEY-----") && open("-----BEGIN PRIVATE KEY-----\nMIIE\n"));
    assert!(!open("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----") && !open("a"));
    let on = |text: &str, rest: &str, open: Option<bool>| {
        let mut value = serde_json::json!({ "type": "progress", "text": text, "thinking": false });
        assert_eq!(Secrets::scrub_block(&mut value), open, "{text:?}");
        assert_eq!(value["text"], rest);
    };
    on("MIIEpAIBAAKCAQEA7MII\n", "[secret]", Some(true));
    on("AAA=\n-----END PRIVATE KEY-----\nrest", "[secret]\nrest", Some(false));
    on("I go on.", "I go on.", None);
}

/// What must never change: commit ids, UUIDs, digests, pictures, names of files, and words that look a little like keys.
#[test]
fn what_is_no_secret_stays() {
    let picture =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    for text in [
        "risk-assessment-of-the-whole-project-and-more",
        "docs/sk-slovak-translation-of-the-manual.md",
        "task-1 and sk-1",
        "a monkey_business",
        "0123456789abcdef0123456789abcdef01234567",
        "commit 3671766a1b2c3d4e5f60718293a4b5c6d7e8f901 (HEAD -> main)",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "toolu_01A09q90qw90lq917835lq9",
        "thread_id 0199a213-81c0-7800-8aa1-bbab2a035a53",
        &format!("<img src=\"data:image/png;base64,{picture}\">"),
        "\"integrity\": \"sha512-9E/gRWVYc6qoUNzJ9ttSDnXKuPvvwNnEuZpyn5zYNmsmGyAtRMBZtlLNW2QZRAbsrTjWcGLOL0W7DkNwCDfgHg==\"",
        "checksum = \"2d5f1a5f4c4ab1d7d0d6d1e6f8e3d0c8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2\"",
        "src/very/long/path/with_many_words/and-dashes-2026-11-21/the_secret_key_of_success.rs",
        "let token = next_token(&mut stream, Token::Identifier);",
        "API_KEY=process.env.API_KEY",
        "PASSWORD=$PASSWORD SECRET_KEY=\"${SECRET_KEY}\"",
        "MAX_TOKENS=200000000 KEY_FILE=/etc/ssl/private.key1",
        "Bearer authentication-is-not-supported",
        "https://user@host.example/path:with@sign and mailto:a:b@c",
        "ssh://git@host.example:2222/repo.git",
        "http://[::1]:8080/a:b@c",
    ] {
        check(text, text);
    }
}

/// Whatever a command says stays, unless it is one word of a secret's form.
#[test]
fn commands_hide_nothing_behind_marks() {
    let strictly =
        |text: &str, redacted: &str| assert_eq!(known().redact_strictly(text), redacted, "{text:?}");
    strictly("curl -u hunter2-hunter2 x", "curl -u [secret] x");
    let body = format!("{0}\n{0}\nAAA=", "MIIEpAIBAAKCAQEA7MIIEpAIBAAKCAQEA7");
    strictly(
        &format!("echo -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY----- > k"),
        "echo [secret] > k",
    );
    for stays in [
        "echo -----BEGIN PRIVATE KEY-----\nrm -rf /home/me\n-----END PRIVATE KEY-----",
        "echo -----BEGIN PRIVATE KEY-----\nreboot\n-----END PRIVATE KEY-----",
        "echo -----BEGIN PRIVATE KEY----- \\\n rm -rf /",
    ] {
        strictly(stays, stays);
    }
    let mut value = serde_json::json!({ "command": "echo -----BEGIN PRIVATE KEY-----\nrm x", "a": "b" });
    assert!(!known().scrub(&mut value));
}

#[test]
fn lines_stay_where_they_are() {
    let text = "a\n-----BEGIN PRIVATE KEY-----\nMIIE\nAAA=\n-----END PRIVATE KEY-----\nb";
    assert_eq!(known().redact_lines(text), "a\n[secret]\n\n\n\nb");
}

#[test]
fn masks_keep_every_byte_in_its_place() {
    let text = "a hunter2-hunter2 b";
    let mut bytes =
        [b"\xff\xfe".as_slice(), text.as_bytes(), b"\xff ghp_0123456789012345678901234567890123 \n"].concat();
    let length = bytes.len();
    assert_eq!(known().mask(&mut bytes), [4..19, 23..61]);
    assert_eq!(bytes.len(), length);
    assert_eq!(bytes, [b"\xff\xfea ".as_slice(), &[b'*'; 15], b" b\xff ", &[b'*'; 38], b" \n"].concat());
    assert!(known().mask(&mut bytes).is_empty());
}

#[test]
fn secrets_are_found_by_their_names() {
    let env = [("ANTHROPIC_API_KEY", "one"), ("SSH_AUTH_SOCK", "/s"), ("TOKEN_FILE", "/t"), ("PATH", "/bin")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(Secrets::in_environment(&env).collect::<Vec<_>>(), ["one"]);
    let file = r#"{"claudeAiOauth":{"accessToken":"a","scopes":["b"]},"tokens":{"id":"c"},"mode":"d"}"#;
    assert_eq!(Secrets::in_credentials(file), ["a", "c"]);
    assert!(Secrets::in_credentials("not JSON").is_empty());
    let file = "# API_KEY=no\nA=1\nexport API_KEY='a b' # c\nDB_PASSWORD=d # e\naws_secret_access_key = f\n//r.example/:_authToken=g";
    assert_eq!(Secrets::in_variables(file), ["a b", "d", "f", "g"]);
}

#[test]
fn secrets_of_several_lines_are_known_line_by_line() {
    let secrets =
        Secrets::of(["-----BEGIN X-----\n0123456789abcdefABCDEF\nshort\n-----END X-----".to_owned()]);
    assert_eq!(secrets.redact("> 0123456789abcdefABCDEF\n> short"), "> [secret]\n> short");
}

#[test]
fn every_text_of_a_value_is_scrubbed() {
    let secrets = Secrets::of(["with\"quote and more".to_owned()]);
    let mut value = serde_json::json!({ "a": ["x with\"quote and more"], "with\"quote and more": 1, "n": 2 });
    assert!(secrets.scrub(&mut value));
    assert_eq!(value, serde_json::json!({ "a": ["x [secret]"], "[secret]": 1, "n": 2 }));
    assert!(!secrets.scrub(&mut value));
}
