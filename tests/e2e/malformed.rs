//! Twenty thousand requests that nobody should send: the daemon's and a signer's HTTP take them all,
//! say what is wrong, and go on.

use crate::world::{ETHER, PATIENCE, World};
use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use harness::{config::TOKEN, keys::Role};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

const REQUESTS: usize = 20_000;
/// Replay a run by its seed.
const SEED: u64 = 7;
/// Requests before memory is measured: buffers grow to their size once.
const WARM_UP: usize = 2_000;
/// Growth of a process's memory that is no leak, KiB.
const GROWTH_MAX_KIB: u64 = 32 << 10;

/// How far into the program a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Http,
    Path,
    JsonSyntax,
    PastJson,
}

/// A connection that is kept as long as the server keeps it.
struct Client {
    address: String,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    fn new(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").to_owned(), open: None }
    }

    /// The status; 0 if the server ends the connection without a word.
    fn ask(&mut self, request: &[u8]) -> Result<u16> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        // A server that refuses may close before it has read everything.
        let _cut = stream.get_mut().write_all(request);
        let Some((status, length, stays)) = head(&mut stream) else { return Ok(0) };
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_ok() && stays {
            self.open = Some(stream);
        }
        Ok(status)
    }
}

/// Status, length of the body, and whether the connection stays open.
fn head(stream: &mut BufReader<TcpStream>) -> Option<(u16, usize, bool)> {
    let (mut status, mut length, mut stays) = (None, 0, true);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            return status.map(|status| (status, length, stays));
        }
        match (status, line.split_once(": ")) {
            (None, _) => status = line.split(' ').nth(1).and_then(|s| s.parse().ok()),
            (_, Some(("content-length", n))) => length = n.parse().unwrap_or_default(),
            (_, Some(("connection", "close"))) => stays = false,
            _ => {}
        }
    }
}

fn request(method: &str, path: &[u8], head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!("{method} ").into_bytes();
    bytes.extend_from_slice(path);
    let rest = format!(" HTTP/1.1\r\nHost: h\r\n{head}Content-Length: {length}\r\n\r\n{body}");
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Breaks something in a text, byte by byte; nothing that would end the request line.
fn mutated(rng: &mut Rng, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        match rng.u8(0..4) {
            0 => bytes.insert(at, rng.u8(33..=255)),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] = rng.u8(33..=126),
            _ => bytes.splice(at..at, *b"%f0").for_each(drop),
        }
    }
    if bytes.first() != Some(&b'/') {
        bytes.insert(0, b'/');
    }
    bytes
}

fn path(rng: &mut Rng) -> Vec<u8> {
    let hex = |rng: &mut Rng, n: usize| -> String {
        (0..n).map(|_| char::from_digit(rng.u32(0..16), 16).unwrap()).collect()
    };
    let id = hex(rng, 64);
    let paths = [
        format!("/v1/transfers/deposit:{}", rng.u64(..)),
        format!("/v1/transfers/withdrawal:0x{id}?before_block={}", rng.i64(..)),
        format!("/v1/why/tx:0x{id}"),
        format!("/v1/transfers/address:0x{}?before_seq=1&before_seq=2", &id[..40]),
        format!("/v1/withdrawals/0x{id}/ticket"),
        "/v1/status".to_owned(),
        "/v1/openapi.json".to_owned(),
    ];
    let chosen = rng.choice(paths.iter()).cloned().unwrap_or_default();
    mutated(rng, &chosen)
}

/// JSON that is whole, and not what a signer wants.
fn json(rng: &mut Rng) -> String {
    let id = format!("0x{}", "7".repeat(rng.usize(0..80)));
    let ask = |verdict: &str| format!(r#"{{"id":"{id}","verdict":{verdict}}}"#);
    let right = format!("0x{}", "7".repeat(64));
    match rng.u8(0..8) {
        0 => format!("[{}]", vec![ask("\"pay\""); rng.usize(33..60)].join(",")),
        1 => format!("[{}]", ask(&format!("\"{}\"", rng.alphabetic()))),
        2 => {
            let depth = rng.usize(1..100);
            format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
        }
        3 => rng.i64(..).to_string(),
        4 => "[]".to_owned(),
        5 => format!(
            r#"[{{"id":"{right}","verdict":"pay"}},{{"id":"{right}","verdict":{{"refuse":"account_frozen"}}}}]"#
        ),
        6 => format!(r#"{{"id":"{right}","verdict":"pay","more":{}}}"#, rng.f64()),
        _ => format!(r#"["{}", null, true, {{}}]"#, "x".repeat(rng.usize(0..9_000))),
    }
}

fn http(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(0..5) {
        0 => (0..rng.usize(1..200)).map(|_| rng.u8(..)).chain(*b"\r\n\r\n").collect(),
        1 => request("GET", b"/live", &format!("X: {}\r\n", "y".repeat(100_000)), ""),
        2 => request("GET", b"/live", &"A: b\r\n".repeat(300), ""),
        3 => request(&"M".repeat(rng.usize(1..40)), b"/v1/status", "", ""),
        _ => b"GET /live HTTP/9.9\r\n\r\n".to_vec(),
    }
}

fn memory_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

#[test]
fn malformed_requests_are_refused_and_cost_nothing() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    world.start()?;
    let (sovrd, signer) = (world.sovrd.as_ref().context("no daemon")?, &world.signers[0]);
    let (mut daemon, mut signers) = (Client::new(sovrd.api_url()), Client::new(signer.api_url()));
    let token = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
    let mut rng = Rng::with_seed(SEED);
    let mut histogram: BTreeMap<(Depth, u16), usize> = BTreeMap::new();
    let pids = [sovrd.pid(), signer.pid()];
    let mut before = Vec::new();
    for n in 0..REQUESTS {
        if n == WARM_UP {
            before = pids.map(memory_kib).into_iter().collect::<Result<_>>()?;
        }
        let (depth, status) = match n % 20 {
            0 => (Depth::Http, daemon.ask(&http(&mut rng))?),
            1 => {
                let broken = mutated(&mut rng, &json(&mut Rng::with_seed(0)));
                let text = String::from_utf8_lossy(&broken).into_owned();
                (Depth::JsonSyntax, signers.ask(&request("POST", b"/v1/sign", &token, &text))?)
            }
            2..=8 => (Depth::Path, daemon.ask(&request("GET", &path(&mut rng), "", ""))?),
            _ => {
                let body = json(&mut rng);
                (Depth::PastJson, signers.ask(&request("POST", b"/v1/sign", &token, &body))?)
            }
        };
        *histogram.entry((depth, status)).or_default() += 1;
    }
    let shown = format!("{histogram:#?}");
    eprintln!("{shown}");
    let wrong = histogram.keys().filter(|(_, status)| *status >= 500 && *status != 503).count();
    ensure!(wrong == 0, "server errors: {shown}");
    let past = histogram.iter().filter(|((depth, _), _)| *depth == Depth::PastJson);
    ensure!(past.map(|(_, n)| n).sum::<usize>() * 2 >= REQUESTS, "too shallow: {shown}");
    for (pid, before) in pids.into_iter().zip(before) {
        let grown = memory_kib(pid)?.saturating_sub(before);
        ensure!(grown < GROWTH_MAX_KIB, "process {pid} grew by {grown} KiB");
    }
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.judge()?;
    Ok(())
}
