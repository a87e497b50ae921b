//! What people see. Colours and moving lines only on a terminal.
#![allow(clippy::print_stdout)] // A command for people.

use anyhow::Result;
use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Between two signs of life on a terminal.
const TICK: Duration = Duration::from_secs(1);
/// Between two signs of life in a file.
const SLOW_TICK: Duration = Duration::from_secs(10);

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    terminal: bool,
    colours: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        Self { terminal, colours: terminal && env::var_os("NO_COLOR").is_none() }
    }

    /// A part of the demo begins.
    pub(super) fn heading(self, text: &str) {
        println!("\n{}", self.paint("1", text));
    }

    /// A step of the story begins.
    pub(super) fn step(self, number: usize, text: &str) {
        println!("\n{}", self.paint("1", &format!("{number}. {text}")));
    }

    /// What happened on chain.
    pub(super) fn chain(self, text: &str) {
        println!("   {}  {text}", self.paint("36", "chain "));
    }

    /// What happened in the ledger.
    pub(super) fn ledger(self, text: &str) {
        println!("   {}  {text}", self.paint("33", "ledger"));
    }

    /// What it means.
    pub(super) fn means(self, text: &str) {
        println!("   {}  {text}", self.paint("2", "=     "));
    }

    /// Anything else.
    pub(super) fn text(self, text: &str) {
        println!("{text}");
    }

    /// Good news.
    pub(super) fn good(self, text: &str) {
        println!("\n{}", self.paint("32", text));
    }

    /// Does some work and shows the seconds until it is done.
    pub(super) fn during<T>(self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let (done, waiting) = mpsc::channel::<()>();
        let shown = what.to_owned();
        let ticker = thread::spawn(move || self.tick(&shown, start, &waiting));
        let result = work();
        drop(done);
        let _ = ticker.join();
        let (clear, seconds) = (if self.terminal { "\r\x1b[K" } else { "" }, start.elapsed());
        let end = if result.is_ok() { "done" } else { "failed" };
        println!("{clear}   {what}: {end} after {:.0} s", seconds.as_secs_f32());
        result
    }

    fn tick(self, what: &str, start: Instant, waiting: &mpsc::Receiver<()>) {
        let pause = if self.terminal { TICK } else { SLOW_TICK };
        while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            let seconds = start.elapsed().as_secs();
            if self.terminal {
                print!("\r\x1b[K   {what}: {seconds} s");
            } else {
                println!("   {what}: {seconds} s");
            }
            let _closed_pipe = io::stdout().flush();
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
