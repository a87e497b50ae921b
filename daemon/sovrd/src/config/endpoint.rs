//! Where a node answers, and how that is shown: providers put keys into paths and user names.

use alloy::transports::http::reqwest::Url;
use std::fmt;

/// Parts of a URL shorter than this are too common to be taken for a secret.
const SECRET_LEAST: usize = 4;

/// Where a node answers. Only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    whole: String,
    shown: String,
    /// What must not be seen, longest first.
    secrets: Vec<String>,
}

impl Endpoint {
    /// Reads an address that starts with one of these schemes; a path is a local socket (IPC).
    ///
    /// # Errors
    /// What is wrong with it, without its secrets.
    pub fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let right = schemes.join(", ");
        if text.starts_with('/') && schemes.contains(&"/") {
            let whole = text.to_owned();
            return Ok(Self { shown: whole.clone(), whole, secrets: Vec::new() });
        }
        let url: Url =
            text.parse().map_err(|e| format!("is no URL ({e}); it starts with {right}"))?;
        let shown = shown(&url);
        if !schemes.iter().any(|scheme| text.starts_with(scheme)) {
            return Err(format!("{shown} does not start with {right}"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("{shown} names no host"));
        }
        Ok(Self { whole: text.to_owned(), shown, secrets: secrets(text, &url) })
    }

    /// The whole URL, for connecting only.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.whole
    }

    /// True for JSON-RPC over HTTP.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.whole.starts_with("http://") || self.whole.starts_with("https://")
    }

    /// True for a local socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.whole.starts_with('/')
    }

    /// A text without this URL's secrets, however it was written down in between.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), "…");
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let bare = url.path().trim_matches('/').is_empty() && url.query().is_none();
    let hidden = if bare && url.username().is_empty() { "" } else { "/…" };
    format!("{}://{host}{port}{hidden}", url.scheme())
}

/// Path, query and user as they were given and as a URL library writes them.
fn secrets(text: &str, url: &Url) -> Vec<String> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let password = user.split_once(':').map_or("", |(_, password)| password);
    let query = url.query().unwrap_or_default();
    let mut secrets: Vec<String> =
        [path, user, password, url.username(), url.password().unwrap_or_default(), query]
            .into_iter()
            .chain(url.path_segments().into_iter().flatten())
            .chain([url.path()])
            .filter(|part| part.len() >= SECRET_LEAST)
            .map(str::to_owned)
            .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Endpoint {
        Endpoint::parse(text, &["http://", "https://", "ws://", "wss://", "/"]).unwrap()
    }

    #[test]
    fn only_scheme_host_and_port_are_shown() {
        for (text, shown) in [
            (
                "https://user:pass@node.example:8545/v3/0123456789abcdef?k=v",
                "https://node.example:8545/…",
            ),
            ("https://Node.Example:443/v3/0123", "https://node.example/…"),
            ("https://user@node.example", "https://node.example/…"),
            ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
            ("wss://b.example/key", "wss://b.example/…"),
            ("/run/geth.ipc", "/run/geth.ipc"),
        ] {
            assert_eq!(node(text).to_string(), shown);
            assert_eq!(format!("{:?}", node(text)), format!("\"{shown}\""));
        }
    }

    #[test]
    fn errors_of_libraries_lose_every_secret() {
        let text = "https://anna:Pa55word@Node.Example:443/v3/0123456789abcdef?apikey=abcd";
        let url = node(text);
        let parsed: Url = text.parse().unwrap();
        for error in [
            format!("error sending request for url ({text})"),
            format!("error sending request for url ({parsed})"),
            "401 for path /v3/0123456789abcdef of project 0123456789abcdef".to_owned(),
            "apikey=abcd is not allowed for anna:Pa55word".to_owned(),
        ] {
            let told = url.redact(&error);
            for secret in ["0123456789abcdef", "Pa55word", "abcd "] {
                assert!(!told.contains(secret), "{told}");
            }
        }
        assert_eq!(
            node("http://127.0.0.1:1/").redact("refused by 127.0.0.1"),
            "refused by 127.0.0.1"
        );
    }

    #[test]
    fn what_is_no_node_is_told_without_its_secrets() {
        let wrong = |text| Endpoint::parse(text, &["http://", "https://"]).unwrap_err();
        assert_eq!(
            wrong("ftp://me:secret@127.0.0.1:85/key"),
            "ftp://127.0.0.1:85/… does not start with http://, https://"
        );
        for text in ["http://", "http://host:port/key", "key only"] {
            assert!(wrong(text).starts_with("is no URL"), "{}", wrong(text));
            assert!(!wrong(text).contains("key"), "{}", wrong(text));
        }
    }
}
