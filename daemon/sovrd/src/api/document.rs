//! The OpenAPI document, made of the handlers themselves, and a page that shows it without any help
//! from elsewhere.

use super::reference::ReferenceText;
use std::fmt::Write as _;
use utoipa::{
    OpenApi,
    openapi::{Content, OpenApi as Document, PathItem, RefOr, path::Operation},
};

/// What a page may load: nothing but its own style.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

#[derive(OpenApi)]
#[openapi(
    components(schemas(ReferenceText)),
    info(
        title = "SOVR bridge",
        description = "Where deposits and withdrawals are, what the bridge allows, and how it is. \
                   Amounts are text; times are Unix seconds unless a name says otherwise. Every error \
                   is a problem document (RFC 9457) with a stable type and a sentence in `detail`."
    )
)]
pub(super) struct About;

/// The paths that are served, for people who missed them.
pub(super) fn paths(document: &Document) -> String {
    document.paths.paths.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// The methods of a path, as in `Allow`.
fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)]
        .into_iter()
        .filter_map(|(method, operation)| operation.as_ref().map(|o| (method, o)))
}

/// The document as a page.
pub(super) fn page(document: &Document) -> String {
    let mut page = String::from(HEAD);
    let about = document.info.description.clone().unwrap_or_default();
    let _infallible = write!(
        page,
        "<h1>{} {}</h1><p>{}</p><p>For programs: <a href=\"/v1/openapi.json\">openapi.json</a></p>",
        escape(&document.info.title),
        escape(&document.info.version),
        escape(&about)
    );
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            page.push_str(&shown(method, path, operation));
        }
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in document.components.iter().flat_map(|c| &c.schemas) {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        let name = escape(name);
        let _infallible = write!(
            page,
            "<details id=\"{name}\"><summary>{name}</summary><pre>{}</pre></details>",
            escape(&text)
        );
    }
    page
}

fn shown(method: &str, path: &str, operation: &Operation) -> String {
    let mut section = format!("<section><h3><b>{method}</b> {}</h3>", escape(path));
    for text in [&operation.summary, &operation.description].into_iter().flatten() {
        let _infallible = write!(section, "<p>{}</p>", escape(text));
    }
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let about = parameter.description.clone().unwrap_or_default();
        let name = escape(&parameter.name);
        let _infallible = write!(section, "<p><code>{name}</code>: {}</p>", escape(&about));
    }
    section.push_str("<table>");
    for (status, response) in &operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let schemas = response.content.values().filter_map(|content| match content {
            RefOr::T(Content { schema: Some(RefOr::Ref(one)), .. }) => {
                one.ref_location.rsplit('/').next().map(escape)
            }
            RefOr::T(_) | RefOr::Ref(_) => None,
        });
        let schemas: Vec<String> =
            schemas.map(|name| format!("<a href=\"#{name}\">{name}</a>")).collect();
        let _infallible = write!(
            section,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(status),
            escape(&response.description),
            schemas.join(" ")
        );
    }
    section.push_str("</table></section>");
    section
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>SOVR bridge: HTTP interface</title>\
    <style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    section{border-top:1px solid #ccc}td{padding:.1rem .8rem .1rem 0}pre{background:#f4f4f4;\
    padding:1rem;overflow:auto}</style>";
