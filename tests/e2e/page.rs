//! The page in the window, through WebKit's own WebDriver.

use std::{net::TcpListener, path::PathBuf, process::Command, time::Duration};

use fantoccini::{
    Client, ClientBuilder, Locator, elements::Element, error::NewSessionError, wd::Capabilities,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::desktop::{Desktop, Killed, program, until};

/// How long an element may take to appear that needs nothing but painting.
const PAINT: Duration = Duration::from_secs(30);

/// The page, until it is closed.
pub(crate) struct Page {
    client: Client,
    _driver: Killed,
}

impl Page {
    /// Starts the program under WebDriver's control, with further arguments.
    pub(crate) async fn open(desktop: &Desktop, further: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Tauri lets a driver in when this variable says so; nothing else of the program differs.
        let mut command = desktop.command("WebKitWebDriver");
        command.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = Killed::spawn(&mut command);
        let workspace = desktop.home().join("sessions");
        let arguments = [&["--workspace", workspace.to_str().unwrap()], further].concat();
        let options = json!({ "binary": program("meta-orchestrator"), "args": arguments });
        let capabilities: Capabilities =
            [("webkitgtk:browserOptions".to_owned(), options)].into_iter().collect();
        let client = until("WebDriver", PAINT, async || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => Some(client),
                Err(NewSessionError::Failed(_) | NewSessionError::FailedC(_) | NewSessionError::Lost(_)) => {
                    None
                }
                Err(error) => panic!("the window did not start: {error}"),
            }
        })
        .await;
        Self { client, _driver: driver }
    }

    /// Content security policy and capability hold in the real window (THREATS T14, T15).
    pub(crate) async fn refuses_what_the_window_has_no_right_to(&self) {
        self.element("demo", PAINT).await;
        for (command, arguments) in [
            ("plugin:shell|open", json!({ "path": "/" })),
            ("plugin:dialog|open", json!({ "options": {} })),
            ("plugin:notification|notify", json!({ "options": { "title": "x" } })),
            ("plugin:window|close", json!({})),
            ("plugin:event|emit", json!({ "event": "changed", "payload": null })),
        ] {
            let script = "const done = arguments[2];
                window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1]).then(() => done('allowed'), (e) => done(String(e)));";
            let answer = self.client.execute_async(script, vec![json!(command), arguments]).await.unwrap();
            let answer = answer.as_str().unwrap_or_default();
            assert!(answer.contains("not allowed"), "{command}: {answer}");
        }
        let script = "const done = arguments[0];
            window.ran = [];
            addEventListener('securitypolicyviolation', (e) => window.ran.push(e.effectiveDirective));
            const host = document.createElement('div');
            host.innerHTML = '<img src=\"data:,x\" onerror=\"window.ran.push(1)\"><svg onload=\"window.ran.push(2)\"></svg>';
            document.body.append(host);
            const inline = document.createElement('script');
            inline.textContent = 'window.ran.push(3)';
            document.body.append(inline);
            fetch('http://127.0.0.1:9/').then(() => window.ran.push(4), () => window.ran.push('fetch refused'));
            const look = () => window.ran.includes('fetch refused') ? (host.remove(), inline.remove(), done(window.ran)) : requestAnimationFrame(look);
            requestAnimationFrame(look);";
        let ran = self.client.execute_async(script, vec![]).await.unwrap();
        let ran = ran.as_array().unwrap();
        assert!(ran.iter().all(Value::is_string), "something ran: {ran:?}");
        assert!(
            ran.iter().any(|one| one.as_str().is_some_and(|one| one.starts_with("script-src"))),
            "{ran:?}"
        );
        assert!(ran.contains(&json!("connect-src")), "{ran:?}");
    }

    /// Clicks the first element with this test id.
    pub(crate) async fn click(&self, id: &str) {
        self.click_when_there(id, PAINT).await;
    }

    pub(crate) async fn click_when_there(&self, id: &str, within: Duration) {
        until(&format!("a click on {id}"), within, async || {
            // It may be painted anew between finding and clicking.
            self.find(id).await?.click().await.ok()
        })
        .await;
    }

    /// Types into the first element with this test id.
    pub(crate) async fn type_into(&self, id: &str, text: &str) {
        self.element(id, PAINT).await.send_keys(text).await.unwrap();
    }

    pub(crate) async fn text_when(
        &self,
        id: &str,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        until(&format!("the text of {id}"), within, async || {
            let element = self.find(id).await?;
            let value = element.prop("value").await.ok()?.filter(|value| !value.is_empty());
            let text = match value {
                Some(value) => value,
                None => element.text().await.ok()?,
            };
            wanted(&text).then_some(text)
        })
        .await
    }

    pub(crate) async fn count_when(&self, id: &str, within: Duration, enough: impl Fn(usize) -> bool) {
        until(&format!("enough of {id}"), within, async || {
            let found = self.client.find_all(Locator::Css(&selector(id))).await.ok()?;
            enough(found.len()).then_some(())
        })
        .await;
    }

    /// A picture of the whole display: WebDriver's own needs the window's cooperation and may hang.
    pub(crate) async fn screenshot(&self, name: &str) {
        // What the page knows is on the screen some frames later; nobody tells when.
        let painted = "let frames = 30;
            const done = arguments[0];
            const next = () => --frames > 0 ? requestAnimationFrame(next) : done();
            next();";
        self.client.execute_async(painted, vec![]).await.unwrap();
        picture(name);
    }

    async fn element(&self, id: &str, within: Duration) -> Element {
        until(&format!("the element {id}"), within, async || self.find(id).await).await
    }

    async fn find(&self, id: &str) -> Option<Element> {
        self.client.find(Locator::Css(&selector(id))).await.ok()
    }
}

/// Puts a picture of the whole display where the pictures go.
pub(crate) fn picture(name: &str) -> PathBuf {
    let folder = std::env::var_os("E2E_PICTURES")
        .map_or_else(|| program("meta-orchestrator").with_file_name("e2e"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let taken = Command::new("import").args(["-window", "root"]).arg(&path).status();
    assert!(taken.is_ok_and(|status| status.success()), "no picture: `make setup` installs imagemagick");
    path
}

fn selector(id: &str) -> String {
    format!("[data-testid=\"{id}\"]")
}
