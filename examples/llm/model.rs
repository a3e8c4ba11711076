//! Stands for a model: it repeats the prompt, a word at a time.

use std::time::Duration;

use async_stream::try_stream;
use futures_util::Stream;
use tokio::time::sleep;

/// Tells when an answer is no longer wanted.
struct Running(bool);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0 {
            println!("canceled");
        }
    }
}

/// Answers a prompt, token by token, for as long as the stream is polled.
pub(crate) fn answer(prompt: String) -> impl Stream<Item = Result<String, &'static str>> {
    try_stream! {
        let mut running = Running(true);
        if prompt.contains("think") {
            sleep(Duration::from_secs(1)).await;
        }
        for word in prompt.split_inclusive(' ') {
            sleep(Duration::from_millis(20)).await;
            if word.trim() == "fail" {
                running.0 = false;
                Err("the model is overloaded")?;
            }
            yield word.to_owned();
        }
        running.0 = false;
    }
}
