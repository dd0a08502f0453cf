//! Questions to the person at the terminal.

use std::io::BufRead as _;

use tokio::sync::mpsc;

use crate::cli::output::Output;

/// Asks a question that is answered with yes or no; anything but yes is no.
pub(crate) async fn confirm(output: Output, question: &str) -> bool {
    output.question(&format!("{question} [y/N]"));
    let answer = read_line().await.unwrap_or_default();
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Asks a question that is answered with one of some words, the first letter being enough; `None` at the end of input.
pub(crate) async fn choose(output: Output, question: &str, words: &[&str]) -> Option<String> {
    loop {
        output.question(&format!("{question} [{}]", words.join("/")));
        let answer = read_line().await?;
        let answer = answer.trim();
        let found = words
            .iter()
            .find(|word| **word == answer || (!answer.is_empty() && word.starts_with(answer)));
        if let Some(word) = found {
            return Some((*word).to_owned());
        }
    }
}

/// Returns the lines typed, for a place that waits for other things too. The thread that reads ends with the process: a
/// read from a terminal cannot be taken back.
pub(crate) fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn read_line() -> Option<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|bytes| (bytes > 0).then_some(line))
    });
    read.await.ok()?.ok()?
}
