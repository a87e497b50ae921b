//! Keystores, and payout signers in processes of their own.

use crate::{
    body,
    config::{Config, Endpoint, Keystore, Payouts},
    doctor::facts::{KeyFacts, KeyRole, SignerFacts, SignerSays},
    payouts::keys,
    signer::read_token,
};
use alloy::{
    primitives::Address,
    transports::http::reqwest::{Client, Response, StatusCode},
};
use futures_util::future;
use serde::Deserialize;
use std::{future::Future, path::PathBuf, time::Duration};

/// Longest wait for one answer of a signer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// All keystores that the configuration names.
pub(super) async fn all(config: &Config) -> Vec<KeyFacts> {
    let mut wanted: Vec<(String, KeyRole, Keystore)> = Vec::new();
    if let Some(Payouts { signer, submitter, pauser, .. }) = &config.payouts {
        let field = |name: &str| format!("payouts.{name}_keystore");
        wanted.extend(signer.clone().map(|k| (field("signer"), KeyRole::Signer, k)));
        wanted.push((field("submitter"), KeyRole::Submitter, submitter.clone()));
        wanted.extend(pauser.clone().map(|k| (field("pauser"), KeyRole::Pauser, k)));
    }
    if let Some(signer) = &config.signer {
        wanted.push(("signer.keystore".to_owned(), KeyRole::Signer, signer.key.clone()));
    }
    let opened = wanted.into_iter().map(|(field, role, keystore)| async move {
        // Opening takes a second of work: that is what keystores are for.
        tokio::task::spawn_blocking(move || one(field, role, keystore)).await
    });
    future::join_all(opened).await.into_iter().flatten().collect()
}

fn one(field: String, role: KeyRole, keystore: Keystore) -> KeyFacts {
    let files = [&keystore.path, &keystore.password_file];
    let open = |path: &PathBuf| keys::mode_open_to_all(path).map(|mode| (path.clone(), mode));
    let open_to_all = files.into_iter().filter_map(open).collect();
    let address = keys::decrypt(&keystore).map(|key| key.address());
    let is_well_known = address.as_ref().is_ok_and(keys::is_well_known);
    KeyFacts { field, role, path: keystore.path, open_to_all, address, is_well_known }
}

/// All signers that the daemon would ask, or why it could not ask any.
pub(super) async fn signers(config: &Config) -> Result<Vec<SignerFacts>, String> {
    if let Some(signer) = &config.signer {
        read_token("signer.token_file", &signer.token_file).map_err(|e| e.message)?;
    }
    let Some(payouts) = &config.payouts else { return Ok(Vec::new()) };
    let Some(file) = &payouts.signer_token_file else { return Ok(Vec::new()) };
    let token = read_token("payouts.signer_token_file", file).map_err(|e| e.message)?;
    let asked = payouts.signer_urls.iter().map(|url| async {
        let answer = ask(url, &token).await;
        SignerFacts { url: url.to_string(), answer: answer.map_err(|e| url.redact(&e)) }
    });
    Ok(future::join_all(asked).await)
}

/// Who a payout signer is: `/v1/signer`.
#[derive(Debug, Deserialize)]
struct Who {
    signer: Address,
}

/// A problem document, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Says {
    detail: String,
}

async fn ask(url: &Endpoint, token: &str) -> Result<SignerSays, String> {
    let client = Client::builder().timeout(ANSWER_MAX).build().map_err(|e| e.to_string())?;
    let page = |path: &str| format!("{}{path}", url.secret().trim_end_matches('/'));
    let who = answer(client.get(page("/v1/signer")).send()).await?;
    let Who { signer } = serde_json::from_slice(&who.1)
        .map_err(|_| "it does not say whose key it has: is it a sovrd sign?".to_owned())?;
    let (status, ready) = answer(client.get(page("/ready")).send()).await?;
    let not_ready = (status != StatusCode::OK).then(|| {
        let says: Option<Says> = serde_json::from_slice(&ready).ok();
        says.map_or_else(|| status.to_string(), |says| says.detail)
    });
    // Asks for a signature over nothing: whoever has the token is told so, and nothing is signed.
    let nothing: [(); 0] = [];
    let request = client.post(page("/v1/sign")).bearer_auth(token).json(&nothing);
    let (status, _) = answer(request.send()).await?;
    let takes_token = status != StatusCode::UNAUTHORIZED;
    Ok(SignerSays { address: signer, not_ready, takes_token })
}

async fn answer<E: std::fmt::Display>(
    sent: impl Future<Output = Result<Response, E>>,
) -> Result<(StatusCode, Vec<u8>), String> {
    let response = sent.await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = body::read(response, ANSWER_BYTES_MAX).await.map_err(|e| e.to_string())?;
    Ok((status, body))
}
